"""SPEC-2.11 and SPEC-4.5: a CLI that is silent, or does not yield, is ended; one that works or waits is not."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.mock_daemon import RecordedCli, kill, mock_daemon, wait_gone, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

MEANWHILE_S = 2.0
"""Longer than every silence that is set here: in this time a watchdog that should not fire would have."""


async def test_a_turn_whose_result_is_over_the_limit_ends_all_the_same(workspace: Path) -> None:
    flags = ("--max-cli-line", "1000000", "--silence-timeout", "1", "--interrupt-grace", "0.5")
    async with mock_daemon(*flags, scenario="huge_line") as daemon:
        session_id = await daemon.start_session(workspace)
        ended = await daemon.turn(session_id, "hello")
        assert (ended["stop_reason"], ended["error"]["kind"]) == ("error", "timeout")


async def test_a_cli_that_hangs_in_a_turn_is_timed_out_and_replaced(workspace: Path, tmp_path: Path) -> None:
    flags = ("--silence-timeout", "1", "--interrupt-grace", "0.3")
    cli = RecordedCli(tmp_path, "hang_mid_turn", "text_turn")
    async with mock_daemon(*flags, cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        ended = await daemon.turn(session_id, "hello")
        assert (ended["stop_reason"], ended["error"]["kind"]) == ("error", "timeout")
        assert "silence_timeout" in ended["error"]["hint"]
        assert "Let me just" in [message["content"][0]["text"] for message in messages(daemon)]
        assert (await daemon.turn(session_id, "again"))["result"] == "You said: again"
    assert cli.prompts() == [["hello"], ["again"]]


async def test_a_cli_that_is_stopped_in_a_turn_is_timed_out_too(workspace: Path, tmp_path: Path) -> None:
    flags = ("--silence-timeout", "1", "--interrupt-grace", "0.3")
    cli = RecordedCli(tmp_path, "ignore_interrupt", "text_turn")
    async with mock_daemon(*flags, cli=cli.path, env={"MOCK_CLAUDE_DELTA_MS": "50"}) as daemon:
        session_id = await daemon.start_session(workspace)
        sent = await daemon.request("send_message", session_id=session_id, message="hello")
        await daemon.wait_event("text_delta")
        pid = (await daemon.request("list_sessions"))["sessions"][0]["pid"]
        kill(pid, signal.SIGSTOP)
        ended = await daemon.wait_event("turn_completed", turn_id=sent["turn_id"])
        assert ended["event"]["error"]["kind"] == "timeout"
        assert (await daemon.turn(session_id, "again"))["result"] == "You said: again"


async def test_a_running_tool_may_be_silent_for_longer_than_the_model(tmp_path: Path) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "make"}, "output": "ok", "takes_ms": MEANWHILE_S * 1000}
    path = write_scenario(tmp_path, {"turn": [tool, {"text": "Done."}]})
    async with mock_daemon("--silence-timeout", "1", scenario=path) as daemon:
        session_id = await daemon.start_session(tmp_path)
        assert (await daemon.turn(session_id, "build"))["result"] == "Done."


async def test_a_tool_that_is_silent_for_too_long_is_named(tmp_path: Path) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "make"}, "output": "ok", "takes_ms": 30_000}
    path = write_scenario(tmp_path, {"turn": [tool, {"text": "Done."}]})
    async with mock_daemon("--tool-silence-timeout", "0.5", scenario=path) as daemon:
        session_id = await daemon.start_session(tmp_path)
        error = (await daemon.turn(session_id, "build"))["error"]
        assert error["kind"] == "timeout"
        assert "tool_silence_timeout" in error["hint"]
        assert "Bash" in error["hint"]


async def test_a_question_may_wait_for_longer_than_any_silence(workspace: Path) -> None:
    flags = ("--silence-timeout", "1", "--tool-silence-timeout", "1")
    async with mock_daemon(*flags, scenario="tool_allowed") as daemon:
        session_id = await daemon.start_session(workspace)
        sent = await daemon.request("send_message", session_id=session_id, message="run it")
        question = await daemon.wait_question()
        with pytest.raises(TimeoutError):
            await daemon.wait_event("turn_completed", within=MEANWHILE_S)
        await daemon.reply(question["id"], {"outcome": "allow"})
        ended = await daemon.wait_event("turn_completed", turn_id=sent["turn_id"])
        assert ended["event"]["result"] == "Command finished."


@pytest.mark.parametrize("scenario", ["ignore_interrupt", "ignore_signals"])
async def test_a_cli_that_does_not_yield_is_ended_and_the_session_goes_on(
    scenario: str, workspace: Path, tmp_path: Path
) -> None:
    cli = RecordedCli(tmp_path, scenario, "text_turn")
    async with mock_daemon("--interrupt-grace", "0.3", cli=cli.path, env={"MOCK_CLAUDE_DELTA_MS": "50"}) as daemon:
        session_id = await daemon.start_session(workspace)
        pid = (await daemon.request("list_sessions"))["sessions"][0]["pid"]
        sent = await daemon.request("send_message", session_id=session_id, message="talk")
        waiting = await daemon.request("send_message", session_id=session_id, message="waiting")
        await daemon.wait_event("text_delta")
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        ended = await daemon.wait_event("turn_completed", turn_id=sent["turn_id"])
        assert (ended["event"]["stop_reason"], ended["event"]["error"]) == ("interrupted", None)
        await wait_gone(pid)
        ended = await daemon.wait_event("turn_completed", turn_id=waiting["turn_id"])
        assert ended["event"]["result"] == "You said: waiting"
    first, second = cli.arguments()
    assert second[second.index("--resume") + 1] == first[first.index("--session-id") + 1]
    assert cli.prompts() == [["talk"], ["waiting"]]


def messages(daemon: Daemon) -> list[Json]:
    return [params["event"] for params in daemon.events() if params["event"]["type"] == "message"]
