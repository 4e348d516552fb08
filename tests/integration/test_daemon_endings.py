"""SPEC.md, section 10: every way to end the daemon is orderly; a parent may be a file or an `echo`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.support.daemon import ROOT, Daemon
from tests.support.mock_daemon import MOCK, kill, mock_daemon, mocked
from tests.support.raw_daemon import raw_daemon

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

pytestmark = pytest.mark.anyio

ONCE_S = 20.0
"""For a whole life of a daemon, on a busy machine."""

HURRIED_S = 7.0
"""Less than the eight and a half seconds that the stop ladder has in all for a CLI that ignores everything."""

REQUEST = b'{"jsonrpc":"2.0","id":1,"method":"initialize"}'


async def ask_for_shutdown(daemon: Daemon) -> None:
    assert await daemon.request("shutdown") == {}


async def send_signal(daemon: Daemon, number: signal.Signals) -> None:
    kill(daemon.process.pid, number)


ENDINGS: dict[str, Callable[[Daemon], Awaitable[None]]] = {
    "end of stdin": Daemon.close_stdin,
    "SIGTERM": lambda daemon: send_signal(daemon, signal.SIGTERM),
    "SIGINT": lambda daemon: send_signal(daemon, signal.SIGINT),
    "shutdown": ask_for_shutdown,
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.spec("2.16")
async def test_the_daemon_ends_with_code_0_whatever_its_sessions_are_at(ending: str, tmp_path: Path) -> None:
    async with mock_daemon("--shutdown-timeout", "1", ends=False) as daemon:
        idle = await daemon.start_session(tmp_path, config=mocked("text_turn"))
        streaming = await daemon.start_session(tmp_path, config=mocked("default", delta_ms=100))
        asking = await daemon.start_session(tmp_path, config=mocked("tool_allowed"))
        hanging = await daemon.start_session(tmp_path, config=mocked("hang_mid_turn"))
        waiting = [
            (await daemon.request("send_message", session_id=streaming, message="slow"))["turn_id"] for _ in range(3)
        ]
        for session_id in (asking, hanging):
            await daemon.request("send_message", session_id=session_id, message="run")
        await daemon.wait_event("text_delta", session_id=hanging)
        await daemon.wait_event("text_delta", turn_id=waiting[0])
        question = await daemon.wait_question()
        starting = await daemon.post("start_session", config={"working_dir": str(tmp_path), **mocked("hang_handshake")})
        await ENDINGS[ending](daemon)
        assert await daemon.wait_exit() == 0
        for session_id in (idle, streaming, asking, hanging):
            assert (await daemon.wait_event("session_ended", session_id=session_id))["event"]["reason"] == "shutdown"
        for turn_id in waiting:
            ended = await daemon.wait_event("turn_completed", turn_id=turn_id)
            assert ended["event"]["stop_reason"] == "interrupted"
        assert (await daemon.wait_response(starting))["error"]["data"]["kind"] == "interrupted"
        await daemon.wait_for(lambda message: message.get("params") == {"id": question["id"]})


@pytest.mark.parametrize("scenario", ["double_fork", "grandchild_holds_stdout"])
async def test_what_does_not_want_to_end_is_gone_with_the_daemon(scenario: str, workspace: Path) -> None:
    async with mock_daemon("--shutdown-timeout", "0.5", scenario=scenario) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=session_id, message="go")
        await daemon.wait_event("text_delta")


@pytest.mark.spec("10.6")
async def test_patience_at_the_end_is_bounded_by_its_setting(workspace: Path) -> None:
    async with mock_daemon("--shutdown-timeout", "0.5", scenario="ignore_signals", ends=False) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=session_id, message="go")
        await daemon.wait_event("text_delta")
        await daemon.close_stdin()
        assert await daemon.wait_exit(within=HURRIED_S) == 0


async def test_ends_that_come_together_are_one_end(workspace: Path) -> None:
    async with mock_daemon(scenario="text_turn", ends=False) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "hello")
        shutdown = await daemon.post("shutdown")
        stop = await daemon.post("stop_session", session_id=session_id)
        kill(daemon.process.pid, signal.SIGTERM)
        kill(daemon.process.pid, signal.SIGINT)
        await daemon.close_stdin()
        assert await daemon.wait_exit() == 0
        answered = [message["id"] for message in daemon.messages if "result" in message or "error" in message]
        # A signal may come before the requests are read: what was read is answered, and nothing twice.
        assert answered.count(shutdown) <= 1
        assert answered.count(stop) <= 1
        assert len([message for message in daemon.events() if message["event"]["type"] == "session_ended"]) == 1


async def test_requests_in_flight_are_answered_before_the_end() -> None:
    async with mock_daemon(ends=False) as daemon:
        ids = [await daemon.post("health_check") for _ in range(3)]
        await daemon.close_stdin()
        assert await daemon.wait_exit() == 0
        for id in ids:
            assert (await daemon.wait_response(id))["result"]["is_available"]


async def test_nothing_is_started_once_the_end_has_begun(workspace: Path) -> None:
    async with mock_daemon("--shutdown-timeout", "1", scenario="hang_mid_turn", ends=False) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=session_id, message="hang")
        await daemon.wait_event("text_delta")
        await daemon.request("shutdown")
        params = {"config": {"working_dir": str(workspace)}}
        # Outside of the check that every request is answered: the daemon may have stopped to read.
        late = {"jsonrpc": "2.0", "id": "late", "method": "start_session", "params": params}
        await daemon.send_raw(json.dumps(late).encode() + b"\n")
        assert await daemon.wait_exit() == 0
        assert [answer for answer in daemon.messages if answer.get("id") == "late" and "result" in answer] == []


@pytest.mark.spec("1.1")
async def test_an_echo_piped_into_the_daemon_gets_its_answer() -> None:
    line = json.loads((await run_once(stdin=REQUEST)).stdout)
    assert (line["id"], line["result"]["protocol_version"]) == (1, 1)


async def test_a_last_line_without_its_end_is_a_line(tmp_path: Path) -> None:
    health = b'{"jsonrpc":"2.0","id":2,"method":"health_check"}'
    lines = (await run_once(stdin=REQUEST + b"\n" + health)).stdout.splitlines()
    assert {json.loads(line)["id"] for line in lines} == {1, 2}


async def test_stdin_may_be_a_file_and_stdout_too(tmp_path: Path) -> None:
    start = {"jsonrpc": "2.0", "id": 1, "method": "start_session", "params": {"config": {"working_dir": "/nowhere"}}}
    (tmp_path / "in").write_bytes(json.dumps(start).encode() + b"\n" + REQUEST + b"\n")
    with (tmp_path / "in").open("rb") as stdin, (tmp_path / "out").open("wb") as stdout:
        await run_once(stdin=stdin, stdout=stdout)
    answers = [json.loads(line) for line in (tmp_path / "out").read_bytes().splitlines()]
    assert [answer.get("error", {}).get("code") for answer in answers] == [-32602, None]


async def test_an_empty_stdin_is_an_orderly_end() -> None:
    assert (await run_once(stdin=b"")).stdout == b""
    assert (await run_once(stdin=subprocess.DEVNULL)).stdout == b""


async def test_a_parent_that_reads_no_more_ends_the_daemon(workspace: Path) -> None:
    """The parent has died, but somebody else still holds the daemon's stdin."""
    async with raw_daemon(env={"MOCK_CLAUDE_DELTA_MS": "100"}) as daemon:
        await daemon.request(1, "start_session", config={"working_dir": str(workspace)})
        session_id = (await daemon.answer(1))["session_id"]
        await daemon.request(2, "send_message", session_id=session_id, message="slow")
        await daemon.answer(2)
        daemon.stop_reading()
        assert await daemon.wait_exit() == 0


@pytest.mark.spec("8.4")
async def test_nothing_but_messages_is_written_to_stdout_and_nothing_secret_to_stderr(workspace: Path) -> None:
    secret = "sk-very-secret-4711"
    env = {"ANTHROPIC_API_KEY": secret}
    async with mock_daemon("--log-level", "debug", scenario="text_turn", env=env) as daemon:
        session_id = await daemon.start_session(workspace, config={"env": {"TOKEN": secret}})
        await daemon.turn(session_id, f"my password is {secret}")
    assert daemon.stderr
    assert secret not in daemon.stderr


async def run_once(*, stdin: Any, stdout: Any = subprocess.PIPE) -> subprocess.CompletedProcess[bytes]:
    """Run the daemon from its start to its end by itself; its exit code must be 0 and its stderr empty."""
    command = [sys.executable, "-m", "adapter", "--claude-path", str(MOCK)]
    source: dict[str, Any] = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin}
    with anyio.fail_after(ONCE_S):
        done = await anyio.run_process(command, **source, stdout=stdout, cwd=ROOT)
    assert done.stderr == b""
    return done
