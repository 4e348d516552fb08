"""CLIs of other versions than the tested ones, by a program that behaves like them and is the mock for the rest."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import MOCK, mock_daemon

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

OTHER = """#!{python}
import os, sys
if "--version" in sys.argv:
    print("warning: no configuration\\n")
    print("{version} (Claude Code)")
elif "auth" in sys.argv:
    sys.exit("a prompt, taken for one: 'auth'")
elif {old} and "--include-partial-messages" in sys.argv:
    sys.exit("error: unknown option '--include-partial-messages'")
else:
    os.execv({mock!r}, [{mock!r}, *sys.argv[1:]])
"""


def cli_of(version: str, folder: Path, *, old: bool) -> Path:
    """A CLI that calls itself so; an old one knows no deltas."""
    path = folder / "claude"
    path.write_text(OTHER.format(python=sys.executable, version=version, mock=str(MOCK), old=old))
    path.chmod(0o755)
    return path


@pytest.mark.spec("3.8")
async def test_an_old_cli_is_started_without_the_flag_that_it_does_not_know_and_never_asked_for_its_login(
    workspace: Path, tmp_path: Path
) -> None:
    async with mock_daemon(cli=cli_of("1.0.63", tmp_path, old=True)) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.wait_event("session_started", session_id=session_id)
        health = await daemon.request("health_check")
        assert (health["version"], health["authenticated"]) == ("1.0.63", None)
        with pytest.raises(RpcError) as refusal:
            await daemon.start_session(workspace, config={"effort": "low"})
        assert (refusal.value.code, refusal.value.data["option"]) == (-32010, "effort")


@pytest.mark.spec("3.8")
async def test_a_cli_that_is_too_old_for_all_of_this_is_refused_with_its_version(
    workspace: Path, tmp_path: Path
) -> None:
    async with mock_daemon(cli=cli_of("1.0.60", tmp_path, old=True)) as daemon:
        with pytest.raises(RpcError) as refusal:
            await daemon.start_session(workspace)
        assert (refusal.value.code, "1.0.60 is too old" in refusal.value.message) == (-32002, True)
        assert "npm install" in refusal.value.data["hint"]
