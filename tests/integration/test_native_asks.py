"""Tools that the parent runs, hooks, elicitations: put to the parent, answered in every way, and taken back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.mock_daemon import kill, mock_daemon, session_of, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

DEPTH = {"name": "depth", "description": "Tells the depth.", "input_schema": {"type": "object"}}
CONFIG: Json = {"tools": [DEPTH], "hooks": [{"hook_id": "guard", "event": "PreToolUse", "timeout": 0.2}]}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def shared(anyio_backend: str) -> AsyncIterator[Daemon]:
    """One daemon for all tests here."""
    async with mock_daemon() as daemon:
        await daemon.request("list_providers")
        yield daemon


@pytest.fixture
def daemon(shared: Daemon) -> Daemon:
    """The shared daemon, with nobody answering."""
    shared.answers, shared.answer = {}, None
    return shared


def always(answer: Any) -> Any:
    """Answers every request with this."""

    async def give(params: Json) -> Any:
        return answer

    return give


async def asked(daemon: Daemon, session_id: str, number: int = 0) -> Json:
    """Wait for the session's `call_tool` or `run_hook` of this number; the whole request."""

    def ours() -> list[Json]:
        return [each for each in daemon.asked if each["params"]["session_id"] == session_id]

    await daemon.wait_for(lambda _: len(ours()) > number)
    return ours()[number]


async def say(daemon: Daemon, session_id: str) -> tuple[str, str]:
    """Send a message; its turn's id and its text."""
    turn = (await daemon.request("send_message", session_id=session_id, message="go"))["turn_id"]
    await daemon.wait_event("turn_completed", turn_id=turn)
    return turn, daemon.text(turn)


def call_of(name: str, id: int, **arguments: Any) -> Json:
    """The mock's step that calls a tool and takes what it gave."""
    params = {"name": name, "arguments": arguments}
    message = {"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}
    return {"request": {"subtype": "mcp_message", "server_name": "parent", "message": message}}


@pytest.mark.spec("14.2", "15.1", "7.8")
async def test_a_tool_a_hook_and_an_elicitation_reach_the_parent_and_their_answers_the_cli(
    daemon: Daemon, workspace: Path
) -> None:
    daemon.answers = {
        "call_tool": always({"content": "Two fathoms."}),
        "run_hook": always({"decision": "ask", "reason": "Who knows?"}),
    }
    daemon.answer = always({"outcome": "deny"})
    async with session_of(daemon, workspace, "parent_tool", **CONFIG) as session_id:
        turn, told = await say(daemon, session_id)
        hook_turn, decided = await say(daemon, session_id)
        _, chosen = await say(daemon, session_id)
        call, hook = await asked(daemon, session_id), await asked(daemon, session_id, 1)
    assert told == "It said: Two fathoms. (false)"
    assert decided == "The hook said: ask (Who knows?)"
    assert chosen == "The user chose: decline"
    assert (call["method"], call["params"]) == (
        "call_tool",
        {
            "session_id": session_id,
            "turn_id": turn,
            "tool_call_id": "toolu_depth",
            "name": "depth",
            "input": {"n": 2},
        },
    )
    assert (hook["method"], hook["params"]) == (
        "run_hook",
        {
            "session_id": session_id,
            "turn_id": hook_turn,
            "tool_call_id": "toolu_ls",
            "hook_id": "guard",
            "event": "PreToolUse",
            "input": {"hook_event_name": "PreToolUse", "tool_name": "Bash", "tool_input": {"command": "ls"}},
        },
    )


@pytest.mark.spec("14.4", "15.5")
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"content": 3}, "content must be a string or a list of blocks"),
        ("x", "the answer must be an object"),
    ],
)
async def test_an_answer_of_another_form_is_an_error_that_the_agent_can_read_and_a_guard_denies(
    daemon: Daemon, workspace: Path, answer: Any, words: str
) -> None:
    daemon.answers = {"call_tool": always(answer), "run_hook": always(answer)}
    async with session_of(daemon, workspace, "parent_tool", **CONFIG) as session_id:
        _, told = await say(daemon, session_id)
        turn, decided = await say(daemon, session_id)
    assert words in told
    assert told.endswith("(true)")
    assert decided.startswith("The hook said: deny")
    notices = [each["event"]["message"] for each in daemon.events(turn_id=turn) if each["event"]["type"] == "notice"]
    assert any("counts as deny: the answer is not valid" in each for each in notices)


