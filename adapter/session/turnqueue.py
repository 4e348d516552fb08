"""The turns of a session that wait: first in, first out, urgent ones before all others; each released when the parent
knows of it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from adapter.session.turn import Turn


class TurnQueue:
    """Waiting turns, taken by one taker."""

    def __init__(self) -> None:
        self._turns: deque[Turn] = deque()
        self._wake = anyio.Event()
        self._closed = False

    def __len__(self) -> int:
        return len(self._turns)

    @property
    def first(self) -> Turn | None:
        """The turn that is taken next."""
        return self._turns[0] if self._turns else None

    @property
    def urgent(self) -> int:
        """How many of them are urgent; these come first."""
        return sum(turn.urgent for turn in self._turns)

    def add(self, turn: Turn) -> None:
        """Let a turn wait."""
        self._turns.insert(self.urgent if turn.urgent else len(self._turns), turn)
        self._wake.set()

    def pop(self) -> Turn:
        """Take the first turn out, whoever waits for it."""
        return self._turns.popleft()

    def put_back(self, turn: Turn) -> None:
        """Let a turn that was taken out wait again, as the first; nothing where the queue is closed."""
        if not self._closed:
            self._turns.appendleft(turn)
            self._wake.set()

    async def take(self) -> Turn | None:
        """The next turn, once there is one and it is released; None when the queue is closed."""
        while not self._closed:
            if not self._turns:
                self._wake = anyio.Event()
                await self._wake.wait()
            elif not self._turns[0].released.is_set():
                await self._turns[0].released.wait()
                # Meanwhile an urgent one may have come before it: look again.
            else:
                return self._turns.popleft()
        return None

    def close(self) -> list[Turn]:
        """Take no more; the turns that still waited."""
        self._closed = True
        waiting = list(self._turns)
        self._turns.clear()
        for turn in waiting:
            turn.released.set()
        self._wake.set()
        return waiting
