"""SPEC.md, section 6: the promises hold whatever the CLI does wrong. Each daemon is checked by `mock_daemon`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import RUN_VARIABLE, marked, mock_daemon, mocked, session_of, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

SCENARIOS: dict[str, tuple[str, str]] = {
    "api_error": ("error", "end_turn"),
    "api_retry": ("end_turn", "end_turn"),
    "background_turn": ("end_turn", "end_turn"),
    "crash_after_result": ("end_turn", "end_turn"),
    "crash_mid_turn": ("error", "error"),
    "crlf": ("end_turn", "end_turn"),
    "double_fork": ("end_turn", "end_turn"),
    "garbage_lines": ("end_turn", "end_turn"),
    "grandchild_holds_stdout": ("end_turn", "end_turn"),
    "huge_line": ("end_turn", "end_turn"),
    "no_newline_at_end": ("end_turn", "end_turn"),
    "parallel_tools": ("end_turn", "end_turn"),
    "split_utf8": ("end_turn", "end_turn"),
    "stderr_flood": ("end_turn", "end_turn"),
    "text_turn": ("end_turn", "end_turn"),
    "thinking": ("end_turn", "end_turn"),
    "tool_allowed": ("end_turn", "end_turn"),
    "two_permissions": ("end_turn", "end_turn"),
    "unknown_control_request": ("end_turn", "end_turn"),
    "unknown_types": ("end_turn", "end_turn"),
    "withdrawn_permission": ("end_turn", "end_turn"),
}
"""Scenarios, and how two turns of a session end with each."""

ENDS_AFTER_A_TURN = ("crash_after_result", "grandchild_holds_stdout", "no_newline_at_end")
"""Scenarios in which a message that comes at once would meet a CLI that is about to go."""


async def allow(params: Json) -> Json:
    return {"outcome": "allow"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str) -> AsyncIterator[Daemon]:
    """One daemon for the tests that need no settings of their own: each has its session."""
    async with mock_daemon() as daemon:
        await daemon.request("list_providers")
        daemon.answer = allow
        yield daemon


def said(daemon: Daemon, session_id: str, kind: str) -> list[Json]:
    """A session's events of one type, in order."""
    return [params["event"] for params in daemon.events(session_id) if params["event"]["type"] == kind]


async def test_every_session_goes_on_after_what_its_cli_does_wrong(daemon: Daemon, workspace: Path) -> None:
    found: dict[str, tuple[str, str]] = {}

    async def talk(scenario: str) -> None:
        session_id = await daemon.start_session(workspace, config=mocked(scenario))
        first = await daemon.turn(session_id, "first")
        if scenario in ENDS_AFTER_A_TURN:
            await daemon.wait_event("notice", session_id=session_id, level="warning")
        second = await daemon.turn(session_id, "second")
        found[scenario] = (first["stop_reason"], second["stop_reason"])
        await daemon.request("stop_session", session_id=session_id)

    async with anyio.create_task_group() as tasks:
        for scenario in SCENARIOS:
            tasks.start_soon(talk, scenario)
    assert found == SCENARIOS


async def test_lines_that_are_no_json_come_as_raw_and_whole(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "garbage_lines") as session_id:
        ended = await daemon.turn(session_id, "hello")
        raw = [event["content"] for event in said(daemon, session_id, "raw")]
        assert raw[:2] == ["[SandboxDebug] this is not JSON", '{"type":"assistant","message":{"content":[']
        assert [line for line in raw if line in ("[1,2,3]", '"text"', "null", "17")] == [
            "[1,2,3]",
            '"text"',
            "null",
            "17",
        ]
        assert ended["result"] == "Before. After."


async def test_what_the_cli_says_in_types_from_the_future_is_passed_on(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "unknown_types") as session_id:
        assert (await daemon.turn(session_id, "hello"))["result"].endswith("is fine.")
        raw = "\n".join(event["content"] for event in said(daemon, session_id, "raw"))
        for word in ("telepathy", "no_type", "hologram_delta"):
            assert word in raw, f"{word} was dropped"


async def test_a_line_over_the_limit_is_told_and_the_turn_goes_on(tmp_path: Path) -> None:
    turn: Json = {"turn": [{"text": "small "}, {"text": "talk"}]}
    long = write_scenario(tmp_path, {"huge_line": 300_000}, turn)
    async with mock_daemon("--max-cli-line", "100000", scenario=long) as daemon:
        session_id = await daemon.start_session(tmp_path)
        assert (await daemon.turn(session_id, "hello"))["result"] == "small talk"
        notice = (await daemon.wait_event("notice", level="error"))["event"]["message"]
        assert "300000 bytes" in notice
        assert "max_cli_line" in notice


async def test_a_long_line_under_the_limit_is_one_delta(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "huge_line") as session_id:
        turn_id = (await daemon.request("send_message", session_id=session_id, message="x"))["turn_id"]
        await daemon.wait_event("turn_completed", turn_id=turn_id)
        assert len(daemon.text(turn_id)) == 5_000_000


