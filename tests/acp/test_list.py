"""What an editor's list of conversations holds: every conversation once, by pages, of one folder or of all."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from adapter.faces.acp.listing import LIST_LIMIT
from tests.acp.editor import run_editor
from tests.support.mock_daemon import MOCK, mock_environment
from tests.support.transcripts import Script

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio


async def test_each_conversation_is_on_one_page_and_the_last_page_has_no_cursor(
    workspace: Path, tmp_path: Path
) -> None:
    ids = {str(uuid.uuid4()) for _ in range(LIST_LIMIT + 2)}
    for id in ids:
        asked = f'I am {id}\n<context ref="file:///a">\nx\n</context>'
        Script(str(workspace)).user("u1", asked).write(tmp_path / "claude", str(workspace), id)
    Script("/elsewhere").user("u1", "elsewhere").write(tmp_path / "claude", "/elsewhere", str(uuid.uuid4()))
    environment = mock_environment("default", "acp-list", str(tmp_path)) | {"HOME": str(tmp_path)}
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        first: Json = await editor.request("session/list", cwd=str(workspace))
        assert len(first["sessions"]) == LIST_LIMIT
        second: Json = await editor.request("session/list", cwd=str(workspace), cursor=first["nextCursor"])
        assert "nextCursor" not in second
        listed = [*first["sessions"], *second["sessions"]]
        assert sorted(each["sessionId"] for each in listed) == sorted(ids)
        assert all(each["title"] == f"I am {each['sessionId']}" for each in listed)
        of_all: Json = await editor.request("session/list")
        rest = await editor.request("session/list", cursor=of_all["nextCursor"])
        assert len(of_all["sessions"]) + len(rest["sessions"]) == LIST_LIMIT + 3
