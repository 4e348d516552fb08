"""What the contract (section 3) promises of the events of an ended session, whatever happened in it.

Owns the promises that can be read off the events alone: 1, 2, and the word on `message`. Tests may import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.daemon import Json


def check_promises(events: list[Json]) -> None:
    """Hold all the events (their params) of an ended session against the promises; none may be `raw`."""
    kinds = [params["event"]["type"] for params in events]
    assert [params["seq"] for params in events] == list(range(1, len(events) + 1))
    assert kinds[0] == "session_started"
    assert kinds[-1] == "session_ended"
    assert kinds.count("session_started") == kinds.count("session_ended") == 1
    raw = [params["event"]["content"] for params in events if params["event"]["type"] == "raw"]
    assert not raw, f"lines that nobody here understands: {raw}"
    for turn_id in dict.fromkeys(params["turn_id"] for params in events if params["turn_id"] is not None):
        _check_turn([params["event"] for params in events if params["turn_id"] == turn_id])


def _check_turn(turn: list[Json]) -> None:
    kinds = [event["type"] for event in turn]
    assert kinds[0] == "turn_started"
    assert kinds[-1] == "turn_completed"
    assert kinds.count("turn_started") == kinds.count("turn_completed") == 1
    started = [event["tool_call_id"] for event in turn if event["type"] == "tool_call_started"]
    ended = [event["tool_call_id"] for event in turn if event["type"] == "tool_call_output"]
    assert len(set(started)) == len(started)
    assert sorted(started) == sorted(ended)
    assert turn[-1]["is_error"] == (turn[-1]["error"] is not None) == (turn[-1]["stop_reason"] == "error")
    for agent in {event.get("parent_tool_call_id") for event in turn}:
        assert _said(turn, agent) == _streamed(turn, agent)


def _streamed(turn: list[Json], agent: str | None) -> str:
    deltas = [event for event in turn if event["type"] == "text_delta" and event["parent_tool_call_id"] == agent]
    return "".join(event["text"] for event in deltas)


def _said(turn: list[Json], agent: str | None) -> str:
    messages = [event for event in turn if event["type"] == "message" and event["role"] == "assistant"]
    blocks = [block for event in messages if event["parent_tool_call_id"] == agent for block in event["content"]]
    return "".join(block["text"] for block in blocks if block["type"] == "text")
