"""A line of Claude Code and what becomes of it. The `system` lines: `test_claude_system.py`; turns: `…_turns.py`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.events import (
    Message,
    Notice,
    Plan,
    PlanEntry,
    RateLimit,
    Raw,
    SessionUpdated,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
    Usage,
)
from protocol.signals import MessageBegan
from protocol.wire.claude import SILENT_SUBTYPES, SILENT_TYPES

BASH = {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}}
STARTED = ToolCallStarted(tool_call_id="t1", name="Bash", kind="execute")
INIT = {"type": "system", "subtype": "init"}
DONE = {"type": "result", "subtype": "success", "is_error": False, "result": "ok"}


def hear(codec: ClaudeCodec, *lines: Any) -> list[Any]:
    return [item for line in lines for item in codec.receive(json.dumps(line).encode())]


def stream(event: dict[str, Any], parent: str | None = None) -> dict[str, Any]:
    return {"type": "stream_event", "event": event, "parent_tool_use_id": parent, "session_id": "s", "uuid": "u"}


def delta(parent: str | None = None, **members: Any) -> dict[str, Any]:
    return stream({"type": "content_block_delta", "index": 0, "delta": members}, parent)


def assistant(*blocks: Any, parent: str | None = None, **members: Any) -> dict[str, Any]:
    return {
        "type": "assistant",
        "message": {"role": "assistant", "content": list(blocks)},
        "parent_tool_use_id": parent,
        **members,
    }


def user(content: Any, **members: Any) -> dict[str, Any]:
    return {"type": "user", "message": {"role": "user", "content": content}, **members}


def result_of(id: str, content: Any = "ok", **members: Any) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": id, "content": content, **members}


LINES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "text": (delta(type="text_delta", text="a\u2028"), [TextDelta(text="a\u2028")]),
    "text of a subagent": (delta("t9", type="text_delta", text="a"), [TextDelta(text="a", parent_tool_call_id="t9")]),
    "thinking": (delta(type="thinking_delta", thinking="a"), [ThinkingDelta(text="a")]),
    "half an emoji": (delta(type="text_delta", text="\ud83d"), [TextDelta(text="\ufffd")]),
    "thinking with half an emoji": (delta(type="thinking_delta", thinking="\ud83d"), [ThinkingDelta(text="\ufffd")]),
    "tool input": (delta(type="input_json_delta", partial_json="{"), []),
    "a signature": (delta(type="signature_delta", signature="x"), []),
    "a signature with half an emoji": (delta(type="signature_delta", signature="\ud83d"), []),
    "block start": (stream({"type": "content_block_start", "content_block": {"type": "text", "text": ""}}), []),
    "tool start": (stream({"type": "content_block_start", "content_block": {**BASH, "input": {}}}), [STARTED]),
    "block stop": (stream({"type": "content_block_stop", "index": 0}), []),
    "message start": (stream({"type": "message_start", "message": {"usage": {}}}), [MessageBegan()]),
    "message start of a subagent": (stream({"type": "message_start", "message": {}}, "t9"), []),
    "message stop": (stream({"type": "message_stop"}), []),
    "ping": (stream({"type": "ping"}), []),
    "usage": (stream({"type": "message_delta", "usage": {"output_tokens": 9}}), [Usage(output_tokens=9)]),
    "usage of a subagent": (stream({"type": "message_delta", "usage": {"output_tokens": 9}}, "t9"), []),
    "a text message": (
        assistant({"type": "text", "text": "hi"}),
        [Message(role="assistant", content=[{"type": "text", "text": "hi"}])],
    ),
    "a message that is a string": (
        {"type": "assistant", "message": {"content": "hi"}},
        [Message(role="assistant", content=[{"type": "text", "text": "hi"}])],
    ),
    "a block that is no object": (
        assistant("hi", 5),
        [Message(role="assistant", content=[{"type": "text", "text": "hi"}, {"type": "text", "text": "5"}])],
    ),
    "a tool call": (
        assistant(BASH, parent="t9"),
        [
            ToolCallStarted(tool_call_id="t1", name="Bash", kind="execute", parent_tool_call_id="t9"),
            ToolCallInput(tool_call_id="t1", input={"command": "ls"}),
            Message(role="assistant", content=[BASH], parent_tool_call_id="t9"),
        ],
    ),
    "a plan": (
        assistant({"type": "tool_use", "id": "t2", "name": "TodoWrite", "input": {"todos": [{"content": "a"}]}}),
        [
            ToolCallStarted(tool_call_id="t2", name="TodoWrite", kind="think"),
            ToolCallInput(tool_call_id="t2", input={"todos": [{"content": "a"}]}),
            Plan(entries=[PlanEntry(content="a")]),
            Message(
                role="assistant",
                content=[{"type": "tool_use", "id": "t2", "name": "TodoWrite", "input": {"todos": [{"content": "a"}]}}],
            ),
        ],
    ),
    "an API failure": (
        assistant({"type": "text", "text": "API Error: 500"}, error="server_error"),
        [Notice(level="error", message="API Error: 500")],
    ),
    "a tool's output": (
        user([result_of("t1", is_error=False)]),
        [ToolCallOutput(tool_call_id="t1", is_error=False, content="ok")],
    ),
    "a failed tool's output in blocks": (
        user([result_of("t1", [{"type": "text", "text": "no"}], is_error=True)]),
        [ToolCallOutput(tool_call_id="t1", is_error=True, content=[{"type": "text", "text": "no"}])],
    ),
    "an output of nothing": (
        user([{"type": "tool_result", "tool_use_id": "t1"}]),
        [ToolCallOutput(tool_call_id="t1", is_error=False, content="")],
    ),
    "an output beside a text": (
        user([result_of("t1"), {"type": "text", "text": "[Request interrupted by user]"}]),
        [
            ToolCallOutput(tool_call_id="t1", is_error=False, content="ok"),
            Message(role="user", content=[{"type": "text", "text": "[Request interrupted by user]"}]),
        ],
    ),
    "what the CLI says in the user's name": (
        user("summary", parent_tool_use_id="t9"),
        [Message(role="user", content=[{"type": "text", "text": "summary"}], parent_tool_call_id="t9")],
    ),
    "an echo": (user("Set model", isReplay=True), [Notice(level="info", message="Set model")]),
    "an empty user message": (user([]), []),
    "a rate limit": (
        {
            "type": "rate_limit_event",
            "rate_limit_info": {"status": "rejected", "resetsAt": 5, "rateLimitType": "five_hour"},
        },
        [RateLimit(status="rejected", limit_type="five_hour", resets_at=5)],
    ),
    "a rate limit that says little": (
        {"type": "rate_limit_event", "rate_limit_info": {"status": "allowed"}},
        [RateLimit(status="allowed")],
    ),
    "a heartbeat": (
        {
            "type": "tool_progress",
            "tool_use_id": "t1-heartbeat-0",
            "parent_tool_use_id": "t1",
            "elapsed_time_seconds": 30.5,
        },
        [ToolCallProgress(tool_call_id="t1", elapsed_ms=30_500)],
    ),
    "a heartbeat of its own": (
        {"type": "tool_progress", "tool_use_id": "t1", "parent_tool_use_id": None, "elapsed_time_seconds": 1},
        [ToolCallProgress(tool_call_id="t1", elapsed_ms=1000)],
    ),
    "a cleared conversation": (
        {"type": "conversation_reset", "new_conversation_id": "s2"},
        [
            SessionUpdated(provider_session_id="s2"),
            Notice(level="info", message="The conversation was cleared; a new one begins."),
        ],
    ),
}


@pytest.mark.parametrize(("line", "items"), LINES.values(), ids=LINES)
def test_a_line_becomes_these_events(line: dict[str, Any], items: list[Any]) -> None:
    assert hear(ClaudeCodec(), line) == items


@pytest.mark.parametrize("kind", sorted(SILENT_TYPES))
def test_a_line_without_news_becomes_nothing(kind: str) -> None:
    assert hear(ClaudeCodec(), {"type": kind}) == []


@pytest.mark.parametrize("subtype", sorted(SILENT_SUBTYPES))
def test_a_system_line_without_news_becomes_nothing(subtype: str) -> None:
    assert hear(ClaudeCodec(), {"type": "system", "subtype": subtype}) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        "not json",
        "null",
        "5",
        '"text"',
        "[1]",
        "{}",
        '{"type":null}',
        '{"type":["user"]}',
        '{"type":"of_the_future","x":1}',
        '{"type":"system"}',
        '{"type":"system","subtype":"of_the_future"}',
        '{"type":"stream_event"}',
        '{"type":"stream_event","event":{"type":"of_the_future"}}',
        '{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"text_delta","text":5}}}',
        '{"type":"stream_event","event":{"type":"content_block_delta","delta":{"type":"thinking_delta","thinking":5}}}',
        '{"type":"stream_event","event":{"type":"content_block_start"}}',
        '{"type":"assistant"}',
        '{"type":"assistant","message":{"content":null}}',
        '{"type":"user","message":{"content":7}}',
        '{"type":"user","message":{"content":[{"type":"tool_result"}]}}',
        '{"type":"user","message":{"content":[{"type":"tool_result","tool_use_id":5}]}}',
        '{"type":"control_request","request_id":"r"}',
        '{"type":"control_request","request_id":["r"],"request":{"subtype":"can_use_tool","tool_name":"x","input":{}}}',
        '{"type":"control_response"}',
        '{"type":"control_response","response":{"subtype":"success"}}',
        '{"type":"control_cancel_request"}',
        '{"type":"rate_limit_event","rate_limit_info":{"status":5}}',
        '{"type":"rate_limit_event","rate_limit_info":"x"}',
        '{"type":"tool_progress","tool_use_id":"t","elapsed_time_seconds":1e400}',
        '{"type":"tool_progress","tool_use_id":"t"}',
        '{"type":"conversation_reset"}',
        '{"type":"conversation_reset","new_conversation_id":5}',
        "\x1b[?25h",
    ],
)
def test_what_cannot_be_read_comes_out_whole_and_once(text: str) -> None:
    assert ClaudeCodec().receive(text.encode()) == [Raw(content=text)]


def test_what_can_be_read_of_a_broken_line_comes_out_before_the_line_itself() -> None:
    line = assistant(BASH, {"type": "tool_use", "id": "t2"})
    items = hear(ClaudeCodec(), line)
    assert items[:2] == [STARTED, ToolCallInput(tool_call_id="t1", input={"command": "ls"})]
    assert items[2:] == [Raw(content=json.dumps(line))]


def test_a_tool_call_starts_once_however_often_it_is_told() -> None:
    start = stream({"type": "content_block_start", "content_block": {**BASH, "input": {}}})
    items = hear(ClaudeCodec(), start, assistant(BASH), assistant(BASH))
    assert [item for item in items if isinstance(item, ToolCallStarted)] == [STARTED]


def test_a_calls_usage_is_put_together_from_its_beginning_and_its_end() -> None:
    codec = ClaudeCodec()
    begin = stream({"type": "message_start", "message": {"usage": {"input_tokens": 7, "output_tokens": 1}}})
    end = stream({"type": "message_delta", "usage": {"output_tokens": 9}})
    again = stream({"type": "message_start", "message": {}})
    used = [item for item in hear(codec, begin, end, again, end) if isinstance(item, Usage)]
    assert used == [Usage(input_tokens=7, output_tokens=9), Usage(output_tokens=9)]


def test_a_usage_tells_the_context_window_once_a_result_has() -> None:
    codec = ClaudeCodec()
    hear(codec, INIT, {**DONE, "modelUsage": {"m": {"contextWindow": 200_000}}})
    (used,) = hear(codec, stream({"type": "message_delta", "usage": {"output_tokens": 1}}))
    assert used == Usage(output_tokens=1, context_window=200_000)


def test_a_task_that_was_created_is_in_the_plan() -> None:
    call = {"type": "tool_use", "id": "t1", "name": "TaskCreate", "input": {"subject": "a"}}
    output = user([result_of("t1")], tool_use_result={"task": {"id": "1", "subject": "a"}})
    assert hear(ClaudeCodec(), assistant(call), output)[-1] == Plan(entries=[PlanEntry(content="a")])
