"""Recorded runs of the real CLI (2.1.197, and 2.1.329 under `newer-cli-…`) and the events that they must become.

Owns: the comparison, and what must hold of every recording whatever is expected of it. Refuses: to start anything.
After a change that is meant: `python -m tests.support.regenerate_golden`, and read the difference.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from itertools import count, repeat
from typing import TYPE_CHECKING, Any

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.events import (
    Message,
    Raw,
    SessionEnded,
    SessionStarted,
    TextDelta,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
    TurnCompleted,
    TurnStarted,
)
from protocol.framing import MAX_CLI_LINE, LineFramer
from protocol.signals import ProviderEvent
from tests.golden.replay import Replay, cli_lines, read, recordings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from protocol.events import EventParams

RECORDINGS = recordings()
KNOWN_RAW = {"stdin_ctl_no_request_id": 1}
"""The host sent a control request without an id there; the CLI's answer to it has none either."""

each_recording = pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)


def shown(path: Path) -> list[EventParams]:
    return Replay().run(read(path)).params


def by_turn(params: list[EventParams]) -> Iterator[list[EventParams]]:
    ids = list(dict.fromkeys(item.turn_id for item in params if item.turn_id is not None))
    yield from ([item for item in params if item.turn_id == id] for id in ids)


def said(params: Iterable[EventParams]) -> tuple[dict[str | None, str], dict[str | None, str]]:
    """What each agent said, by its deltas and by its messages."""
    deltas: defaultdict[str | None, str] = defaultdict(str)
    messages: defaultdict[str | None, str] = defaultdict(str)
    for item in params:
        event = item.event
        if isinstance(event, TextDelta):
            deltas[event.parent_tool_call_id] += event.text
        elif isinstance(event, Message) and event.role == "assistant":
            text = "".join(block["text"] for block in event.content if block["type"] == "text")
            messages[event.parent_tool_call_id] += text
    return {agent: text for agent, text in deltas.items() if text}, {a: text for a, text in messages.items() if text}


def test_both_versions_of_the_cli_are_recorded() -> None:
    newer = sum(path.stem.startswith("newer-cli-") for path in RECORDINGS)
    assert newer >= 20
    assert len(RECORDINGS) - newer >= 40


def test_every_expectation_has_its_recording() -> None:
    wanted = {path.with_suffix(".json") for path in RECORDINGS}
    assert set(RECORDINGS[0].parent.glob("*.json")) == wanted


@each_recording
def test_a_recorded_run_becomes_the_expected_events(path: Path) -> None:
    expected = path.with_suffix(".json").read_text("utf-8")
    assert Replay().run(read(path)).render().splitlines() == expected.splitlines()


@each_recording
def test_events_are_numbered_without_a_gap_and_the_session_frames_them(path: Path) -> None:
    params = shown(path)
    assert [item.seq for item in params] == list(range(1, len(params) + 1))
    kinds = [type(item.event) for item in params]
    assert kinds[0] is SessionStarted
    assert kinds[-1] is SessionEnded
    assert kinds.count(SessionStarted) == kinds.count(SessionEnded) == 1


@each_recording
def test_a_turn_begins_and_ends_once_and_nothing_of_it_stands_outside(path: Path) -> None:
    for turn in by_turn(shown(path)):
        kinds = [type(item.event) for item in turn]
        assert kinds[0] is TurnStarted
        assert kinds[-1] is TurnCompleted
        assert kinds.count(TurnStarted) == kinds.count(TurnCompleted) == 1
        assert [item.seq for item in turn] == list(range(turn[0].seq, turn[-1].seq + 1))
        last = turn[-1].event
        assert isinstance(last, TurnCompleted)
        assert last.is_error == (last.error is not None) == (last.stop_reason == "error")


@each_recording
def test_in_every_turn_an_agents_deltas_make_up_its_messages(path: Path) -> None:
    params = shown(path)
    for turn in by_turn(params):
        deltas, messages = said(turn)
        assert deltas == messages
    deltas, messages = said(item for item in params if item.turn_id is None)
    assert deltas == messages


