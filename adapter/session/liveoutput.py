"""What running commands write, passed on while they run: the commands that the agent waits for, and nothing once their
call has its output.

Beside the stream of the CLI, and never in its way: where the parent is behind, live output waits first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from protocol.events import ToolCallProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from adapter.guard import GuardedTasks
    from adapter.providers.base import OutputSource, ProviderAdapter
    from adapter.session.sink import Sink
    from adapter.session.timeline import Timeline
    from protocol.events import Task


class LiveCommands:
    """The commands of one session whose output is followed.

    Args:
        session_id: whose.
        adapter: knows where the output is.
        sink: knows how far the parent is behind.
        timeline: where the output goes.
        tasks: where each command is followed.
        touch: told of every sign of life.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        sink: Sink,
        timeline: Timeline,
        tasks: GuardedTasks,
        touch: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._sink = sink
        self._timeline = timeline
        self._tasks = tasks
        self._touch = touch
        self._followed: dict[str, anyio.CancelScope] = {}

    def follow(self, running: Iterable[Task]) -> None:
        """These tasks run now: follow the commands among them that somebody waits for, and no others."""
        wanted = {
            task.task_id: task.tool_call_id
            for task in running
            if task.kind == "shell" and not task.background and task.tool_call_id is not None
        }
        for task_id in [each for each in self._followed if each not in wanted]:
            self._followed.pop(task_id).cancel()
        for task_id, call in wanted.items():
            source = None if task_id in self._followed else self._adapter.live_output(self._session_id, task_id)
            if source is not None:
                scope = self._followed[task_id] = anyio.CancelScope()
                self._tasks.start_soon(self._pass_on, source, call, scope)

    async def _pass_on(self, source: OutputSource, call: str, scope: anyio.CancelScope) -> None:
        with scope:
            while (text := await source.read()) is not None:
                self._touch()
                self._timeline.add_own(ToolCallProgress(tool_call_id=call, content=text))
                if self._sink.backlog(self._session_id) >= self._sink.share:
                    await self._sink.wait_ready(self._session_id)
