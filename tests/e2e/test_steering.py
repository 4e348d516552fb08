"""SPEC-4.6 with the real CLI: a message that reaches the turn that runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bell import Bell

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.spec("4.6")]


async def test_a_message_that_cannot_wait_cuts_what_is_said_and_waits_for_a_tool_that_runs(
    stage: Stage, workspace: Path
) -> None:
    with Bell(workspace / "going") as going, Bell(workspace / "go") as go:
        async with stage.conversation() as talk:
            speaking = await talk.send(f"SC:gate steered {stage.version}")
            await talk.wait("text_delta", turn_id=speaking)
            waiting = await talk.send("SC:two")
            steered = (await talk.call("send_message", message="SC:hello", when="now"))["turn_id"]
            heard = [await talk.heard(turn) for turn in (speaking, steered, waiting)]

            asking = await talk.send(f"SC:bash echo on > {going}; read x < {go}; echo made it")
            await talk.decide(await talk.question(), "allow")
            await going.heard()
            steered = (await talk.call("send_message", message="SC:echo", when="now"))["turn_id"]
            go.ring()
            ran, after = await talk.heard(asking), await talk.heard(steered)

            unanswered = await talk.send("SC:bash echo no > never")
            question = await talk.question(1)
            steered = (await talk.call("send_message", message="SC:two", when="now"))["turn_id"]
            withdrawn, last = await talk.heard(unanswered), await talk.heard(steered)
            cancelled = [message for message in talk.daemon.messages if message.get("method") == "cancel_request"]

    assert [each.text for each in heard] == ["First half, ", "Hello there, friend.", "Second answer."]
    assert [each.completed["stop_reason"] for each in heard] == ["interrupted", "end_turn", "end_turn"]
    assert ran.completed["stop_reason"] == "interrupted"
    assert (ran.one("tool_call_output")["content"], ran.one("tool_call_output")["is_error"]) == ("made it", False)
    assert after.text.startswith("history: ")
    assert withdrawn.completed["stop_reason"] == "interrupted"
    assert withdrawn.one("permission_resolved")["outcome"] == "cancelled"
    assert question["id"] in [message["params"]["id"] for message in cancelled]
    assert last.text == "Second answer."
    assert not (talk.folder / "never").exists()


async def test_two_that_cannot_wait_are_two_turns_and_an_interrupt_costs_none(stage: Stage) -> None:
    """The CLI would merge two of them into one, and one of the turns would have no end."""
    async with stage.conversation() as talk:
        turns = [await talk.send(f"SC:gate a {stage.version}")]
        await talk.wait("text_delta", turn_id=turns[0])
        messages = (f"SC:gate b {stage.version}", "SC:two")
        turns += [(await talk.call("send_message", message=text, when="now"))["turn_id"] for text in messages]
        heard = [await talk.heard(turn) for turn in turns]
        assert [each.text for each in heard][2] == "Second answer."
        assert [each.completed["stop_reason"] for each in heard] == ["interrupted", "interrupted", "end_turn"]

        # Neither of these two ends by itself: whichever runs is the one that the interrupt ends.
        first = await talk.send(f"SC:gate c {stage.version}")
        await talk.wait("text_delta", turn_id=first)
        post = await talk.daemon.post(
            "send_message", session_id=talk.id, message=f"SC:gate d {stage.version}", when="now"
        )
        assert await talk.call("interrupt") == {"interrupted": True}
        second = (await talk.daemon.wait_response(post))["result"]["turn_id"]
        stage.server.release(f"d {stage.version}")
        ends = [(await talk.heard(turn)).completed["stop_reason"] for turn in (first, second)]
        assert ends[0] == "interrupted"
        assert ends[1] in ("interrupted", "end_turn")
        assert (await talk.turn("SC:hello")).text == "Hello there, friend."