@pytest.mark.spec("14.4", "15.5")
async def test_an_error_for_an_answer_fails_the_tool_and_a_hook_without_an_answer_denies(
    daemon: Daemon, workspace: Path
) -> None:
    async with session_of(daemon, workspace, "parent_tool", **CONFIG) as session_id:
        turn = (await daemon.request("send_message", session_id=session_id, message="go"))["turn_id"]
        call = await asked(daemon, session_id)
        await daemon.send({"jsonrpc": "2.0", "id": call["id"], "error": {"code": 1, "message": "The lead is lost."}})
        await daemon.wait_event("turn_completed", turn_id=turn)
        hook_turn, decided = await say(daemon, session_id)
        hook = await asked(daemon, session_id, 1)
    assert "The lead is lost." in daemon.text(turn)
    assert decided == "The hook said: deny (The hook could not be asked, so this was denied.)"
    assert {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": hook["id"]}} in daemon.messages
    notices = [each["event"].get("message") for each in daemon.events(turn_id=hook_turn)]
    assert "Hook guard at PreToolUse counts as deny: no answer within 0.2 s." in notices


@pytest.mark.spec("14.5")
@pytest.mark.parametrize("end", ["interrupt", "notification", "death"])
async def test_a_call_is_taken_back_when_nobody_waits_for_it_any_more(
    daemon: Daemon, workspace: Path, tmp_path: Path, end: str
) -> None:
    step = call_of("depth", 7)
    cancelled = {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}}
    taking_back = {"type": "control_request", "request_id": "c", "request": {
        "subtype": "mcp_message", "server_name": "parent", "message": cancelled}}  # fmt: skip
    first = {"type": "control_request", "request_id": "b", "request": step["request"]}
    answered = {"type": "control_response", "response": {"request_id": "c", "subtype": "success"}}
    # The parent's answer to the question is the sign that the call has reached it.
    question = {"request": {"subtype": "elicitation", "message": "Still there?"}}
    quiet = [{"reply": first}, question, {"reply": taking_back}, {"expect": answered}]
    parts = quiet if end == "notification" else [step]
    scenario = write_scenario(tmp_path, {"turn": [*parts, {"text": "Over."}]}, {"turn": [{"text": "And on."}]})
    daemon.answer = always({"outcome": "deny"})
    async with session_of(daemon, workspace, scenario, **CONFIG) as session_id:
        turn = (await daemon.request("send_message", session_id=session_id, message="go"))["turn_id"]
        call = await asked(daemon, session_id)
        if end == "interrupt":
            await daemon.request("interrupt", session_id=session_id)
        elif end == "death":
            sessions = (await daemon.request("list_sessions"))["sessions"]
            kill(next(each["pid"] for each in sessions if each["session_id"] == session_id))
        completed = await daemon.wait_event("turn_completed", turn_id=turn)
        taken_back = {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": call["id"]}}
        await daemon.wait_for(lambda message: message == taken_back)
        # A late answer is ignored, and the session goes on.
        await daemon.reply(call["id"], {"content": "Too late."})
        daemon.answers = {"call_tool": always({"content": "In time."})}
        _, text = await say(daemon, session_id)
    stop_reasons = {"interrupt": "interrupted", "notification": "end_turn", "death": "error"}
    assert completed["event"]["stop_reason"] == stop_reasons[end]
    assert text == ("Over." if end == "death" else "And on.")


@pytest.mark.spec("14.6")
async def test_in_plan_mode_a_tool_that_may_change_something_is_not_run(daemon: Daemon, workspace: Path) -> None:
    daemon.answers = {"call_tool": always({"content": "Dredged."})}
    async with session_of(daemon, workspace, "parent_tool", runtime_mode="plan", **CONFIG) as session_id:
        _, told = await say(daemon, session_id)
        ran = [each for each in daemon.asked if each["params"]["session_id"] == session_id]
    assert "Plan mode" in told
    assert ran == []


async def test_what_is_asked_of_a_tool_or_a_hook_that_was_never_declared_is_refused_at_once(
    daemon: Daemon, workspace: Path, tmp_path: Path
) -> None:
    hook = {"subtype": "hook_callback", "callback_id": "parent:guard", "input": {}}
    scenario = write_scenario(
        tmp_path, {"turn": [{"request": hook}, {"request": call_of("depth", 1)["request"]}, {"text": "Refused."}]}
    )
    async with session_of(daemon, workspace, scenario) as session_id:
        _, text = await say(daemon, session_id)
        assert not [each for each in daemon.asked if each["params"]["session_id"] == session_id]
    assert text == "Refused."


@pytest.mark.spec("14.5")
async def test_the_end_of_the_parent_ends_a_turn_whose_tool_nobody_will_run(workspace: Path) -> None:
    async with mock_daemon(scenario="parent_tool") as daemon:
        session_id = await daemon.start_session(workspace, config=CONFIG)
        turn = (await daemon.request("send_message", session_id=session_id, message="go"))["turn_id"]
        call = await asked(daemon, session_id)
    assert {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": call["id"]}} in daemon.messages
    (last,) = [each["event"] for each in daemon.events(turn_id=turn) if each["event"]["type"] == "turn_completed"]
    assert last["stop_reason"] == "interrupted"
