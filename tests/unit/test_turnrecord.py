"""What a turn's record adds where a CLI leaves something out."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.events import (
    Event,
    Message,
    Notice,
    TextDelta,
    ThinkingDelta,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
)
from protocol.turnrecord import NO_OUTPUT, ToolAfterlife, TurnRecord


def text(words: str, agent: str | None = None) -> TextDelta:
    return TextDelta(text=words, parent_tool_call_id=agent)


def thought(words: str, agent: str | None = None) -> ThinkingDelta:
    return ThinkingDelta(text=words, parent_tool_call_id=agent)


def message(*blocks: Any, agent: str | None = None, role: str = "assistant") -> Message:
    return Message(
        role=role,
        content=[{"type": "text", "text": block} if isinstance(block, str) else block for block in blocks],
        parent_tool_call_id=agent,
    )


def start(id: str, name: str = "Bash") -> ToolCallStarted:
    return ToolCallStarted(tool_call_id=id, name=name, kind="execute")


def output(id: str, content: str = "ok", *, is_error: bool = False) -> ToolCallOutput:
    return ToolCallOutput(tool_call_id=id, is_error=is_error, content=content)


THINKING = {"type": "thinking", "thinking": "hm", "signature": "s"}
TOOL = {"type": "tool_use", "id": "t", "name": "Bash", "input": {}}
CUT = object()
"""In the place of an event: the model begins a new message."""

CASES: dict[str, tuple[list[Any], list[Event]]] = {
    "deltas with their message": (
        [text("a"), text("b"), message("ab")],
        [text("a"), text("b"), message("ab")],
    ),
    "a message without deltas gets one": ([message("ab")], [text("ab"), message("ab")]),
    "a message with half its deltas gets the rest": (
        [text("a"), message("ab")],
        [text("a"), text("b"), message("ab")],
    ),
    "a message in two parts": (
        [text("abc"), message("a"), message("bc")],
        [text("abc"), message("a"), message("bc")],
    ),
    "a message that says something else": (
        [text("ab"), message("xy")],
        [text("ab"), message("ab"), text("xy"), message("xy")],
    ),
    "deltas cut off by the turn's end": ([text("ab")], [text("ab"), message("ab")]),
    "deltas cut off by the next message": (
        [text("ab"), CUT, text("c"), message("c")],
        [text("ab"), message("ab"), text("c"), message("c")],
    ),
    "a cut with nothing said": ([CUT, thought("hm"), CUT], [thought("hm")]),
    "thinking with its deltas": ([thought("h"), message(THINKING)], [thought("h"), message(THINKING)]),
    "thinking without deltas gets them": ([message(THINKING)], [thought("hm"), message(THINKING)]),
    "thinking and text, both without deltas": (
        [message(THINKING, "ab")],
        [thought("hm"), text("ab"), message(THINKING, "ab")],
    ),
    "several text blocks are one text": ([message("a", TOOL, "b")], [text("ab"), message("a", TOOL, "b")]),
    "a message without text": ([message(TOOL)], [message(TOOL)]),
    "blocks of an odd shape": (
        [message({"type": "text"}, {"type": "text", "text": 5}, {"type": "thinking", "thinking": None})],
        [message({"type": "text"}, {"type": "text", "text": 5}, {"type": "thinking", "thinking": None})],
    ),
    "what the user says is not the agent's": (
        [text("ab"), message("[interrupted]", role="user")],
        [text("ab"), message("[interrupted]", role="user"), message("ab")],
    ),
    "agents are kept apart": (
        [text("ab"), text("xy", "t"), message("xyz", agent="t"), message("ab")],
        [text("ab"), text("xy", "t"), text("z", "t"), message("xyz", agent="t"), message("ab")],
    ),
    "every agent's cut-off text is finished": (
        [text("ab"), text("xy", "t")],
        [text("ab"), text("xy", "t"), message("ab"), message("xy", agent="t")],
    ),
    "a tool with its output": ([start("1"), output("1")], [start("1"), output("1")]),
    "a tool without one": (
        [start("1"), start("2"), output("1")],
        [start("1"), start("2"), output("1"), output("2", NO_OUTPUT, is_error=True)],
    ),
    "other events go by": ([Notice(level="info", message="x")], [Notice(level="info", message="x")]),
}


@pytest.mark.parametrize(("steps", "expected"), CASES.values(), ids=CASES)
def test_a_turn_is_completed_by_what_is_missing_and_by_nothing_else(steps: list[Any], expected: list[Event]) -> None:
    record, out = TurnRecord(), list[Event]()
    for step in steps:
        if step is CUT:
            record.cut_off(None, out)
        else:
            record.watch(step, out)
    assert out + record.close() == expected
    assert record.close() == [], "closing twice adds nothing"


def test_a_message_with_a_block_that_is_no_object_goes_by() -> None:
    record, out = TurnRecord(), list[Event]()
    odd = Message(role="assistant", content=["text", None])
    record.watch(odd, out)
    assert out == [odd]


def test_the_open_tools_are_named_oldest_first() -> None:
    record, out = TurnRecord(), list[Event]()
    for event in (start("1", "Bash"), start("2", "Read"), start("3", "Grep"), output("2")):
        record.watch(event, out)
    assert list(record.open_tools.items()) == [("1", "Bash"), ("3", "Grep")]
    made_up = record.close("The CLI died.")
    assert made_up == [output(id, "The CLI died.", is_error=True) for id in ("1", "3")]
    assert record.open_tools == {}


def test_an_output_that_nobody_waits_for_goes_by() -> None:
    record, out = TurnRecord(), list[Event]()
    record.watch(output("unknown"), out)
    assert out + record.close() == [output("unknown")]


def test_a_late_output_is_progress_once_and_only_for_a_call_that_was_closed() -> None:
    afterlife = ToolAfterlife()
    afterlife.close(["1", "2"])
    assert afterlife.translate(output("1", "late")) == ToolCallProgress(
        tool_call_id="1", content="late", is_error=False
    )
    assert afterlife.translate(output("1", "again")) == output("1", "again")
    assert afterlife.translate(output("3")) == output("3")
    assert afterlife.translate(text("2")) == text("2")


def test_an_id_that_is_used_again_is_a_new_call_with_an_output_of_its_own() -> None:
    afterlife = ToolAfterlife()
    afterlife.close(["1"])
    assert afterlife.translate(start("1")) == start("1")
    assert afterlife.translate(output("1")) == output("1")
