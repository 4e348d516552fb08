"""SPEC-5.9 with the real CLI: a context that fills up is compacted by the CLI itself, within a turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.real_session import Heard, Stage, allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.spec("5.9")]

WINDOW = 100_000
"""The smallest that the CLI takes (measured with claude 2.1.197 and 2.1.329)."""

NEARLY_FULL = 95_000
"""Tokens after which the CLI compacts before it asks the model again."""


def compactions(turn: Heard) -> list[Json]:
    """What its notices tell of compactions."""
    return [notice["compaction"] for notice in turn.all("notice") if "compaction" in notice]


async def test_the_cli_compacts_by_itself_and_each_message_has_its_turn_all_the_same(
    stage: Stage, workspace: Path
) -> None:
    # The older one knows the variable only; both heed it.
    window: Json = {"env": {"CLAUDE_CODE_AUTO_COMPACT_WINDOW": str(WINDOW)}}
    if not stage.is_old:
        window = {"extra_args": ["--autocompact", str(WINDOW)]}
    gate = f"summary-{stage.version}"
    async with stage.session(workspace, answer=allow(), **window) as talk:
        await talk.turn("SC:two")  # a conversation of one message is too short for it
        in_mid_turn = await talk.turn(f"SC:loop 1 tokens={NEARLY_FULL}")

        await talk.turn(f"SC:loop 0 tokens={NEARLY_FULL} side_gate={gate}")
        turns = [await talk.send(f"SC:{each}") for each in ("hello", "hello", "two")]
        await talk.wait("notice", turn_id=turns[0])
        assert await talk.call("interrupt") == {"interrupted": True}
        await talk.wait("notice", turn_id=turns[1])
        turns.insert(2, (await talk.call("send_message", message="SC:echo", when="now"))["turn_id"])
        await talk.wait("notice", turn_id=turns[2])
        stage.server.release(gate)
        interrupted, cut, steered, last = [await talk.heard(turn) for turn in turns]

    assert in_mid_turn.one("tool_call_output")["content"] == "round 1"
    for turn in (in_mid_turn, steered):
        started, completed = compactions(turn)
        assert started["status"] == "started"
        assert (completed["status"], completed["trigger"]) == ("completed", "auto")
        assert 0 < completed["post_tokens"] < NEARLY_FULL < completed["pre_tokens"]
        assert turn.completed["stop_reason"] == "end_turn"
    for turn in (interrupted, cut):
        assert [each["status"] for each in compactions(turn)] == ["started", "failed"]
        assert (turn.completed["stop_reason"], turn.text) == ("interrupted", "")
    assert "A summary of the conversation." in steered.text
    assert (last.text, compactions(last)) == ("Second answer.", [])
