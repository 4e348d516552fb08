"""Claude Code's questions and turns as the codec sees them go by: what is asked, what begins, what ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.events import Message, ToolCallInput, ToolCallProgress, ToolCallStarted
from protocol.permissions import Decision
from protocol.signals import PermissionAsked, ProcessExited, QuestionWithdrawn, TurnBegan, TurnEnded

BASH = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
STARTED = ToolCallStarted(tool_call_id="t1", name="Bash", kind="execute")
INIT = {"type": "system", "subtype": "init"}
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "ok"}


def hear(codec: ClaudeCodec, *lines: Any) -> list[Any]:
    return [item for line in lines for item in codec.receive(json.dumps(line).encode())]


def assistant(*blocks: Any, **members: Any) -> dict[str, Any]:
    return {"type": "assistant", "message": {"role": "assistant", "content": list(blocks)}, **members}


def asks(tool_use_id: str | None = "t1", **members: Any) -> dict[str, Any]:
    request = {"subtype": "can_use_tool", "tool_name": "Bash", "input": {"command": "ls"}, **members}
    if tool_use_id is not None:
        request["tool_use_id"] = tool_use_id
    return {"type": "control_request", "request_id": "r1", "request": request}


def test_a_question_comes_after_the_start_of_its_call_even_where_the_cli_tells_it_later() -> None:
    codec = ClaudeCodec()
    first, asked, *later = hear(codec, asks(), assistant(BASH))
    assert first == STARTED
    assert isinstance(asked, PermissionAsked)
    assert [type(item) for item in later] == [ToolCallInput, Message]


def test_a_question_of_a_subagent_starts_its_call_under_that_agent() -> None:
    task = {"type": "system", "subtype": "task_started", "task_id": "a1", "tool_use_id": "t0", "description": "work"}
    _, progress, started, _ = hear(ClaudeCodec(), task, asks(agent_id="a1"))
    assert progress == ToolCallProgress(tool_call_id="t0")
    assert started.parent_tool_call_id == "t0"
    for unknown in ("a2", 5, ["a1"]):
        assert hear(ClaudeCodec(), asks(agent_id=unknown))[0].parent_tool_call_id is None


def test_a_question_without_a_call_starts_none() -> None:
    (asked,) = hear(ClaudeCodec(), asks(None))
    assert asked.tool_call_id == "r1"


def test_a_question_that_is_taken_back_is_withdrawn_once() -> None:
    codec = ClaudeCodec()
    back = {"type": "control_cancel_request", "request_id": "r1"}
    assert hear(codec, back) == []
    hear(codec, asks())
    assert hear(codec, back, back) == [QuestionWithdrawn(request_id="r1")]
    assert codec.control.answer("r1", Decision("allow")) == b""


@pytest.mark.parametrize("request_", [{"subtype": "of_the_future"}, {"subtype": ["can_use_tool"]}, {}])
def test_a_question_nobody_knows_is_no_event_but_a_reply(request_: dict[str, Any]) -> None:
    codec = ClaudeCodec()
    line = {"type": "control_request", "request_id": "r1", "request": request_}
    assert hear(codec, line) == []
    assert b'"error"' in codec.control.take_replies()


def test_an_answer_to_a_request_of_ours_is_no_event() -> None:
    codec = ClaudeCodec()
    assert hear(codec, {"type": "control_response", "response": {"subtype": "success", "request_id": "x"}}) == []
    assert [answer.request_id for answer in codec.control.take_answers()] == ["x"]


def turns(items: list[Any]) -> list[Any]:
    edges = [item for item in items if isinstance(item, TurnBegan | TurnEnded)]
    return [edge.origin if isinstance(edge, TurnBegan) else "end" for edge in edges]


def test_a_message_is_one_line_that_can_be_told_from_others_and_waits_for_its_own_turn() -> None:
    line = ClaudeCodec().prompt("m1", [{"type": "text", "text": "a\nb"}])
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    value = json.loads(line)
    assert value["uuid"] == "m1"
    assert value["priority"] == "later"
    assert value["message"] == {"role": "user", "content": [{"type": "text", "text": "a\nb"}]}


def test_a_turn_goes_from_the_first_init_to_the_result() -> None:
    codec = ClaudeCodec()
    assert codec.turns.at_rest
    codec.prompt("m1", "hi")
    assert not codec.turns.at_rest
    assert turns(hear(codec, INIT, INIT)) == ["message"]
    assert not codec.turns.at_rest
    assert turns(hear(codec, DONE)) == ["end"]
    assert codec.turns.at_rest


def test_a_turn_without_a_message_is_the_agents_own() -> None:
    assert turns(hear(ClaudeCodec(), INIT, DONE)) == ["background", "end"]


def test_a_result_without_a_beginning_is_a_turn_all_the_same() -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hi")
    assert turns(hear(codec, DONE, DONE)) == ["message", "end", "background", "end"]


DELTA = {"type": "stream_event", "event": {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "x"}}}


@pytest.mark.parametrize("first", [DELTA, assistant({"type": "text", "text": "x"}), asks()])
def test_what_the_main_agent_does_begins_the_messages_turn_where_the_cli_announces_none(first: dict[str, Any]) -> None:
    codec = ClaudeCodec()
    assert turns(hear(codec, first)) == [], "no message is awaited"
    codec.prompt("m1", "hi")
    items = hear(codec, first, INIT, DONE)
    assert items[0] == TurnBegan(origin="message")
    assert turns(items) == ["message", "end"]


@pytest.mark.parametrize("first", [DELTA, assistant({"type": "text", "text": "x"})])
def test_what_an_agent_in_the_background_does_begins_no_turn(first: dict[str, Any]) -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hi")
    assert turns(hear(codec, {**first, "parent_tool_use_id": "t0"}, asks("t2", agent_id="a1"))) == []


def lifecycle(state: Any, id: str = "m1") -> dict[str, Any]:
    return {"type": "command_lifecycle", "command_uuid": id, "state": state}


@pytest.mark.parametrize(
    ("told", "origins"),
    [
        ([], ["message", "end"]),
        ([lifecycle("started")], ["message", "end"]),
        ([lifecycle("queued"), lifecycle("started")], ["message", "end"]),
        ([lifecycle("completed")], ["message", "end"]),
        ([lifecycle("queued")], ["background", "end"]),
        ([lifecycle("queued", "other")], ["message", "end"]),
    ],
)
def test_a_newer_cli_tells_whose_turn_begins(told: list[dict[str, Any]], origins: list[str]) -> None:
    codec = ClaudeCodec()
    codec.prompt("m1", "hi")
    assert turns(hear(codec, *told, INIT, DONE)) == origins
    if origins[0] == "background":
        assert turns(hear(codec, lifecycle("started"), INIT, DONE)) == ["message", "end"]


def test_a_tool_id_may_be_used_again_in_another_turn() -> None:
    items = hear(ClaudeCodec(), INIT, assistant(BASH), DONE, INIT, assistant(BASH), DONE)
    assert items.count(STARTED) == 2


def test_an_api_failure_ends_its_turn_in_its_own_words() -> None:
    failed = assistant({"type": "text", "text": "Please log in"}, error="authentication_failed")
    ended = hear(ClaudeCodec(), INIT, failed, {**DONE, "is_error": True, "result": "Please log in"})[-1]
    assert ended.stop_reason == "error"
    assert ended.error.kind == "not_authenticated"


@pytest.mark.parametrize(
    "damage", [{"usage": 5}, {"errors": 5}, {"modelUsage": [1]}, {"stop_reason": []}, {"origin": 5}]
)
def test_a_result_that_is_half_broken_still_ends_its_turn(damage: dict[str, Any]) -> None:
    codec = ClaudeCodec()
    assert turns(hear(codec, INIT, {**DONE, "is_error": True, **damage})) == ["background", "end"]
    assert codec.turns.at_rest


@pytest.mark.parametrize(
    ("exit_code", "signal", "how"),
    [(0, None, "exit code 0"), (None, "SIGKILL", "SIGKILL"), (None, None, "its output was closed")],
)
def test_an_end_is_told_in_words_also_where_nobody_knows_a_code(
    exit_code: int | None, signal: str | None, how: str
) -> None:
    assert ProcessExited(exit_code=exit_code, signal=signal, stderr_tail="").how == how
