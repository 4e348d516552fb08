"""The background work of one Claude Code: commands and agents that run beside the conversation, from its lines about
them to `tasks` events. Pure.

Measured with claude 2.1.197 and 2.1.329. A command in the foreground becomes a task after about three seconds, too; the
newer one says of each task whether it is in the background (`is_backgrounded`, `background_tasks_changed`), the older
one only in the result of the tool call that began it. An end is told up to three times: `task_updated`,
`task_notification` (the older one keeps that back until the turn that it begins), and by being left out of the list.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from protocol.events import Notice, Task, Tasks, TaskStatus, TaskUsage, ToolCallProgress

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.signals import ProviderEvent

Json = dict[str, Any]

_KINDS = {"local_bash": "shell", "local_agent": "agent"}
_STATUSES: dict[str, TaskStatus] = {
    "completed": "completed",
    "failed": "failed",
    "killed": "stopped",
    "stopped": "stopped",
}


ENDED_KEPT = 256
"""Ended tasks that are remembered: the CLI may tell of each of them again, but not for long."""


class TaskTable:
    """The tasks of one CLI process."""

    def __init__(self) -> None:
        self._tasks: dict[str, Task] = {}
        self._ended: dict[str, Task] = {}
        """Those of the background that have ended: more may be told of them."""
        self._readers: dict[str, Callable[[Json, list[ProviderEvent]], None]] = {
            "task_started": self._read_started,
            "task_progress": self._read_progress,
            "task_updated": self._read_updated,
            "task_notification": self._read_notification,
            "background_tasks_changed": self._read_list,
        }

    def reads(self, subtype: Any) -> bool:
        """Whether lines of this subtype are about tasks."""
        return subtype in self._readers

    def read(self, line: Json, out: list[ProviderEvent]) -> None:
        """Translate a `system` line about tasks."""
        self._readers[line["subtype"]](line, out)

    def note_output(self, call: str, detail: Any, *, is_error: bool, out: list[ProviderEvent]) -> None:
        """A tool call has its result: the task that it was is over, or goes on in the background."""
        detail = detail if isinstance(detail, dict) else {}
        behind = detail.get("backgroundTaskId") or (detail.get("agentId") if detail.get("isAsync") else None)
        for task in [task for task in self._tasks.values() if task.tool_call_id == call]:
            if task.task_id == behind:
                self._change(task, out, background=True)
            elif not task.background:
                self._end(task, "failed" if is_error else "completed", out)

    def _read_started(self, line: Json, out: list[ProviderEvent]) -> None:
        id, call = line["task_id"], line.get("tool_use_id")
        known = self._tasks.get(id)
        theirs = line.get("task_type") or "other"
        background = bool(line.get("is_backgrounded")) or (known is not None and known.background)
        task = Task(
            task_id=id,
            kind=_KINDS.get(theirs, theirs),
            status="running",
            description=line.get("description") or "",
            tool_call_id=call,
            background=background,
        )
        if id not in self._ended and task != known:
            self._tasks[id] = task
            self._tell(out)
        if call:
            out.append(ToolCallProgress(tool_call_id=call))

    def _read_progress(self, line: Json, out: list[ProviderEvent]) -> None:
        task, call = self._tasks.get(line["task_id"]), line.get("tool_use_id")
        if task is not None:
            task.usage = _usage(line.get("usage")) or task.usage
        if call:
            out.append(ToolCallProgress(tool_call_id=call, content=line.get("description") or ""))

    def _read_updated(self, line: Json, out: list[ProviderEvent]) -> None:
        task, patch = self._tasks.get(line["task_id"]), line["patch"]
        if task is None:
            return
        if patch.get("is_backgrounded"):
            self._change(task, out, background=True)
        if patch.get("status") in _STATUSES:
            self._end(task, _STATUSES[patch["status"]], out)

    def _read_notification(self, line: Json, out: list[ProviderEvent]) -> None:
        task = self._tasks.get(line["task_id"])
        usage = _usage(line.get("usage"))
        ended = self._ended.get(line["task_id"])
        in_background = ended is not None if task is None else task.background
        if task is not None and line["status"] in _STATUSES:
            task.usage = usage or task.usage
            self._end(task, _STATUSES[line["status"]], out)
        elif ended is not None and usage is not None and usage != ended.usage:
            ended.usage = usage
            self._tell(out, ended)
        if in_background or task is None:
            text = f"Background task {line['status']}: {line.get('summary') or line['task_id']}"
            out.append(Notice(level="info", message=text))

    def _read_list(self, line: Json, out: list[ProviderEvent]) -> None:
        """The newer CLI's whole list of what is in the background. Each task comes with a line of its own, too."""
        listed = {told["task_id"] for told in line["tasks"]}
        for task in list(self._tasks.values()):
            if task.task_id in listed:
                self._change(task, out, background=True)
            elif task.background:
                self._end(task, "completed", out)

    def _change(self, task: Task, out: list[ProviderEvent], *, background: bool) -> None:
        if task.background != background:
            task.background = background
            self._tell(out)

    def _end(self, task: Task, status: TaskStatus, out: list[ProviderEvent]) -> None:
        """Tell a task's end, once: it is in this list for the last time."""
        task.status = status
        del self._tasks[task.task_id]
        self._tell(out, task)
        if task.background:
            self._ended[task.task_id] = task
            if len(self._ended) > ENDED_KEPT:
                del self._ended[next(iter(self._ended))]

    def _tell(self, out: list[ProviderEvent], *ended: Task) -> None:
        # Copies: what was told must not change with what is known later.
        out.append(Tasks(tasks=[replace(task) for task in (*self._tasks.values(), *ended)]))


def _usage(told: Any) -> TaskUsage | None:
    if not isinstance(told, dict):
        return None
    counts = {name: value for name in TaskUsage.__struct_fields__ if type(value := told.get(name)) is int}
    return TaskUsage(**counts)
