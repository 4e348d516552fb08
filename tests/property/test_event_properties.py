"""Events on the wire and the record of a turn: nothing said is lost, doubled or moved, whatever the order."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING, Any, get_args

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from protocol import jsontext
from protocol.events import (
    AnyEvent,
    Event,
    EventParams,
    Message,
    TextDelta,
    ThinkingDelta,
    ToolCallOutput,
    ToolCallStarted,
    Usage,
    join_deltas,
)
from protocol.turnrecord import TurnRecord

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from hypothesis.strategies import SearchStrategy

decode = msgspec.json.Decoder(EventParams).decode
contents = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def instances(kind: Any) -> SearchStrategy[Any]:
    """Any value of a field's type, as msgspec describes the types of our events."""
    described = msgspec.inspect.type_info(kind)
    return _described(described)


def _described(kind: Any) -> SearchStrategy[Any]:
    name = type(kind).__name__
    simple: dict[str, SearchStrategy[Any]] = {
        "StrType": st.text(max_size=10),
        "IntType": st.integers(-(2**53), 2**53),
        "FloatType": st.floats(allow_nan=False, allow_infinity=False),
        "BoolType": st.booleans(),
        "NoneType": st.none(),
        "AnyType": contents,
    }
    if name in simple:
        return simple[name]
    if name == "LiteralType":
        return st.sampled_from(kind.values)
    if name == "ListType":
        return st.lists(_described(kind.item_type), max_size=3)
    if name == "UnionType":
        return st.one_of([_described(member) for member in kind.types])
    assert name == "StructType", name
    fields = {field.name: _described(field.type) for field in kind.fields if type(field.type).__name__ != "UnsetType"}
    return st.fixed_dictionaries(fields).map(lambda values: kind.cls(**values))


@given(st.sampled_from(get_args(AnyEvent)).flatmap(instances), st.integers(1, 2**40), st.none() | st.text(max_size=5))
def test_an_event_comes_back_from_the_wire_as_it_was(event: Any, seq: int, turn_id: str | None) -> None:
    sent = EventParams("session", seq, turn_id, event)
    assert decode(jsontext.dumps(sent)) == sent


agents = st.sampled_from([None, "a", "b"])
deltas = st.builds(TextDelta, text=st.text(max_size=4), parent_tool_call_id=agents) | st.builds(
    ThinkingDelta, text=st.text(max_size=4), parent_tool_call_id=agents
)


@given(st.lists(deltas | st.builds(Usage, input_tokens=st.integers(0, 3)), max_size=20))
def test_joining_deltas_keeps_every_text_and_every_order(events: list[Any]) -> None:
    joined = join_deltas(list(events))
    spread = [
        (type(event), getattr(event, "parent_tool_call_id", None), letter)
        for event in joined
        for letter in getattr(event, "text", "")
    ]
    before = [
        (type(event), event.parent_tool_call_id, letter) for event in events for letter in getattr(event, "text", "")
    ]
    assert spread == before
    assert [event for event in joined if isinstance(event, Usage)] == [e for e in events if isinstance(e, Usage)]
    kinds = [(type(event), getattr(event, "parent_tool_call_id", None)) for event in joined]
    assert all(first != second or first[0] is Usage for first, second in pairwise(kinds)), "could have been one"


def message(agent: str | None, text: str, thinking: str) -> Message:
    blocks = [{"type": "thinking", "thinking": thinking}, {"type": "text", "text": text}]
    return Message(role="assistant", content=blocks, parent_tool_call_id=agent)


@st.composite
def turns(draw: Callable[[SearchStrategy[Any]], Any]) -> list[Any]:
    """What a CLI may say in a turn: deltas with or without a message that repeats them, tools with or without an
    output, cut-off messages, all agents mixed."""
    said: dict[str | None, str] = {}
    steps: list[Any] = []
    running: list[str] = []
    for at in range(draw(st.integers(0, 25))):
        agent = draw(agents)
        step = draw(st.sampled_from(["delta", "think", "repeat", "new", "part", "cut", "start", "finish", "user"]))
        if step == "delta":
            text = draw(st.text("xyz", max_size=3))
            said[agent] = said.get(agent, "") + text
            steps.append(TextDelta(text=text, parent_tool_call_id=agent))
        elif step == "think":
            steps.append(ThinkingDelta(text="hm", parent_tool_call_id=agent))
        elif step == "repeat":
            steps.append(message(agent, said.pop(agent, "") + draw(st.sampled_from(["", "z"])), "hm"))
        elif step == "new":
            steps.append(message(agent, draw(st.text("xyz", max_size=4)), ""))
        elif step == "part":
            steps.append(message(agent, said.get(agent, "")[:1], ""))
        elif step == "cut":
            steps.append(agent)
        elif step == "start":
            running.append(f"t{at}")
            steps.append(ToolCallStarted(tool_call_id=f"t{at}", name="Bash", kind="execute", parent_tool_call_id=agent))
        elif step == "finish" and running:
            steps.append(ToolCallOutput(tool_call_id=running.pop(), is_error=False, content="ok"))
        elif step == "user":
            steps.append(Message(role="user", content=[{"type": "text", "text": "not the agent's"}]))
    return steps


def recorded(steps: list[Any]) -> list[Event]:
    record, out = TurnRecord(), list[Event]()
    for step in steps:
        if isinstance(step, Event):
            record.watch(step, out)
        else:
            record.cut_off(step, out)
    return out + record.close()


@given(turns())
def test_after_a_turn_the_deltas_of_every_agent_make_up_its_messages(steps: list[Any]) -> None:
    by_deltas: defaultdict[str | None, str] = defaultdict(str)
    by_messages: defaultdict[str | None, str] = defaultdict(str)
    for event in recorded(steps):
        if isinstance(event, TextDelta):
            by_deltas[event.parent_tool_call_id] += event.text
        elif isinstance(event, Message) and event.role == "assistant":
            text = "".join(block["text"] for block in event.content if block["type"] == "text")
            by_messages[event.parent_tool_call_id] += text
    assert {agent: text for agent, text in by_deltas.items() if text} == {
        agent: text for agent, text in by_messages.items() if text
    }


@given(turns())
def test_after_a_turn_every_tool_that_was_started_has_one_output(steps: list[Any]) -> None:
    out = recorded(steps)
    started = Counter(event.tool_call_id for event in out if isinstance(event, ToolCallStarted))
    assert started == Counter(event.tool_call_id for event in out if isinstance(event, ToolCallOutput))


@given(turns())
def test_the_record_only_adds_and_never_moves_or_drops(steps: list[Any]) -> None:
    given_events = [step for step in steps if isinstance(step, Event)]
    out: Iterable[Event] = iter(recorded(steps))
    assert all(any(event is other for other in out) for event in given_events)
