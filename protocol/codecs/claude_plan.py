"""The agent's plan, put together from Claude Code's to-do tools: `TodoWrite` (whole lists), `TaskCreate`,
`TaskUpdate`, `TaskList`.

Pure. Shapes measured with claude 2.1.197; newer versions have the same tools behind a switch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.events import Plan, PlanEntry

if TYPE_CHECKING:
    from protocol.signals import ProviderEvent

_STATUSES = ("pending", "in_progress", "completed")
_PRIORITIES = ("high", "medium", "low")


class PlanTracker:
    """The plan as far as the tools' inputs and outputs tell it."""

    def __init__(self) -> None:
        self._tasks: dict[str, PlanEntry] = {}
        self._calls: dict[str, dict[str, Any]] = {}

    def note_input(self, block: dict[str, Any], out: list[ProviderEvent]) -> None:
        """A `tool_use` block: a whole list tells the plan at once, a task only with its output."""
        name, given = block["name"], block["input"]
        if not isinstance(given, dict):
            return
        if name == "TodoWrite" and isinstance(given.get("todos"), list):
            out.append(Plan(entries=[_entry(todo) for todo in given["todos"] if isinstance(todo, dict)]))
        elif name in ("TaskCreate", "TaskUpdate", "TaskList"):
            self._calls[block["id"]] = {"name": name, **given}

    def note_output(self, tool_call_id: str, detail: Any, out: list[ProviderEvent]) -> None:
        """A tool's output with the CLI's structured `detail`; tells the plan where it changed it."""
        call = self._calls.pop(tool_call_id, None)
        if call is None or not isinstance(detail, dict):
            return
        before = dict(self._tasks)
        if call["name"] == "TaskCreate" and isinstance(detail.get("task"), dict):
            self._tasks[str(detail["task"].get("id"))] = _entry(call | detail["task"])
        elif call["name"] == "TaskUpdate":
            self._update(call)
        elif isinstance(detail.get("tasks"), list):
            self._tasks = {str(task.get("id")): _entry(task) for task in detail["tasks"] if isinstance(task, dict)}
        if self._tasks != before:
            out.append(Plan(entries=list(self._tasks.values())))

    def _update(self, call: dict[str, Any]) -> None:
        id = str(call.get("taskId"))
        task = self._tasks.get(id)
        if call.get("status") == "deleted":
            self._tasks.pop(id, None)
        elif task is not None:
            self._tasks[id] = _entry({"content": task.content, "status": task.status, "priority": task.priority} | call)


def _entry(todo: dict[str, Any]) -> PlanEntry:
    status, priority = todo.get("status"), todo.get("priority")
    return PlanEntry(
        content=str(todo.get("subject") or todo.get("content") or todo.get("description") or ""),
        status=status if status in _STATUSES else "pending",
        priority=priority if priority in _PRIORITIES else "medium",
    )
