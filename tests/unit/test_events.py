"""The events as they stand on the wire, and the joining of deltas for a parent that is behind."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from protocol import jsontext
from protocol.events import (
    AnyEvent,
    Event,
    EventParams,
    Message,
    Notice,
    PlanEntry,
    SessionStarted,
    SessionUpdated,
    TextDelta,
    ThinkingDelta,
    ToolCallProgress,
    TurnCompleted,
    TurnError,
    TurnUsage,
    Usage,
    join_deltas,
)

CONTRACT = """
    session_started session_updated turn_started text_delta thinking_delta message tool_call_started tool_call_input
    tool_call_progress tool_call_output plan permission_resolved rate_limit usage notice tasks raw turn_completed
    session_ended
""".split()


def test_the_contracts_events_are_all_there_and_no_others() -> None:
    assert [kind.__struct_config__.tag for kind in get_args(AnyEvent)] == CONTRACT


@pytest.mark.parametrize(
    ("event", "wire"),
    [
        (TextDelta(text="a"), {"type": "text_delta", "text": "a", "parent_tool_call_id": None}),
        (SessionUpdated(model="m"), {"type": "session_updated", "model": "m"}),
        (SessionUpdated(model=None), {"type": "session_updated", "model": None}),
        (ToolCallProgress(tool_call_id="t"), {"type": "tool_call_progress", "tool_call_id": "t"}),
        (
            ToolCallProgress(tool_call_id="t", elapsed_ms=5, content="x"),
            {"type": "tool_call_progress", "tool_call_id": "t", "elapsed_ms": 5, "content": "x"},
        ),
        (
            Usage(input_tokens=1),
            {
                "type": "usage",
                "input_tokens": 1,
                "output_tokens": 0,
                "cache_read_input_tokens": 0,
                "cache_creation_input_tokens": 0,
            },
        ),
        (
            TurnCompleted(stop_reason="error", is_error=True, error=TurnError(kind="timeout", message="m")),
            {
                "type": "turn_completed",
                "stop_reason": "error",
                "is_error": True,
                "result": None,
                "error": {"kind": "timeout", "message": "m"},
                "usage": None,
                "cost_usd": None,
                "duration_ms": None,
                "num_turns": None,
            },
        ),
    ],
)
def test_a_field_is_null_where_there_is_nothing_to_say_and_absent_only_where_the_contract_lets_it(
    event: Any, wire: dict[str, Any]
) -> None:
    params = jsontext.loads(jsontext.dumps(EventParams("s", 1, None, event)))
    assert params == {"session_id": "s", "seq": 1, "turn_id": None, "event": wire}


def test_a_new_session_tells_every_field_even_those_it_does_not_know() -> None:
    wire = jsontext.loads(jsontext.dumps(SessionStarted()))
    assert set(wire.values()) == {"session_started", None}
    assert len(wire) == 10


@pytest.mark.parametrize(
    "text",
    [
        b'{"session_id":"s","seq":1,"turn_id":null,"event":{"type":"unheard_of"}}',
        b'{"session_id":"s","seq":1,"turn_id":null,"event":{"type":"notice","level":"loud","message":"x"}}',
        b'{"session_id":"s","seq":1,"turn_id":null,"event":{"type":"text_delta"}}',
        b'{"session_id":"s","seq":"1","turn_id":null,"event":{"type":"raw","content":"x"}}',
    ],
)
def test_the_models_refuse_what_the_contract_does_not_know(text: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(text, type=EventParams)


def text(words: str, agent: str | None = None) -> TextDelta:
    return TextDelta(text=words, parent_tool_call_id=agent)


def thought(words: str, agent: str | None = None) -> ThinkingDelta:
    return ThinkingDelta(text=words, parent_tool_call_id=agent)


NOTICE = Notice(level="info", message="x")


@pytest.mark.parametrize(
    ("events", "joined"),
    [
        ([], []),
        ([text("a")], [text("a")]),
        ([text("a"), text("b"), text("c")], [text("abc")]),
        ([text("a"), thought("b"), thought("c"), text("d")], [text("a"), thought("bc"), text("d")]),
        ([text("a"), text("b", "t"), text("c", "t")], [text("a"), text("bc", "t")]),
        ([text("a"), NOTICE, text("b"), text("c"), NOTICE], [text("a"), NOTICE, text("bc"), NOTICE]),
        ([NOTICE, NOTICE], [NOTICE, NOTICE]),
    ],
)
def test_neighbouring_deltas_of_one_kind_and_agent_become_one(events: list[Event], joined: list[Event]) -> None:
    before = [jsontext.dumps(event) for event in events]
    assert join_deltas(events) == joined
    assert [jsontext.dumps(event) for event in events] == before, "what was given is left as it was"


def test_a_usage_adds_up_and_nothing_adds_nothing() -> None:
    total = TurnUsage(input_tokens=1, output_tokens=2)
    total.add(TurnUsage(input_tokens=10, cache_read_input_tokens=3, cache_creation_input_tokens=4))
    total.add(None)
    assert total == TurnUsage(
        input_tokens=11, output_tokens=2, cache_read_input_tokens=3, cache_creation_input_tokens=4
    )


def test_the_parts_of_events_have_the_contracts_defaults() -> None:
    assert PlanEntry(content="x") == PlanEntry(content="x", status="pending", priority="medium")
    assert Message(role="user", content=[]).parent_tool_call_id is None
