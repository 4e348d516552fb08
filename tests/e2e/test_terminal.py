"""The real CLI with a terminal for its output: what holds for pipes holds there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import RpcError
from tests.support.model_server.scenarios import UNICODE
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

BIG = 1_000_000
"""Characters: hundreds of times what a terminal holds."""


@pytest.mark.spec("3.6")
async def test_a_session_on_a_terminal_streams_asks_is_interrupted_and_goes_on(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, transport="pty", answer=allow()) as talk:
        assert (await talk.turn("SC:unicode")).text == UNICODE
        assert (await talk.turn(f"SC:bigtext {BIG}")).text == "x" * BIG
        written = await talk.turn(f"SC:write {workspace / 'note'}")
        assert [question["tool_name"] for question in talk.questions] == ["Write"]
        turn_id = await talk.send("SC:gate held")
        await talk.wait("text_delta", turn_id=turn_id)
        assert await talk.call("interrupt") == {"interrupted": True}
        cut = await talk.heard(turn_id)
        after = await talk.turn("SC:hello")
    assert written.text == "File written."
    assert (workspace / "note").exists()
    assert cut.completed["stop_reason"] == "interrupted"
    assert after.text == "Hello there, friend."
    assert [event for event in talk.events if event["event"]["type"] == "raw"] == []


@pytest.mark.spec("3.6")
async def test_a_conversation_moves_from_a_terminal_to_pipes(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, transport="pty") as talk:
        await talk.turn("SC:hello")
    async with stage.session(workspace, resume=talk.id) as resumed:
        assert (await resumed.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"


@pytest.mark.spec("5.10")
async def test_stderr_stays_apart_from_a_terminal(stage: Stage, workspace: Path) -> None:
    with pytest.raises(RpcError, match="unknown option '--no-such-option'") as refusal:
        await stage.daemon.start_session(workspace, config={"transport": "pty", "extra_args": ["--no-such-option"]})
    assert "no-such-option" in refusal.value.data["stderr_tail"]
