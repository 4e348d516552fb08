"""An interrupt ends the real CLI's turn wherever that is, and keeps the session and its context."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from tests.support.bell import Bell
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Heard, Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

TOOL_GONE_S = 3.0
"""How long a tool may outlive its turn: the CLI ends one that ignores SIGTERM within 1.5 s."""


async def _interrupted(talk: Talk, turn: str) -> Heard:
    """Interrupt a running turn; it, once it has ended."""
    assert await talk.call("interrupt") == {"interrupted": True}
    heard = await talk.heard(turn)
    assert (heard.completed["stop_reason"], heard.completed["error"]) == ("interrupted", None)
    return heard


async def _goes_on(talk: Talk, first: str) -> None:
    """The session answers the next message, in the same process, and the model still sees the first prompt."""
    after = await talk.turn("SC:echo")
    assert after.text == f"history: 2 user messages; first: {first}"
    assert not [event for event in talk.events if "started again" in event["event"].get("message", "")]


async def test_in_mid_stream_it_keeps_the_text_so_far_and_the_context(stage: Stage) -> None:
    prompt = f"SC:gate interrupted {stage.version}"
    async with stage.conversation() as talk:
        turn = await talk.send(prompt)
        await talk.wait("text_delta", turn_id=turn)
        heard = await _interrupted(talk, turn)
        await _goes_on(talk, prompt)
    assert heard.text == "First half, "
    assert {"type": "text", "text": "First half, "} in [
        block for message in heard.all("message") for block in message["content"]
    ]


async def test_in_the_middle_of_a_thought_it_ends_the_turn(stage: Stage) -> None:
    prompt = f"SC:thinkgate interrupted {stage.version}"
    async with stage.conversation() as talk:
        turn = await talk.send(prompt)
        await talk.wait("thinking_delta", turn_id=turn)
        await _interrupted(talk, turn)
        await _goes_on(talk, prompt)


@pytest.mark.parametrize("prompt", ["SC:hang", "SC:hanghdr", "SC:hangmid"])
async def test_while_the_model_says_nothing_it_ends_the_turn(stage: Stage, prompt: str) -> None:
    async with stage.conversation() as talk:
        turn = await talk.send(prompt)
        await talk.wait_for_model(prompt.removeprefix("SC:"))
        await _interrupted(talk, turn)
        await _goes_on(talk, prompt)


async def test_while_the_cli_waits_for_its_next_try_it_ends_the_turn(stage: Stage) -> None:
    async with stage.conversation() as talk:
        turn = await talk.send("SC:error 429 retry_after=30")
        await talk.wait("notice", turn_id=turn)
        heard = await _interrupted(talk, turn)
        await _goes_on(talk, "SC:error 429 retry_after=30")
    assert "retry 1 of" in heard.notices[0]


async def test_while_a_tool_runs_it_ends_the_whole_tree_of_the_tool(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "bell") as bell, Bell(workspace / "never") as never:
        command = f"(trap '' INT; cat {never}) & (cat {never}) & echo $$ > {bell}; cat {never}"
        async with stage.conversation(allow()) as talk:
            turn = await talk.send(f"SC:bash {command}")
            (pid,) = await bell.heard()
            shell = psutil.Process(int(pid))
            tree = [shell, *shell.children(recursive=True)]
            heard = await _interrupted(talk, turn)
            _, alive = await anyio.to_thread.run_sync(lambda: psutil.wait_procs(tree, timeout=TOOL_GONE_S))
            assert alive == []
            await _goes_on(talk, f"SC:bash {command}")
    assert len(tree) >= 3
    assert heard.one("tool_call_output")["is_error"] is True


async def test_with_a_question_open_it_withdraws_the_question(stage: Stage) -> None:
    async with stage.conversation() as talk:
        turn = await talk.send("SC:bash touch made")
        question = await talk.question()
        heard = await _interrupted(talk, turn)
        told = {"method": "cancel_request", "params": {"id": question["id"]}}
        await stage.daemon.wait_for(lambda message: message.items() >= told.items())
        await talk.decide(question, "allow")
        await _goes_on(talk, "SC:bash touch made")
    resolved = heard.one("permission_resolved")
    assert (resolved["outcome"], resolved["by"]) == ("cancelled", "interrupt")
    assert not (talk.folder / "made").exists(), "a late answer counts for nothing"


async def test_before_the_cli_has_begun_the_turn_it_still_ends_it(stage: Stage) -> None:
    async with stage.conversation() as talk:
        daemon = stage.daemon
        sent = await daemon.post("send_message", session_id=talk.id, message="SC:slow 200")
        asked = await daemon.post("interrupt", session_id=talk.id)
        turn = (await daemon.wait_response(sent))["result"]["turn_id"]
        assert (await daemon.wait_response(asked))["result"] == {"interrupted": True}
        heard = await talk.heard(turn)
        after = await talk.turn("SC:two")
    assert heard.completed["stop_reason"] == "interrupted"
    assert after.text == "Second answer."


async def test_it_leaves_the_waiting_messages_to_their_own_turns(stage: Stage) -> None:
    prompt = f"SC:gate queued {stage.version}"
    async with stage.conversation() as talk:
        running = await talk.send(prompt)
        waiting = [await talk.send(text) for text in ("SC:two", "SC:echo")]
        await talk.wait("text_delta", turn_id=running)
        await _interrupted(talk, running)
        heard = [await talk.heard(turn) for turn in waiting]
    assert [each.text for each in heard] == ["Second answer.", f"history: 3 user messages; first: {prompt}"]


async def test_it_interrupts_nothing_where_no_turn_runs(stage: Stage) -> None:
    async with stage.conversation() as talk:
        assert await talk.call("interrupt") == {"interrupted": False}
        await talk.turn("SC:hello")
        assert await talk.call("interrupt") == {"interrupted": False}
        assert (await talk.turn("SC:two")).text == "Second answer."
