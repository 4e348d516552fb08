"""A CLI that dies is started again where the conversation was, and no message reaches a CLI twice."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from tests.support.mock_daemon import RecordedCli, kill, mock_daemon, wait_gone, write_scenario

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

TICK = {"MOCK_CLAUDE_DELTA_MS": "100"}
"""Real time between deltas, so that 'slow' takes some six seconds."""


async def entry(daemon: Daemon, session_id: str) -> Json:
    """What the list tells of a session."""
    sessions = (await daemon.request("list_sessions"))["sessions"]
    return next(session for session in sessions if session["session_id"] == session_id)


async def kill_cli(daemon: Daemon, session_id: str) -> None:
    """Kill a session's CLI, and wait until the daemon has seen it."""
    pid = (await entry(daemon, session_id))["pid"]
    seen = len(daemon.messages)
    kill(pid)
    await daemon.wait_event("notice", session_id=session_id, level="warning", after=seen)
    await wait_gone(pid)


def resumed(argv: list[str]) -> str | None:
    return argv[argv.index("--resume") + 1] if "--resume" in argv else None


async def test_a_cli_that_dies_between_turns_is_resumed_with_the_next_message(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        theirs = (await entry(daemon, session_id))["provider_session_id"]
        assert (await daemon.turn(session_id, "one"))["result"] == "You said: one"
        for at in ("two", "three"):
            await kill_cli(daemon, session_id)
            assert ((await entry(daemon, session_id))["state"], (await entry(daemon, session_id))["pid"]) == (
                "idle",
                None,
            )
            assert (await daemon.turn(session_id, at))["result"] == f"You said: {at}"
        notices = [p["event"]["message"] for p in daemon.events() if p["event"]["type"] == "notice"]
        assert [("SIGKILL" in notice, "goes on" in notice) for notice in notices] == [(True, False), (False, True)] * 2
        assert (await entry(daemon, session_id))["turns"] == 3
    assert [resumed(argv) for argv in cli.arguments()] == [None, theirs, theirs]
    assert cli.prompts() == [["one"], ["two"], ["three"]]


@pytest.mark.spec("9.3")
async def test_a_cli_that_dies_before_the_first_message_has_nothing_to_resume(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        await kill_cli(daemon, session_id)
        assert (await daemon.turn(session_id, "one"))["result"] == "You said: one"
    assert [resumed(argv) for argv in cli.arguments()] == [None, None]


async def test_a_cli_that_is_killed_in_a_turn_ends_that_turn_only(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "default", "text_turn")
    async with mock_daemon(cli=cli.path, env=TICK) as daemon:
        session_id = await daemon.start_session(workspace)
        turns = [
            (await daemon.request("send_message", session_id=session_id, message=message))["turn_id"]
            for message in ("slow", "second", "third")
        ]
        await daemon.wait_event("text_delta", turn_id=turns[0])
        kill((await entry(daemon, session_id))["pid"])
        ends = [(await daemon.wait_event("turn_completed", turn_id=turn_id))["event"] for turn_id in turns]
        assert [end["stop_reason"] for end in ends] == ["error", "end_turn", "end_turn"]
        assert ends[0]["error"]["kind"] == "process_exited"
        assert "SIGKILL" in ends[0]["error"]["message"]
        said = daemon.text(turns[0])
        assert said, "what was said before the end is kept"
        assert (ends[1]["result"], ends[2]["result"]) == ("You said: second", "You said: third")
    assert cli.prompts() == [["slow"], ["second", "third"]]
    first, second = cli.arguments()
    assert resumed(second) == first[first.index("--session-id") + 1]


async def test_a_message_that_a_dying_cli_was_given_is_not_given_to_the_next(workspace: Path, tmp_path: Path) -> None:
    """It dies with the prompt read and nothing said of it: whether it was acted on, nobody can tell."""
    dying = write_scenario(tmp_path, {"expect": {"type": "user"}}, {"crash": "SIGKILL"})
    cli = RecordedCli(tmp_path, dying, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        ended = await daemon.turn(session_id, "once")
        assert (ended["stop_reason"], ended["error"]["kind"]) == ("error", "process_exited")
        assert (await daemon.turn(session_id, "next"))["result"] == "You said: next"
    assert cli.prompts() == [["once"], ["next"]]


async def test_what_was_changed_meanwhile_holds_for_the_next_process(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace, config={"model": "claude-a"})
        await daemon.turn(session_id, "one")
        await daemon.request("set_runtime_mode", session_id=session_id, runtime_mode="accept_edits")
        await kill_cli(daemon, session_id)
        await daemon.request("set_model", session_id=session_id, model="claude-b")
        await daemon.turn(session_id, "two")
        assert (await entry(daemon, session_id))["model"] == "claude-b"
    flags = [dict(pairwise(argv)) for argv in cli.arguments()]
    assert [(each["--model"], each["--permission-mode"]) for each in flags] == [
        ("claude-a", "default"),
        ("claude-b", "acceptEdits"),
    ]


@pytest.mark.parametrize(
    ("scenario", "kind"), [("resume_refused", "spawn_failed"), ("crash_before_handshake", "spawn_failed")]
)
async def test_a_conversation_that_cannot_be_resumed_ends_its_session(
    scenario: str, kind: str, workspace: Path, tmp_path: Path
) -> None:
    cli = RecordedCli(tmp_path, "text_turn", scenario)
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "precious")
        await kill_cli(daemon, session_id)
        posts = [await daemon.post("send_message", session_id=session_id, message="more") for _ in range(3)]
        turns = [(await daemon.wait_response(post))["result"]["turn_id"] for post in posts]
        ends = [(await daemon.wait_event("turn_completed", turn_id=turn_id))["event"] for turn_id in turns]
        assert [(end["stop_reason"], end["error"]["kind"]) for end in ends] == [("error", kind)] * 3
        assert (await daemon.wait_event("session_ended", session_id=session_id))["event"]["reason"] == "crashed"


@pytest.mark.spec("9.4")
async def test_a_cli_that_was_uninstalled_meanwhile_ends_its_session(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "one")
        await kill_cli(daemon, session_id)
        cli.path.unlink()
        ended = await daemon.turn(session_id, "two")
        assert (ended["stop_reason"], ended["error"]["kind"]) == ("error", "not_found")
        assert ended["error"]["hint"]
        await daemon.wait_event("session_ended", session_id=session_id, reason="crashed")


async def test_a_slow_restart_can_be_interrupted_and_the_session_lives(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn", "hang_handshake", "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "one")
        await kill_cli(daemon, session_id)
        sent = await daemon.request("send_message", session_id=session_id, message="two")
        with pytest.raises(TimeoutError):
            await daemon.wait_event("turn_completed", turn_id=sent["turn_id"], within=0.5)
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        ended = (await daemon.wait_event("turn_completed", turn_id=sent["turn_id"]))["event"]
        assert (ended["stop_reason"], ended["error"]) == ("interrupted", None)
        assert (await daemon.turn(session_id, "three"))["result"] == "You said: three"
    assert cli.prompts() == [["one"], [], ["three"]]


async def test_a_session_can_be_stopped_while_its_cli_is_started_again(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn", "hang_handshake")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        await daemon.turn(session_id, "one")
        await kill_cli(daemon, session_id)
        sent = await daemon.request("send_message", session_id=session_id, message="two")
        await daemon.request("stop_session", session_id=session_id)
        ended = (await daemon.wait_event("turn_completed", turn_id=sent["turn_id"]))["event"]
        assert ended["stop_reason"] == "interrupted"
        await daemon.wait_event("session_ended", session_id=session_id, reason="stopped")
