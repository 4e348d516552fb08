"""The events of a turn on their way to each API: one answer for each turn, well-formed whatever happens. Pure."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from protocol.codecs.answer import Answer
from protocol.codecs.chat_api import ChatStream, completion_of
from protocol.codecs.messages_api import MessagesStream, message_of
from protocol.codecs.reply import Break, End, Piece, ReplyCodec, Text, Thinking, ToolUse, Whole
from protocol.codecs.responses_api import ResponsesStream, response_of
from protocol.events import (
    AnyEvent,
    EventParams,
    Message,
    RateLimit,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallStarted,
    TurnCompleted,
    TurnError,
    TurnUsage,
    Usage,
)
from protocol.httperrors import Failure
from tests.http.sse import read_events, read_message

if TYPE_CHECKING:
    from protocol.codecs.reply import Visibility

NOW = 1000.0
USED = TurnUsage(input_tokens=30, output_tokens=20, cache_read_input_tokens=5)
DONE = TurnCompleted(stop_reason="end_turn", usage=USED)

TOOL_TURN: list[AnyEvent] = [
    ThinkingDelta(text="hm"),
    TextDelta(text="I "),
    TextDelta(text="look."),
    Message(role="assistant", content=[]),
    ToolCallStarted(tool_call_id="t1", name="Bash", kind="execute"),
    ToolCallInput(tool_call_id="t1", input={"command": "ls"}),
    Usage(input_tokens=10, output_tokens=10),
    TextDelta(text="a subagent's", parent_tool_call_id="t1"),
    ToolCallStarted(tool_call_id="t2", name="Read", kind="read", parent_tool_call_id="t1"),
    ToolCallInput(tool_call_id="t2", input={}),
    ToolCallOutput(tool_call_id="t2", is_error=True, content="x"),
    ToolCallOutput(tool_call_id="t1", is_error=True, content="no"),
    TextDelta(text="Found."),
    Message(role="assistant", content=[]),
    Usage(input_tokens=20, output_tokens=10),
    DONE,
]
"""A turn with two messages of the model's, a tool that fails, and a subagent."""


def pieces_of(events: list[AnyEvent], codec: ReplyCodec) -> list[Piece]:
    return [piece for event in events for piece in codec.receive(EventParams("s", 1, "t", event), NOW)]


def stream(pieces: list[Piece]) -> Any:
    renderer = MessagesStream("msg_1", "sonnet", "req_1")
    return read_message(renderer.begin() + b"".join(renderer.feed(piece) for piece in pieces))


def whole(pieces: list[Piece]) -> Any:
    return message_of("msg_1", "sonnet", Answer().add_all(pieces))


@pytest.mark.parametrize(
    ("visibility", "types"),
    [
        ("hidden", ["text", "text"]),
        ("text", ["text", "text", "text", "text"]),
        ("blocks", ["text", "server_tool_use", "tool_result", "text"]),
    ],
)
def test_a_turn_of_several_messages_is_one_message_with_blocks_numbered_anew(
    visibility: Visibility, types: list[str]
) -> None:
    pieces = pieces_of(TOOL_TURN, ReplyCodec(visibility))
    message = stream(pieces)
    assert [block["type"] for block in message["content"]] == types
    assert message == whole(pieces), "the stream builds what the body is"
    assert message["stop_reason"] == "end_turn"
    assert (message["usage"]["input_tokens"], message["usage"]["output_tokens"]) == (30, 20)


def test_the_agents_tools_are_shown_as_text_where_that_is_chosen() -> None:
    texts = [block["text"] for block in stream(pieces_of(TOOL_TURN, ReplyCodec("text")))["content"]]
    assert texts == ["I look.", '[Bash {"command":"ls"}]', "[Bash failed]", "Found."]


def test_thinking_is_shown_to_those_who_asked_for_it() -> None:
    shown = stream(pieces_of(TOOL_TURN, ReplyCodec("hidden", shows_thinking=True)))["content"]
    assert shown[0] == {"type": "thinking", "thinking": "hm", "signature": ""}


def test_an_answer_without_any_text_has_one_empty_block() -> None:
    pieces = pieces_of([DONE], ReplyCodec("hidden"))
    assert stream(pieces)["content"] == [{"type": "text", "text": ""}] == whole(pieces)["content"]


@pytest.mark.parametrize(
    ("ours", "messages", "chat", "status"),
    [
        ("end_turn", "end_turn", "stop", "completed"),
        ("max_tokens", "max_tokens", "length", "incomplete"),
        ("max_turns", "pause_turn", "stop", "completed"),
        ("max_budget", "pause_turn", "stop", "completed"),
        ("refusal", "refusal", "content_filter", "incomplete"),
    ],
)
def test_each_end_of_a_turn_has_its_reason_in_each_api(ours: Any, messages: str, chat: str, status: str) -> None:
    pieces = pieces_of([TextDelta(text="a"), TurnCompleted(stop_reason=ours, usage=USED)], ReplyCodec("hidden"))
    answer = Answer().add_all(pieces)
    assert stream(pieces)["stop_reason"] == messages
    assert completion_of("c", "m", 1, answer)["choices"][0]["finish_reason"] == chat
    assert response_of("r", "m", 1, None, answer)["status"] == status


