"""The border of a background task: a defect in one of them is logged and told, and takes nothing else with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from anyio.abc import TaskGroup

log = logging.getLogger(__name__)


class GuardedTasks:
    """Starts tasks in a task group that no defect of theirs can end.

    Args:
        tasks: the group.
        what: whose tasks they are, for the log.
        defect: told of an exception that a task did not handle; None where there is nothing to be done about it.
    """

    def __init__(
        self, tasks: TaskGroup, what: str, defect: Callable[[Exception], Awaitable[None]] | None = None
    ) -> None:
        self._tasks = tasks
        self._what = what
        self._defect = defect

    def start_soon(self, act: Callable[..., Awaitable[Any]], *arguments: Any) -> None:
        """Start a task."""
        self._tasks.start_soon(self._run, act, arguments)

    async def _run(self, act: Callable[..., Awaitable[Any]], arguments: tuple[Any, ...]) -> None:
        try:
            await act(*arguments)
        except Exception as error:
            log.exception("a defect in %s", self._what)
            if self._defect is not None:
                await self._tell(self._defect, error)

    async def _tell(self, defect: Callable[[Exception], Awaitable[None]], error: Exception) -> None:
        try:
            await defect(error)
        except Exception:
            log.exception("a second defect in %s", self._what)
