"""SPEC-4.6: a message that reaches the turn that runs, and every race that it can be in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import RecordedCli, kill, mock_daemon, mocked, session_of, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

TICK_MS = 100
"""Between the deltas of a 'slow' answer, which then takes some six seconds: nothing here waits for its end."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str) -> AsyncIterator[Daemon]:
    """One daemon; each test has its session."""
    async with mock_daemon() as daemon:
        await daemon.request("list_providers")
        yield daemon


async def send(daemon: Daemon, session_id: str, message: str, **more: Any) -> Json:
    """Send a message; what it is answered with."""
    return await daemon.request("send_message", session_id=session_id, message=message, **more)  # type: ignore[no-any-return]


async def slow_turn(daemon: Daemon, session_id: str) -> str:
    """Begin a turn that lasts; its id, once the model has said something."""
    turn_id = (await send(daemon, session_id, "slow"))["turn_id"]
    await daemon.wait_event("text_delta", turn_id=turn_id)
    return turn_id  # type: ignore[no-any-return]


async def end_of(daemon: Daemon, turn_id: str) -> Json:
    """Wait for a turn's end; its `turn_completed`."""
    return (await daemon.wait_event("turn_completed", turn_id=turn_id))["event"]  # type: ignore[no-any-return]


def is_end(message: Json) -> bool:
    """Whether a message is a `turn_completed`."""
    return message.get("method") == "event" and message["params"]["event"]["type"] == "turn_completed"


def begun(daemon: Daemon, session_id: str) -> list[str]:
    """The turns that have begun, in order."""
    return [each["turn_id"] for each in daemon.events(session_id) if each["event"]["type"] == "turn_started"]


async def question_of(daemon: Daemon, session_id: str) -> Json:
    """Wait for a session's permission request."""
    return await daemon.wait_for(
        lambda message: message.get("method") == "request_permission" and message["params"]["session_id"] == session_id
    )


def assert_taken_back(daemon: Daemon, question: Json, turn_id: str) -> None:
    """The parent was told that nobody waits for an answer any more, before it was told of the turn's end."""
    told = [message.get("params", {}) for message in daemon.messages]
    back = [message.get("method") == "cancel_request" for message in daemon.messages]
    (cancelled,) = [at for at, params in enumerate(told) if back[at] and params["id"] == question["id"]]
    (ended,) = [
        at for at, params in enumerate(told) if params.get("turn_id") == turn_id and is_end(daemon.messages[at])
    ]
    assert cancelled < ended


@pytest.mark.spec("4.6")
async def test_it_cuts_the_turn_that_runs_overtakes_what_waits_and_has_a_turn_of_its_own(
    daemon: Daemon, workspace: Path
) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        slow = await slow_turn(daemon, session_id)
        waiting = await send(daemon, session_id, "first")
        steered = await send(daemon, session_id, "second", when="now")
        assert (waiting["queued"], steered["queued"]) == (1, 1)
        cut = await end_of(daemon, slow)
        assert (cut["stop_reason"], cut["is_error"]) == ("interrupted", False)
        assert "second" in (await end_of(daemon, steered["turn_id"]))["result"]
        assert "first" in (await end_of(daemon, waiting["turn_id"]))["result"]
        assert begun(daemon, session_id) == [slow, steered["turn_id"], waiting["turn_id"]]


async def test_several_at_once_run_one_after_the_other(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        slow = await slow_turn(daemon, session_id)
        posts = [
            await daemon.post("send_message", session_id=session_id, message=f"slow no. {at}", when="now")
            for at in range(3)
        ]
        posts.append(await daemon.post("send_message", session_id=session_id, message="last", when="now"))
        turns = [(await daemon.wait_response(post))["result"]["turn_id"] for post in posts]
        assert "last" in (await end_of(daemon, turns[-1]))["result"]
        assert begun(daemon, session_id) == [slow, *turns]
        reasons = [(await end_of(daemon, turn))["stop_reason"] for turn in turns]
        assert reasons == ["interrupted", "interrupted", "interrupted", "end_turn"]


async def test_it_withdraws_the_question_that_the_turn_waits_for(
    daemon: Daemon, workspace: Path, tmp_path: Path
) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "make"}, "ask": True, "output": "made"}
    path = write_scenario(tmp_path, {"turn": [tool]}, {"forever": [{"turn": [{"text": "You said: ${prompt}"}]}]})
    async with session_of(daemon, workspace, path) as session_id:
        asking = (await send(daemon, session_id, "make it"))["turn_id"]
        question = await question_of(daemon, session_id)
        steered = (await send(daemon, session_id, "not so", when="now"))["turn_id"]
        assert (await end_of(daemon, asking))["stop_reason"] == "interrupted"
        assert (await end_of(daemon, steered))["result"] == "You said: not so"
        assert_taken_back(daemon, question, asking)