@pytest.mark.parametrize(
    ("error", "status", "type"),
    [
        (TurnError(kind="api_error", message="m", api_status=429), 429, "rate_limit_error"),
        (TurnError(kind="api_error", message="m", api_status=529), 529, "overloaded_error"),
        (TurnError(kind="api_error", message="m", api_status=401), 401, "authentication_error"),
        (TurnError(kind="api_error", message="m", api_status=404), 404, "not_found_error"),
        (TurnError(kind="api_error", message="m", api_status=500), 500, "api_error"),
        (TurnError(kind="not_authenticated", message="m"), 401, "authentication_error"),
        (TurnError(kind="timeout", message="m", hint="h"), 504, "timeout_error"),
        (TurnError(kind="process_exited", message="m"), 502, "api_error"),
        (TurnError(kind="brand_new", message="m"), 500, "api_error"),
    ],
)
def test_a_failed_turn_has_the_apis_own_status_and_is_never_to_be_repeated(
    error: TurnError, status: int, type: str
) -> None:
    events: list[AnyEvent] = [
        RateLimit(status="rejected", resets_at=NOW + 60),
        TurnCompleted(stop_reason="error", error=error),
    ]
    failure = pieces_of(events, ReplyCodec("hidden"))[-1]
    assert isinstance(failure, Failure)
    assert (failure.status, failure.type) == (status, type)
    assert failure.headers["x-should-retry"] == "false"
    assert failure.headers.get("retry-after") == ("60" if status == 429 else None)


def test_a_failure_in_the_middle_of_a_stream_is_its_last_event_in_each_api() -> None:
    failure = Failure(status=502, type="api_error", message="it died", kind="process_exited")
    pieces: list[Piece] = [Text("half"), failure]
    assert stream(pieces)["error"]["message"] == "it died"
    chat = ChatStream("c", "m", 1, include_usage=False)
    assert (
        read_events(chat.begin() + b"".join(chat.feed(piece) for piece in pieces))[-1][1]["error"]["message"]
        == "it died"
    )
    responses = ResponsesStream("r", "m", 1, None)
    name, last = read_events(responses.begin() + b"".join(responses.feed(piece) for piece in pieces))[-1]
    assert (name, last["response"]["status"]) == ("response.failed", "failed")
    (item,) = last["response"]["output"]
    assert (item["status"], item["content"][0]["text"]) == ("incomplete", "half")
    assert last["response"]["error"] == {"code": "server_error", "message": "it died"}
    limited = Failure(status=429, type="rate_limit_error", message="too much")
    (_, last), *_ = read_events(ResponsesStream("r", "m", 1, None).feed(limited))
    assert last["response"]["error"]["code"] == "rate_limit_exceeded"


def test_an_interrupted_turn_is_a_failure() -> None:
    (failure,) = pieces_of([TurnCompleted(stop_reason="interrupted")], ReplyCodec("hidden"))
    assert isinstance(failure, Failure)
    assert failure.kind == "interrupted"


def test_a_structured_answer_is_nothing_but_the_structure() -> None:
    done = TurnCompleted(stop_reason="end_turn", structured_output={"n": 1}, result="prose", usage=USED)
    codec = ReplyCodec("text", structured=True)
    assert whole(pieces_of([*TOOL_TURN[:-1], done], codec))["content"] == [{"type": "text", "text": '{"n":1}'}]
    missing = TurnCompleted(stop_reason="end_turn", result="prose", usage=USED)
    assert whole(pieces_of([missing], ReplyCodec("hidden", structured=True)))["content"][0]["text"] == "prose"


# The client's tools


def call(id: str, name: str = "mcp__parent__look", parent: str | None = None) -> list[AnyEvent]:
    return [
        ToolCallStarted(tool_call_id=id, name=name, kind="other", parent_tool_call_id=parent),
        ToolCallInput(tool_call_id=id, input={"at": id}),
    ]


def test_all_calls_of_one_message_are_put_to_the_client_together_and_once() -> None:
    codec = ReplyCodec("blocks", calls=["look"])
    assert pieces_of([TextDelta(text="a"), *call("t1"), *call("t2")], codec) == [Text("a")]
    assert not codec.message_ended
    pieces_of([Usage(input_tokens=7, output_tokens=3)], codec)
    assert codec.message_ended
    codec.call("t1", "look", {"at": "t1"})
    assert codec.new_calls == {"t1", "t2"}
    first, second, end = codec.suspend()
    assert (first, second) == (ToolUse("t1", "look", {"at": "t1"}), ToolUse("t2", "look", {"at": "t2"}))
    assert end == End("tool_use", TurnUsage(input_tokens=7, output_tokens=3))
    assert not codec.new_calls
    rest = pieces_of([ToolCallOutput(tool_call_id="t1", is_error=False, content="x"), TextDelta(text="b"), DONE], codec)
    assert rest[0] == Text("b")
    assert rest[-1] == End("end_turn", TurnUsage(input_tokens=23, output_tokens=17, cache_read_input_tokens=5))
    assert not codec.ran_tools, "what the client runs, it answers for itself"


