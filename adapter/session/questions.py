"""The open questions of a session's CLI, of every kind: each waits in a task of its own, is answered once or taken
back, and none outlives its turn. What a question is about, and what a missing answer counts as, its desk knows
(`permissions`, `toolcalls`, `hookcalls`)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.guard import GuardedTasks

MAX_OPEN = 256
"""How many questions of one session may wait. Measured with claude 2.1.x: ten tools at once is its own limit; this
allows for subagents that each ask, and stops a CLI that asks without end."""


SETTLE_S = 1.0
"""How long it may take until the parent has been told of questions that were taken back: that is one write, which waits
for nobody."""


@dataclass(frozen=True, slots=True, eq=False)
class _Open:
    taken_back: Callable[[], None]
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class QuestionTable:
    """The open questions of one session.

    Args:
        tasks: where each question waits.
        changed: called when a question has been answered or withdrawn.
    """

    def __init__(self, tasks: GuardedTasks, changed: Callable[[], None]) -> None:
        self._tasks = tasks
        self._changed = changed
        self._open: dict[str, _Open] = {}
        self._leaving: set[_Open] = set()
        self._left = anyio.Event()

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has to answer before the CLI can go on."""
        return bool(self._open)

    @property
    def is_full(self) -> bool:
        """Whether no further question is taken in hand."""
        return len(self._open) >= MAX_OPEN

    def put(
        self,
        request_id: str,
        ask: Callable[[], Awaitable[Any]],
        settle: Callable[[Any], Awaitable[None]],
        taken_back: Callable[[], None] = lambda: None,
    ) -> None:
        """Take a question in hand; returns at once.

        Args:
            request_id: the CLI's.
            ask: gets the answer; cancelled when the question is withdrawn.
            settle: hands the answer on; called once, and only while the question is open.
            taken_back: called when it is withdrawn.
        """
        entry = self._open[request_id] = _Open(taken_back)
        self._tasks.start_soon(self._run, request_id, entry, ask, settle)

    def withdraw(self, request_id: str) -> None:
        """The CLI no longer waits: take the question back from the parent."""
        if (entry := self._open.pop(request_id, None)) is not None:
            entry.taken_back()
            self._leaving.add(entry)
            entry.scope.cancel()
            self._changed()

    def withdraw_all(self) -> None:
        """The turn or the process has ended: no answer can be used any more."""
        for request_id in list(self._open):
            self.withdraw(request_id)

    async def settle(self) -> None:
        """Wait until the parent has been told of every question that was taken back. Bounded."""
        with anyio.move_on_after(SETTLE_S):
            while self._leaving:
                self._left = anyio.Event()
                await self._left.wait()

    async def _run(
        self,
        request_id: str,
        entry: _Open,
        ask: Callable[[], Awaitable[Any]],
        settle: Callable[[Any], Awaitable[None]],
    ) -> None:
        try:
            if self._open.get(request_id) is not entry:
                return
            with entry.scope:
                answer = await ask()
                if self._open.get(request_id) is entry:
                    del self._open[request_id]
                    self._changed()
                    await settle(answer)
        finally:
            self._leaving.discard(entry)
            self._left.set()
