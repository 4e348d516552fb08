"""The ways in which the mock CLI goes wrong on purpose, each as a real process, and every shipped scenario."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from mock_clis.scenario import load, shipped
from tests.support.mock_claude import DEADLINE_SECONDS, EXECUTABLE, FLAGS, PROMPT, Json, Mock, running, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.anyio

# Long enough for a grandchild to be seen, short enough to end by itself should a test fail before it kills it.
GRANDCHILD_SECONDS = 15
# The time a hang has to prove that nothing comes; it is not waited for anything else.
SILENCE_SECONDS = 0.3


@pytest.mark.parametrize(("how", "code"), [(5, 5), ("SIGKILL", -9), ("SIGTERM", -15), ("SIGSEGV", -11)])
async def test_a_crash_ends_the_process_as_ordered(how: int | str, code: int, tmp_path: Path) -> None:
    steps: list[Json] = [{"turn": [{"text": "half a sent", "open": True}, {"crash": how, "stderr": "boom"}]}]
    async with running(steps, tmp_path=tmp_path) as mock:
        await mock.prompt()
        assert await mock.process.wait() == code
        await mock.said("boom")
        seen = [json.loads(line) for line in iter_lines(await rest(mock))]
        assert text_of(seen) == "half a sent"
        assert "assistant" not in [line["type"] for line in seen]


async def test_a_hang_reads_but_answers_nothing_and_outlives_its_input() -> None:
    async with running("hang_handshake") as mock:
        await mock.send({"type": "control_request", "request_id": 1, "request": {"subtype": "initialize"}})
        assert mock.process.stdin is not None
        await mock.process.stdin.aclose()
        with anyio.move_on_after(SILENCE_SECONDS) as silence:
            await mock.line()
        assert silence.cancelled_caught
        assert mock.process.returncode is None
        await mock.handles(signal.SIGINT)
        mock.process.send_signal(signal.SIGINT)
        assert await mock.process.wait() == 0


async def test_a_deaf_mock_leaves_its_input_unread_and_a_hang_ends_after_its_seconds(tmp_path: Path) -> None:
    steps: list[Json] = [{"hang": "deaf", "seconds": 0.5}, {"turn": [{"text": "awake"}]}]
    async with running(steps, tmp_path=tmp_path) as mock:
        assert mock.process.stdin is not None
        with anyio.move_on_after(SILENCE_SECONDS) as full:
            await mock.process.stdin.send(b" " * 4_000_000)
        assert full.cancelled_caught
    async with running(steps, tmp_path=tmp_path) as mock:
        assert (await mock.turn())[-1]["result"] == "awake"


async def test_ignored_signals_and_interrupts_leave_only_sigkill() -> None:
    async with running("ignore_signals") as mock:
        await mock.prompt()
        await mock.until("stream_event")
        await mock.send({"type": "control_request", "request_id": 1, "request": {"subtype": "interrupt"}})
        await mock.until("stream_event")
        for signum in (signal.SIGINT, signal.SIGTERM):
            mock.process.send_signal(signum)
        with anyio.move_on_after(SILENCE_SECONDS) as alive:
            await mock.process.wait()
        assert alive.cancelled_caught
        mock.process.kill()
        assert await mock.process.wait() == -signal.SIGKILL


async def test_garbage_comes_byte_for_byte_and_the_turn_goes_on(tmp_path: Path) -> None:
    noise = bytes([0xFF, 0xFE, 0, 0x80, 10])
    steps: list[Json] = [
        {"garbage": "not json\n"},
        {"garbage_base64": base64.b64encode(noise).decode()},
        {"turn": [{"text": "still here"}]},
    ]
    async with running(steps, tmp_path=tmp_path) as mock:
        assert await mock.line() == b"not json"
        assert await mock.line() == noise[:-1]
        assert (await mock.turn())[-1]["result"] == "still here"


async def test_a_huge_line_has_the_size_that_was_asked_for(tmp_path: Path) -> None:
    async with running([{"huge_line": 3_000_000}, {"turn": [{"huge_line": 100_000}]}], tmp_path=tmp_path) as mock:
        line = await mock.line()
        assert len(line) == 3_000_000
        assert json.loads(line)["subtype"] == "informational"
        assert len((await mock.turn())[-1]["result"]) == 100_000


async def test_a_flood_loses_nothing_and_hears_an_interrupt(tmp_path: Path) -> None:
    async with running([{"turn": [{"flood": {"deltas": 3000, "text": "äb"}}]}], tmp_path=tmp_path) as mock:
        lines = await mock.turn()
        assert text_of(lines) == lines[-1]["result"] == "äb" * 3000
    async with running([{"turn": [{"flood": {"deltas": 10_000_000, "text": "x"}}]}], tmp_path=tmp_path) as mock:
        await mock.prompt()
        await mock.until("stream_event")
        assert (await mock.control("interrupt"))["subtype"] == "success"
        assert (await mock.until("result"))[-1]["terminal_reason"] == "aborted_streaming"


async def test_a_flood_that_nobody_reads_ends_at_sigint_and_at_sigterm(tmp_path: Path) -> None:
    for signum, code in ((signal.SIGTERM, 143), (signal.SIGINT, 0)):
        async with running([{"turn": [{"flood": {"deltas": 10_000_000, "text": "x"}}]}], tmp_path=tmp_path) as mock:
            await mock.prompt()
            await mock.line()
            mock.process.send_signal(signum)
            assert await mock.process.wait() == code


async def test_a_character_is_split_between_two_writes() -> None:
    async with running("split_utf8") as mock:
        await mock.prompt()
        assert mock.process.stdout is not None
        chunks: list[bytes] = []
        while b'"result"' not in b"".join(chunks):
            chunks.append(await mock.process.stdout.receive())
        broken = [chunk for chunk in chunks if not decodes(chunk)]
        assert len(broken) == 2
        assert "Grüße, 世界 🌍" in b"".join(chunks).decode()


async def test_line_ends_can_be_missing_or_those_of_a_terminal() -> None:
    async with running("no_newline_at_end") as mock:
        await mock.prompt()
        assert await mock.process.wait() == 0
        output = await rest(mock)
        assert json.loads(output[output.rindex(b"\n") :])["type"] == "result"
    async with running("crlf") as mock:
        await mock.prompt()
        assert (await mock.line()).endswith(b"}\r")


async def test_stderr_is_flooded_without_disturbing_the_turn(tmp_path: Path) -> None:
    steps: list[Json] = [{"stderr": "first"}, {"stderr_flood": 300_000}, {"turn": [{"text": "ok"}]}]
    async with running(steps, tmp_path=tmp_path) as mock:
        assert (await mock.turn())[-1]["result"] == "ok"
        assert await mock.end() == 0
        assert mock.errors.startswith("first\n")
        assert len(mock.errors) == 300_000 + len("first\n")


async def test_standard_streams_can_be_closed_while_the_mock_lives_on(tmp_path: Path) -> None:
    async with running(
        [{"turn": [{"text": "bye"}]}, {"close_stdout": True}, {"stderr": "closed"}], tmp_path=tmp_path
    ) as mock:
        await mock.turn()
        await mock.said("closed")
        assert await mock.line() == b""
        assert mock.process.returncode is None
    async with running([{"close_stdin": True}, {"stderr": "closed"}, {"hang": True}], tmp_path=tmp_path) as mock:
        await mock.said("closed")
        with pytest.raises((anyio.BrokenResourceError, BrokenPipeError)):
            await mock.prompt("x" * 1_000_000)


def test_a_parent_that_reads_no_more_does_not_end_the_turn(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.json"
    scenario.write_text(json.dumps({"steps": [{"turn": [{"text": "unread " * 20_000}]}, {"stderr": "turn over"}]}))
    command = [sys.executable, str(EXECUTABLE), "--scenario", str(scenario), *FLAGS]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdout is not None
        process.stdout.close()
        process.stdout = None
        _, errors = process.communicate(PROMPT, timeout=DEADLINE_SECONDS)
    assert (process.returncode, errors) == (0, b"turn over\n")


@pytest.fixture
def mark() -> Iterator[str]:
    """A mark in the environment; whatever still carries it after the test is killed, and the test fails."""
    value = f"mark-{os.getpid()}-{os.urandom(4).hex()}"
    yield value
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("TEST_MARK") == value:
                process.kill()


async def started(mock: Mock) -> psutil.Process:
    """The grandchild, once the mock has told its process id."""
    await mock.said(" started\n")
    pid = int(mock.errors.split("grandchild ")[1].split()[0])
    return psutil.Process(pid)


async def test_a_grandchild_holds_stdout_open_after_the_mock_has_ended(tmp_path: Path, mark: str) -> None:
    options = {"hold_stdout": True, "setsid": True, "seconds": GRANDCHILD_SECONDS}
    async with running([{"grandchild": options}, {"exit": 4}], tmp_path=tmp_path, TEST_MARK=mark) as mock:
        assert await mock.process.wait() == 4
        grandchild = await started(mock)
        assert os.getsid(grandchild.pid) == grandchild.pid
        assert grandchild.environ()["TEST_MARK"] == mark
        with anyio.move_on_after(SILENCE_SECONDS) as still_open:
            await mock.line()
        assert still_open.cancelled_caught
        grandchild.kill()
        assert await mock.line() == b""


async def test_a_double_forked_grandchild_leaves_the_family_and_can_hide_its_mark(tmp_path: Path, mark: str) -> None:
    options = {"double_fork": True, "setsid": True, "ignore_signals": True, "scrub_environment": True}
    steps: list[Json] = [{"grandchild": {**options, "seconds": GRANDCHILD_SECONDS}}]
    async with running(steps, tmp_path=tmp_path, TEST_MARK=mark) as mock:
        grandchild = await started(mock)
        try:
            assert psutil.Process(mock.process.pid).children(recursive=True) == []
            assert "TEST_MARK" not in grandchild.environ()
            grandchild.terminate()
            assert grandchild.is_running()
            assert await mock.end() == 0
        finally:
            grandchild.kill()


async def test_a_grandchild_ends_after_its_seconds_or_with_the_mock_when_asked(tmp_path: Path, mark: str) -> None:
    async with running([{"grandchild": {"seconds": 0.2}}], tmp_path=tmp_path, TEST_MARK=mark) as mock:
        await mock.said(" started\n")
        await mock.end()
    steps: list[Json] = [{"grandchild": {"seconds": GRANDCHILD_SECONDS, "clean_up": True}}]
    async with running(steps, tmp_path=tmp_path, TEST_MARK=mark) as mock:
        grandchild = await started(mock)
        mock.process.send_signal(signal.SIGINT)
        assert await mock.process.wait() == 0
        gone, _ = await anyio.to_thread.run_sync(lambda: psutil.wait_procs([grandchild], timeout=5))
        # Where nobody reaps it, a killed process stays as a zombie.
        assert gone or grandchild.status() == psutil.STATUS_ZOMBIE


async def test_a_turn_can_start_by_itself_and_names_its_origin() -> None:
    async with running("background_turn") as mock:
        assert "origin" not in (await mock.turn())[-1]
        lines = await mock.until("result")
        assert lines[-1]["origin"] == {"kind": "task-notification"}
        assert [line for line in lines if line.get("subtype") == "task_notification"]


async def test_an_api_error_fails_the_turn_and_shows_in_the_exit_code() -> None:
    async with running("not_logged_in") as mock:
        assert "apiKeySource" not in (await mock.control("initialize"))["response"]["account"]
        result = (await mock.turn())[-1]
        assert (result["is_error"], result["subtype"], result["terminal_reason"]) == (True, "success", "api_error")
        assert await mock.end() == 1


async def test_the_host_is_asked_something_unknown_and_must_refuse() -> None:
    for subtype, ends_with in (("error", 0), ("success", 3)):
        async with running("unknown_control_request") as mock:
            await mock.prompt()
            question = (await mock.until("control_request"))[-1]
            response = {"subtype": subtype, "request_id": question["request_id"], "error": "unknown"}
            await mock.send({"type": "control_response", "response": response})
            if ends_with == 0:
                assert (await mock.until("result"))[-1]["result"] == "You refused politely."
                assert await mock.end() == 0
            else:
                assert await mock.process.wait() == ends_with


async def test_a_recording_is_played_with_the_ids_of_this_run() -> None:
    async with running("replay", "--session-id", "33333333-3333-4333-8333-333333333333") as mock:
        await mock.send({"type": "control_request", "request_id": "mine", "request": {"subtype": "initialize"}})
        assert (await mock.until("control_response"))[-1]["response"]["request_id"] == "mine"
        first = await mock.turn("whatever")
        assert first[-1]["result"] == text_of(first) == "Hello there, friend."
        assert {line["session_id"] for line in first} == {"33333333-3333-4333-8333-333333333333"}
        assert (await mock.turn())[-1]["result"] == "Second answer."
        assert await mock.end() == 0


@pytest.mark.parametrize("name", shipped())
def test_every_shipped_scenario_is_without_mistakes_and_described(name: str) -> None:
    scenario = load(name)
    assert scenario.steps
    described = json.loads((Path(scenario.folder) / f"{name}.json").read_text())["description"]
    assert described.endswith(".") or "try" in described


# What the first turn of each scenario that has one comes to: its last text, or its exit code.
OUTCOMES: dict[str, str | int] = {
    "text_turn": "You said: hello", "thinking": "The answer is 42.", "api_retry": "Third time lucky.",
    "garbage_lines": "Before. After.", "unknown_types": "The future is fine.", "stderr_flood": "Did you read all that?",
    "api_error": "API Error: 400 messages: bad thing", "double_fork": "Started.", "crash_before_handshake": 1,
    "crash_mid_turn": -9, "crash_after_result": 139, "grandchild_holds_stdout": 0,
}  # fmt: skip


@pytest.mark.parametrize("name", OUTCOMES)
async def test_a_shipped_scenario_comes_to_what_its_name_says(name: str, mark: str) -> None:
    outcome = OUTCOMES[name]
    async with running(name, TEST_MARK=mark) as mock:
        with suppress(anyio.BrokenResourceError):
            await mock.prompt()
        if isinstance(outcome, int):
            assert await mock.process.wait() == outcome
        else:
            assert (await mock.until("result"))[-1]["result"] == outcome


async def rest(mock: Mock) -> bytes:
    """Everything that is still to be read."""
    assert mock.process.stdout is not None
    with suppress(anyio.EndOfStream):
        while True:
            mock.tail += await mock.process.stdout.receive()
    return mock.tail


def iter_lines(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if line]


def decodes(chunk: bytes) -> bool:
    try:
        chunk.decode()
    except UnicodeDecodeError:
        return False
    return True
