"""What a parent was promised of its sessions' events (SPEC.md), checked over everything the daemon said. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]


def broken_promises(
    events: Sequence[Json], turns: Iterable[str], *, reasons: Iterable[str], cut: str | None, how: Iterable[str]
) -> list[str]:
    """What of the promises does not hold for one session; empty if all do.

    Args:
        events: the params of its events, in their order.
        turns: the turns of all accepted messages.
        reasons: the reasons of `session_ended` that will do.
        cut: the turn that was running at the fault.
        how: the stop reasons that will do for it.
    """
    broken = []
    types = [each["event"]["type"] for each in events]
    if [each["seq"] for each in events] != list(range(1, len(events) + 1)):
        broken.append("seq has a gap")
    if types[:1] != ["session_started"] or types.count("session_started") != 1:
        broken.append(f"session_started: {types.count('session_started')}, first: {types[:1]}")
    if types[-1:] != ["session_ended"] or types.count("session_ended") != 1:
        broken.append(f"session_ended: {types.count('session_ended')}, last: {types[-1:]}")
    elif (reason := events[-1]["event"]["reason"]) not in set(reasons):
        broken.append(f"session_ended {reason}")
    broken += _broken_turns(events, turns, cut, set(how))
    return broken + _open_tool_calls(events)


def _broken_turns(events: Sequence[Json], turns: Iterable[str], cut: str | None, how: set[str]) -> list[str]:
    broken = []
    for turn in turns:
        own = [each["event"] for each in events if each["turn_id"] == turn]
        completed = [event for event in own if event["type"] == "turn_completed"]
        if len(completed) != 1 or own[-1] is not completed[0]:
            broken.append(f"turn_completed: {len(completed)} for a message")
        elif completed[0]["stop_reason"] not in (how if turn == cut else {"end_turn"}):
            broken.append(f"turn_completed {completed[0]['stop_reason']}, error {completed[0]['error']}")
    return broken


def _open_tool_calls(events: Sequence[Json]) -> list[str]:
    started = Counter(e["event"]["tool_call_id"] for e in events if e["event"]["type"] == "tool_call_started")
    put_out = Counter(e["event"]["tool_call_id"] for e in events if e["event"]["type"] == "tool_call_output")
    return [f"{put_out[call]} outputs of a tool call" for call in started if put_out[call] != 1]