@pytest.mark.spec("7.5")
@pytest.mark.parametrize("end", ["kill", "stop"])
async def test_a_question_is_taken_back_before_its_turn_ends_however_that_comes(
    daemon: Daemon, workspace: Path, tmp_path: Path, end: str
) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "make"}, "ask": True, "output": "made"}
    config = mocked(write_scenario(tmp_path, {"turn": [tool]}))
    started = await daemon.request("start_session", config={"working_dir": str(workspace), **config})
    session_id = started["session_id"]
    turn_id = (await send(daemon, session_id, "make it"))["turn_id"]
    question = await question_of(daemon, session_id)
    if end == "kill":
        kill(started["pid"])
        await end_of(daemon, turn_id)
    await daemon.request("stop_session", session_id=session_id)
    assert_taken_back(daemon, question, turn_id)


async def test_in_an_idle_session_it_is_the_next_message(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "text_turn") as session_id:
        sent = await send(daemon, session_id, "hello", when="now")
        assert sent["queued"] == 0
        assert (await end_of(daemon, sent["turn_id"]))["result"] == "You said: hello"


async def test_it_is_sent_once_and_a_cli_that_dies_with_it_ends_both_turns(workspace: Path, tmp_path: Path) -> None:
    deaf: Json = {"turn": [{"text": "Let me think. "}, {"delay_ms": 60000}]}
    cli = RecordedCli(tmp_path, write_scenario(tmp_path, deaf, settings={"prompts_while_busy": "refuse"}), "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        turn = (await send(daemon, session_id, "think"))["turn_id"]
        await daemon.wait_event("text_delta", turn_id=turn)
        steered = (await send(daemon, session_id, "faster", when="now"))["turn_id"]
        ends = [await end_of(daemon, each) for each in (turn, steered)]
        assert [each["error"]["kind"] for each in ends] == ["process_exited", "process_exited"]
        assert (await daemon.turn(session_id, "again"))["result"] == "You said: again"
    assert cli.prompts() == [["think", "faster"], ["again"]]


async def test_interrupts_and_a_stop_that_meet_it_leave_one_end_for_each_turn(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "default", delta_ms=TICK_MS) as session_id:
        slow = await slow_turn(daemon, session_id)
        steer = await daemon.post("send_message", session_id=session_id, message="slow again", when="now")
        interrupt = await daemon.post("interrupt", session_id=session_id)
        assert (await daemon.wait_response(interrupt))["result"] == {"interrupted": True}
        second = (await daemon.wait_response(steer))["result"]["turn_id"]
        assert (await end_of(daemon, slow))["stop_reason"] == "interrupted"
        await daemon.post("send_message", session_id=session_id, message="slow a third time", when="now")
    assert (await end_of(daemon, second))["stop_reason"] in ("interrupted", "end_turn")


async def test_no_turn_in_hand_means_that_none_was_left(daemon: Daemon, workspace: Path) -> None:
    """The turn that is steered ends by itself at any moment: the message is never out of everybody's hand."""
    async with session_of(daemon, workspace, "text_turn", delta_ms=1) as session_id:
        for _ in range(40):
            quick = (await send(daemon, session_id, "quick"))["turn_id"]
            await daemon.wait_event("text_delta", turn_id=quick)
            steer = await daemon.post("send_message", session_id=session_id, message="quicker", when="now")
            interrupt = await daemon.post("interrupt", session_id=session_id)
            answer = await daemon.wait_response(interrupt)
            turns = {quick, (await daemon.wait_response(steer))["result"]["turn_id"]}
            if not answer["result"]["interrupted"]:
                before = daemon.messages[: daemon.messages.index(answer)]
                assert turns <= {each["params"]["turn_id"] for each in before if is_end(each)}
            for turn in turns:
                await end_of(daemon, turn)


async def test_a_cli_that_is_too_old_for_it_is_named_in_the_refusal(
    daemon: Daemon, workspace: Path, tmp_path: Path
) -> None:
    path = write_scenario(
        tmp_path, {"forever": [{"turn": [{"text": "You said: ${prompt}"}]}]}, settings={"version": "2.1.62"}
    )
    async with session_of(daemon, workspace, path) as session_id:
        with pytest.raises(RpcError) as raised:
            await send(daemon, session_id, "hello", when="now")
        assert raised.value.code == -32010
        assert "2.1.62" in str(raised.value)
        with pytest.raises(RpcError) as raised:
            await send(daemon, session_id, "hello", when="soon")
        assert raised.value.code == -32602


async def test_every_race_of_messages_and_a_kill_ends_each_turn_once(daemon: Daemon, workspace: Path) -> None:
    # The contract's check at the daemon's end counts the turns; here they only have to meet.
    for _ in range(4):
        started = await daemon.request(
            "start_session", config={"working_dir": str(workspace), **mocked("default", delta_ms=1)}
        )
        session_id = started["session_id"]
        posts = [
            await daemon.post("send_message", session_id=session_id, message="slow", when=when)
            for when in ("queue", "now", "queue", "now")
        ]
        turns = [(await daemon.wait_response(post))["result"]["turn_id"] for post in posts]
        await daemon.wait_event("turn_started", turn_id=turns[1])
        kill(started["pid"])
        for turn in turns[:2]:
            await end_of(daemon, turn)
        await daemon.request("stop_session", session_id=session_id)
        for turn in turns:
            await end_of(daemon, turn)
