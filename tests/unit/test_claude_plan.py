"""The agent's plan as its to-do tools tell it."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codecs.claude_plan import PlanTracker
from protocol.events import Plan, PlanEntry


class Bench:
    """A tracker that is fed tool calls and outputs."""

    def __init__(self) -> None:
        self.tracker = PlanTracker()
        self._calls = 0

    def call(self, name: str, given: Any, detail: Any = None) -> list[Any]:
        """One tool call with its output; the plans that it told."""
        out: list[Any] = []
        self._calls += 1
        self.tracker.note_input({"type": "tool_use", "id": f"t{self._calls}", "name": name, "input": given}, out)
        self.tracker.note_output(f"t{self._calls}", detail, out)
        return out

    def create(self, id: Any, subject: str) -> list[Any]:
        return self.call("TaskCreate", {"subject": subject}, {"task": {"id": id, "subject": subject}})


def entry(content: str, status: Any = "pending", priority: Any = "medium") -> PlanEntry:
    return PlanEntry(content=content, status=status, priority=priority)


def test_a_whole_list_is_told_with_the_call() -> None:
    todos = [
        {"content": "a", "status": "completed", "activeForm": "doing a"},
        {"content": "b", "status": "in_progress", "priority": "high"},
        {"content": "c", "status": "someday", "priority": 1},
        "odd",
        {},
    ]
    assert Bench().call("TodoWrite", {"todos": todos}) == [
        Plan(entries=[entry("a", "completed"), entry("b", "in_progress", "high"), entry("c"), entry("")])
    ]
    assert Bench().call("TodoWrite", {"todos": []}) == [Plan(entries=[])]


@pytest.mark.parametrize("given", [{}, {"todos": None}, {"todos": "x"}, None, [], "x"])
def test_a_list_of_another_shape_tells_nothing(given: Any) -> None:
    assert Bench().call("TodoWrite", given) == []


def test_tasks_are_told_with_their_outputs() -> None:
    bench = Bench()
    assert bench.create("1", "a") == [Plan(entries=[entry("a")])]
    assert bench.create(2, "b") == [Plan(entries=[entry("a"), entry("b")])]
    assert bench.call("TaskUpdate", {"taskId": "1", "status": "in_progress"}, {}) == [
        Plan(entries=[entry("a", "in_progress"), entry("b")])
    ]
    assert bench.call("TaskUpdate", {"taskId": 2, "subject": "B", "priority": "high"}, {}) == [
        Plan(entries=[entry("a", "in_progress"), entry("B", "pending", "high")])
    ]
    assert bench.call("TaskUpdate", {"taskId": "1", "status": "deleted"}, {}) == [
        Plan(entries=[entry("B", "pending", "high")])
    ]


def test_what_changes_nothing_tells_nothing() -> None:
    bench = Bench()
    bench.create("1", "a")
    assert bench.call("TaskUpdate", {"taskId": "1", "status": "pending"}, {}) == []
    assert bench.call("TaskUpdate", {"taskId": "9", "status": "completed"}, {}) == []
    assert bench.call("TaskUpdate", {"taskId": "9", "status": "deleted"}, {}) == []
    assert bench.call("TaskList", {}, {"tasks": [{"id": "1", "subject": "a", "status": "pending"}]}) == []
    assert bench.call("TaskGet", {"taskId": "1"}, {"task": {"id": "1"}}) == []
    assert bench.call("Bash", {"command": "ls"}, {"stdout": ""}) == []


def test_a_list_of_tasks_puts_the_plan_right() -> None:
    bench = Bench()
    bench.create("1", "a")
    tasks = [{"id": "1", "subject": "a", "status": "completed"}, {"id": "2", "subject": "b"}, "odd"]
    assert bench.call("TaskList", {}, {"tasks": tasks}) == [Plan(entries=[entry("a", "completed"), entry("b")])]
    assert bench.call("TaskList", {}, {"tasks": []}) == [Plan(entries=[])]


@pytest.mark.parametrize("detail", [None, "text", [], {}, {"task": None}, {"task": "x"}, {"tasks": "x"}])
def test_an_output_without_the_details_tells_nothing(detail: Any) -> None:
    assert Bench().call("TaskCreate", {"subject": "a"}, detail) == []
    assert Bench().call("TaskList", {}, detail) == []


def test_a_call_is_told_once_and_an_unknown_output_never() -> None:
    bench, out = Bench(), list[Any]()
    bench.create("1", "a")
    bench.tracker.note_output("t1", {"task": {"id": "5", "subject": "again"}}, out)
    bench.tracker.note_output("unknown", {"task": {"id": "6"}}, out)
    assert out == []