@each_recording
def test_every_tool_call_gets_one_output_and_within_its_turn(path: Path) -> None:
    params = shown(path)
    started = Counter(item.event.tool_call_id for item in params if isinstance(item.event, ToolCallStarted))
    ended = Counter(item.event.tool_call_id for item in params if isinstance(item.event, ToolCallOutput))
    assert started == ended
    assert set(started.values()) <= {1}
    for turn in by_turn(params):
        opened = {item.event.tool_call_id for item in turn if isinstance(item.event, ToolCallStarted)}
        closed = {item.event.tool_call_id for item in turn if isinstance(item.event, ToolCallOutput)}
        assert opened == closed


@each_recording
def test_nothing_but_known_oddities_goes_out_uninterpreted(path: Path) -> None:
    raw = [item.event.content for item in shown(path) if isinstance(item.event, Raw)]
    assert len(raw) == KNOWN_RAW.get(path.stem, 0), raw


def translated(stream: bytes, sizes: Iterator[int]) -> list[ProviderEvent]:
    """What the codec makes of a stream that comes in chunks of these sizes."""
    framer, codec, out, at = LineFramer(MAX_CLI_LINE), ClaudeCodec(), list[ProviderEvent](), 0
    while at < len(stream):
        size = next(sizes)
        for frame in framer.feed(stream[at : at + size]):
            assert isinstance(frame, bytes)
            out += codec.receive(frame)
        at += size
    assert framer.eof() == []
    return out


@each_recording
def test_how_the_pipe_cuts_the_output_changes_no_event(path: Path) -> None:
    stream = b"".join(line + b"\n" for line in cli_lines(read(path)))
    whole = translated(stream, repeat(len(stream)))
    dice = random.Random(path.stem)
    assert translated(stream, repeat(1)) == whole
    assert translated(stream, (dice.choice((1, 3, 50, 4096)) for _ in count())) == whole


def of_subagent(entry: dict[str, Any], kind: str, block: str) -> bool:
    """Whether an entry is this block of a subagent's."""
    message = entry.get("msg", {})
    content = message.get("message", {}).get("content") if message.get("type") == kind else None
    return bool(message.get("parent_tool_use_id")) and isinstance(content, list) and content[0]["type"] == block


def outputs(entries: list[dict[str, Any]]) -> tuple[Counter[str], Counter[str], list[object]]:
    """How often each tool call of a run was started and ended, and what its progress said."""
    events = [item.event for item in Replay().run(entries).params]
    return (
        Counter(event.tool_call_id for event in events if isinstance(event, ToolCallStarted)),
        Counter(event.tool_call_id for event in events if isinstance(event, ToolCallOutput)),
        [event.content for event in events if isinstance(event, ToolCallProgress)],
    )


@pytest.mark.parametrize("name", ["subagent_background", "newer-cli-subagent_background"])
def test_a_background_agents_late_output_is_no_second_output_even_within_a_later_turn(name: str) -> None:
    """The CLI told it between two turns there; a message that was sent meanwhile would put a turn around it."""
    entries = read(RECORDINGS[0].with_name(f"{name}.jsonl"))
    inits = [entry for entry in entries if entry.get("msg", {}).get("subtype") == "init"]
    entries.remove(inits[1])
    late = next(at for at, entry in enumerate(entries) if of_subagent(entry, "user", "tool_result"))
    started, ended, progress = outputs([*entries[:late], inits[1], *entries[late:]])
    assert ended == started
    assert "sub" in progress


def test_a_call_that_began_between_two_turns_may_end_within_one() -> None:
    entries = read(RECORDINGS[0].with_name("subagent_background.jsonl"))
    (call,) = (entry for entry in entries if of_subagent(entry, "assistant", "tool_use"))
    (output,) = (entry for entry in entries if of_subagent(entry, "user", "tool_result"))
    entries.remove(call)
    entries.remove(output)
    first_end = next(at for at, entry in enumerate(entries) if entry.get("msg", {}).get("type") == "result")
    entries.insert(first_end + 1, call)
    second = [at for at, entry in enumerate(entries) if entry.get("msg", {}).get("subtype") == "init"][1]
    entries.insert(second + 1, output)
    started, ended, _ = outputs(entries)
    assert ended == started


def test_a_subagents_tool_call_names_its_agent_even_where_the_question_about_it_comes_first() -> None:
    params = shown(RECORDINGS[0].with_name("subagent_task.jsonl"))
    calls = [item.event for item in params if isinstance(item.event, ToolCallStarted)]
    assert [call.parent_tool_call_id for call in calls] == [None, calls[0].tool_call_id]
