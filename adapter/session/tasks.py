"""What runs in the background of a session: kept for whoever asks, and so that a session that works is not taken for
an idle one. Its tasks end with its process, whatever the CLI still says of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from protocol.events import Task, Tasks

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.session.liveoutput import LiveCommands
    from adapter.session.timeline import Timeline


class TaskBoard:
    """The running tasks of one session.

    Args:
        timeline: where the lists are told.
        live: follows what commands write.
        rested: called when the last task has ended.
    """

    def __init__(self, timeline: Timeline, live: LiveCommands, rested: Callable[[], None]) -> None:
        self._timeline = timeline
        self._live = live
        self._rested = rested
        self.running: list[Task] = []
        """What runs now, in the order of their beginning."""

    @property
    def in_background(self) -> list[str]:
        """What goes on without a turn, in the CLI's words."""
        return [task.description or task.kind for task in self.running if task.background]

    def on_tasks(self, told: Tasks) -> None:
        """The CLI's tasks have changed."""
        worked = bool(self.in_background)
        self._timeline.add(told)
        self.running = [task for task in told.tasks if task.status == "running"]
        self._live.follow(self.running)
        if worked and not self.in_background:
            self._rested()

    def on_exited(self) -> None:
        """The process has gone, and its tasks with it."""
        if self.running:
            self.on_tasks(Tasks(tasks=[replace(task, status="stopped") for task in self.running]))
            self._timeline.flush()