def test_a_call_that_the_cli_refused_by_itself_is_not_put_to_the_client() -> None:
    codec = ReplyCodec("hidden", calls=["look"])
    pieces_of([*call("t1"), ToolCallOutput(tool_call_id="t1", is_error=True, content="bad input")], codec)
    assert not codec.new_calls


def test_a_tool_of_the_same_name_elsewhere_is_not_the_clients() -> None:
    codec = ReplyCodec("hidden", calls=["look"])
    pieces_of([*call("t1", "mcp__other__look"), *call("t2", "look"), *call("t3", parent="t0")], codec)
    assert not codec.new_calls
    codec.call("t3", "look", {})
    assert codec.new_calls == {"t3"}, "a subagent's call is put to the client when the CLI waits for it"


def test_a_call_ends_the_answer_in_each_apis_words() -> None:
    pieces: list[Piece] = [Text("a"), Break(), Text("b"), ToolUse("t1", "look", {"n": 1}), End("tool_use", USED)]
    message = stream(pieces)
    assert message == whole(pieces)
    assert message["content"][-1] == {"type": "tool_use", "id": "t1", "name": "look", "input": {"n": 1}}
    assert message["stop_reason"] == "tool_use"

    answer = Answer().add_all(pieces)
    choice = completion_of("c", "m", 1, answer)["choices"][0]
    wanted = {"id": "t1", "type": "function", "function": {"name": "look", "arguments": '{"n":1}'}}
    assert (choice["message"]["content"], choice["message"]["tool_calls"]) == ("a\n\nb", [wanted])
    assert choice["finish_reason"] == "tool_calls"
    renderer = ChatStream("c", "m", 1, include_usage=True)
    events = [data for _, data in read_events(renderer.begin() + b"".join(renderer.feed(piece) for piece in pieces))]
    assert events[-1] == "[DONE]"
    assert events[-2]["usage"]["total_tokens"] == 55
    deltas = [event["choices"][0] for event in events[:-2]]
    assert "".join(delta["delta"].get("content", "") for delta in deltas) == "a\n\nb"
    assert [delta["delta"]["tool_calls"] for delta in deltas if "tool_calls" in delta["delta"]] == [
        [{"index": 0, **wanted}]
    ]
    assert [delta["finish_reason"] for delta in deltas if delta["finish_reason"]] == ["tool_calls"]

    body = response_of("resp_1", "m", 1, None, answer)
    assert [item["type"] for item in body["output"]] == ["message", "function_call"]
    rendered = ResponsesStream("resp_1", "m", 1, None)
    told = read_events(rendered.begin() + b"".join(rendered.feed(piece) for piece in pieces))
    assert [data["sequence_number"] for _, data in told] == list(range(len(told)))
    assert told[-1][1]["response"] == body, "the last event is what the body is"


def test_whole_blocks_are_left_out_where_an_api_has_no_place_for_them() -> None:
    pieces: list[Piece] = [
        Text("a"),
        Whole({"type": "server_tool_use", "id": "t"}),
        Thinking("t"),
        Text("b"),
        End("end_turn", USED),
    ]
    answer = Answer().add_all(pieces)
    assert completion_of("c", "m", 1, answer)["choices"][0]["message"]["content"] == "a\n\nb"
    renderer = ChatStream("c", "m", 1, include_usage=False)
    events = [data for _, data in read_events(renderer.begin() + b"".join(renderer.feed(piece) for piece in pieces))]
    assert "".join(event["choices"][0]["delta"].get("content", "") for event in events[:-1]) == "a\n\nb"
    assert [block["type"] for block in answer.said.content] == ["text", "text"]


def test_an_answer_of_a_hundred_thousand_pieces_costs_what_its_length_does() -> None:
    codec, answer, renderer = ReplyCodec("hidden"), Answer(), MessagesStream("m", "s", "r")

    def spend(number: int) -> float:
        began = time.process_time()
        for _ in range(number):
            for piece in codec.receive(EventParams("s", 1, "t", TextDelta(text="word ")), NOW):
                answer.add(piece)
                renderer.feed(piece)
        assert answer.blocks
        return time.process_time() - began

    spend(1000)
    small, large = min(spend(2500) for _ in range(3)), spend(50_000)
    assert large < 20 * small * 4, f"{small:.3f} s for 2,500 pieces, {large:.3f} s for 50,000"
    assert json.dumps(answer.blocks)
