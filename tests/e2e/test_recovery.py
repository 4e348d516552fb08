"""What dies is cleaned up and brought back: the real CLI killed, the daemon ended, conversations resumed."""

from __future__ import annotations

import os
import signal
import uuid
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from tests.support.bell import Bell
from tests.support.daemon import RpcError
from tests.support.promises import check_promises
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

GONE_S = 3.0
"""From the end of a CLI to the end of all that it left behind; the sweep takes a tenth of that."""


def _transcript(stage: Stage, provider_session_id: str) -> str:
    found = list((stage.home / ".claude" / "projects").glob(f"*/{provider_session_id}.jsonl"))
    return found[0].read_text() if found else ""


async def _kill(talk: Talk) -> None:
    os.kill((await talk.entry())["pid"], signal.SIGKILL)


@pytest.mark.parametrize("transport", ["pipe", "pty"])
async def test_a_cli_killed_in_mid_stream_fails_its_turn_and_the_next_message_goes_on(
    stage: Stage, workspace: Path, transport: str
) -> None:
    async with stage.session(workspace, transport=transport) as talk:
        await talk.turn("SC:hello")
        turn = await talk.send(f"SC:gate killed {transport} {stage.version}")
        await talk.wait("text_delta", turn_id=turn)
        await _kill(talk)
        heard = await talk.heard(turn)
        after = await talk.turn("SC:echo")
        assert (await talk.entry())["pid"] != talk.started["pid"]
    error = heard.completed["error"]
    assert (heard.completed["stop_reason"], error["kind"]) == ("error", "process_exited")
    assert "SIGKILL" in error["message"]
    assert heard.text == "First half, "
    assert "first: SC:hello" in after.text
    assert "The CLI was started again; the conversation goes on." in [
        params["event"]["message"] for params in talk.events if params["event"]["type"] == "notice"
    ]


async def test_a_cli_killed_while_idle_is_started_again_by_the_next_message(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as talk:
        await talk.turn("SC:hello")
        await _kill(talk)
        await talk.wait("notice", level="warning")
        entry = await talk.entry()
        assert (entry["pid"], entry["state"]) == (None, "idle")
        after = await talk.turn("SC:echo")
    assert after.text == "history: 2 user messages; first: SC:hello"


async def test_nothing_of_a_running_tool_outlives_a_killed_cli(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "bell") as bell, Bell(workspace / "never") as never:
        async with stage.session(workspace, answer=allow()) as talk:
            await talk.turn("SC:hello")
            turn = await talk.send(f"SC:bash (setsid cat {never} &); echo on > {bell}; cat {never}")
            await bell.heard()
            running = stage.running()
            await _kill(talk)
            heard = await talk.heard(turn)
            _, alive = await anyio.to_thread.run_sync(lambda: psutil.wait_procs(running, timeout=GONE_S))
            assert alive == []
            after = await talk.turn("SC:echo")
    assert len(running) >= 3
    assert heard.one("tool_call_output")["is_error"] is True
    assert heard.completed["error"]["kind"] == "process_exited"
    assert "first: SC:hello" in after.text


async def test_the_daemons_end_in_mid_tool_leaves_nothing_but_a_conversation_that_goes_on(
    stage: Stage, workspace: Path
) -> None:
    how = "SIGTERM" if stage.is_old else "end of input"  # all ways with all CLIs: the fault matrix
    with Bell(workspace / "bell") as bell, Bell(workspace / "never") as never:
        prompt = f"SC:bash (setsid cat {never} &); echo on > {bell}; cat {never}"
        async with stage.run_daemon(ends=False) as daemon:
            daemon.answer = allow()
            id = await daemon.start_session(workspace)
            turn = (await daemon.request("send_message", session_id=id, message=prompt))["turn_id"]
            await bell.heard()
            assert len(stage.running()) >= 3
            if how == "end of input":
                await daemon.close_stdin()
            else:
                daemon.process.send_signal(signal.Signals[how])
            assert await daemon.wait_exit() == 0
            assert stage.running() == []
            events = daemon.events(id)
    check_promises(events)
    end = next(
        each["event"] for each in events if each["event"]["type"] == "turn_completed" and each["turn_id"] == turn
    )
    assert end["stop_reason"] == "interrupted"
    assert events[-1]["event"]["reason"] == "shutdown"
    conversation = events[0]["event"]["provider_session_id"]
    assert prompt in _transcript(stage, conversation)
    async with stage.session(workspace, resume=conversation) as talk:
        assert (await talk.turn("SC:echo")).text == f"history: 2 user messages; first: {prompt}"


async def test_a_stopped_session_is_resumed_by_either_of_its_ids(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as first:
        await first.turn("SC:hello")
    async with stage.session(workspace, resume=first.id) as second:
        assert (await second.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"
    async with stage.session(workspace, resume=first.provider_session_id) as third:
        assert (await third.turn("SC:echo")).text == "history: 3 user messages; first: SC:hello"
    assert first.provider_session_id == second.provider_session_id == third.provider_session_id
    assert second.started["provider_session_id"] == first.provider_session_id
    assert len({first.id, second.id, third.id}) == 3


async def test_a_fork_goes_on_by_itself_and_leaves_the_original_alone(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as original:
        await original.turn("SC:hello")
        assert "Hello there, friend." in _transcript(stage, original.provider_session_id), "its end was told too early"
        async with stage.session(workspace, resume=original.id, fork=True) as fork:
            assert (await fork.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"
            assert fork.provider_session_id != original.provider_session_id
        with pytest.raises(RpcError) as refusal:
            await stage.daemon.start_session(workspace, config={"resume": original.id})
        assert refusal.value.code == -32602
        assert (await original.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"


async def test_resuming_what_is_not_there_fails_with_the_clis_own_reason(stage: Stage, workspace: Path) -> None:
    unknown = str(uuid.uuid4())
    with pytest.raises(RpcError) as refusal:
        await stage.daemon.start_session(workspace, config={"resume": unknown})
    assert (refusal.value.code, refusal.value.data["kind"]) == (-32002, "spawn_failed")
    assert f"No conversation found with session ID: {unknown}" in refusal.value.message
    assert "working folder" in refusal.value.data["hint"]