async def test_bytes_that_are_cut_inside_a_character_are_put_together(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "split_utf8") as session_id:
        assert (await daemon.turn(session_id, "hello"))["result"] == "Grüße, 世界 🌍"


async def test_a_turn_of_the_agents_own_has_its_own_id_and_origin(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "background_turn") as session_id:
        await daemon.turn(session_id, "start it")
        began = await daemon.wait_event("turn_started", session_id=session_id, origin="background")
        ended = await daemon.wait_event("turn_completed", turn_id=began["turn_id"])
        assert ended["event"]["result"] == "The background command is done."
        assert (await daemon.turn(session_id, "and now"))["result"] == "You said: and now"
        assert [event["origin"] for event in said(daemon, session_id, "turn_started")] == [
            "message",
            "background",
            "message",
        ]


async def test_a_message_that_waits_for_a_background_turn_runs_after_it(daemon: Daemon, tmp_path: Path) -> None:
    background: Json = {"turn": [{"text": "By myself. "}, {"delay_ms": 300}], "prompt": None}
    background["origin"] = {"kind": "task-notification"}
    steps = [{"turn": [{"text": "First."}]}, background, {"forever": [{"turn": [{"text": "You said: ${prompt}"}]}]}]
    async with session_of(daemon, tmp_path, write_scenario(tmp_path, *steps)) as session_id:
        await daemon.turn(session_id, "one")
        await daemon.wait_event("turn_started", session_id=session_id, origin="background")
        sent = await daemon.request("send_message", session_id=session_id, message="two")
        assert sent["queued"] == 1
        ended = await daemon.wait_event("turn_completed", turn_id=sent["turn_id"])
        assert ended["event"]["result"] == "You said: two"


async def test_a_failure_of_the_models_server_is_told_with_its_status(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "api_error") as session_id:
        error = (await daemon.turn(session_id, "hello"))["error"]
        assert (error["kind"], error["api_status"]) == ("api_error", 400)
        assert "bad thing" in error["message"]


async def test_silent_retries_are_told_as_notices(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "api_retry") as session_id:
        assert (await daemon.turn(session_id, "hello"))["result"] == "Third time lucky."
        notices = said(daemon, session_id, "notice")
        assert len(notices) == 2
        assert all("529" in notice["message"] for notice in notices)


@pytest.mark.spec("5.10")
async def test_a_crash_tells_how_and_what_was_said_last(tmp_path: Path) -> None:
    crash: Json = {"turn": [{"text": "So", "open": True}, {"crash": 3, "stderr": "mock: out of cheese"}]}
    async with mock_daemon(scenario=write_scenario(tmp_path, {"stderr_flood": 1_000_000}, crash)) as daemon:
        session_id = await daemon.start_session(tmp_path)
        error = (await daemon.turn(session_id, "hello"))["error"]
        assert error["kind"] == "process_exited"
        assert "exit code 3" in error["message"]
        assert error["message"].endswith("mock: out of cheese")
        assert len(error["message"]) < 5000
        await daemon.request("stop_session", session_id=session_id)
        ended = await daemon.wait_event("session_ended")
        assert ended["event"]["stderr_tail"].endswith("mock: out of cheese")
        assert len(ended["event"]["stderr_tail"]) < 256 * 1024


STARTS: list[tuple[str, int, str, str]] = [
    ("crash_before_handshake", -32002, "told to die before its handshake", "60"),
    ("not_logged_in", -32009, "log in", "60"),
    ("hang_handshake", -32008, "handshake_timeout", "0.7"),
]
"""Scenarios in which no session can be started: the code, words that the error has somewhere, and the seconds that a
handshake may take: many where none is to be waited for, on a machine that may be busy."""


@pytest.mark.parametrize(("scenario", "code", "words", "limit"), STARTS)
async def test_a_session_that_cannot_start_leaves_an_error_and_nothing_else(
    workspace: Path, scenario: str, code: int, words: str, limit: str
) -> None:
    async with mock_daemon("--handshake-timeout", limit) as daemon:
        with pytest.raises(RpcError) as caught:
            await daemon.start_session(workspace, config=mocked(scenario))
        assert caught.value.code == code
        assert words in f"{caught.value.message} {caught.value.data}"
        assert caught.value.data["hint"]
        assert (await daemon.request("list_sessions"))["sessions"] == []
        assert daemon.events() == []


async def test_a_refused_resume_is_told_with_a_hint(workspace: Path) -> None:
    unknown = "11111111-2222-4333-8444-555555555555"
    async with mock_daemon(scenario="resume_refused") as daemon:
        with pytest.raises(RpcError) as caught:
            await daemon.start_session(workspace, config={"resume": unknown})
        assert caught.value.code == -32002
        assert unknown in caught.value.data["stderr_tail"]
        assert caught.value.data["hint"]


async def test_a_stopped_session_leaves_no_process_wherever_it_went(daemon: Daemon, workspace: Path) -> None:
    mark = str(uuid.uuid4())
    async with session_of(daemon, workspace, "double_fork", env={RUN_VARIABLE: mark}) as session_id:
        await daemon.turn(session_id, "go")
        assert "sleep" in [process.name() for process in marked(mark)]
    assert marked(mark) == []
