"""The turns of a session that wait: first in, first out, each released when the parent knows of it."""

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

    def add(self, turn: Turn) -> None:
        """Let a turn wait."""
        self._turns.append(turn)
        self._wake.set()

    async def take(self) -> Turn | None:
        """The next turn, once there is one and it is released; None when the queue is closed."""
        while not self._closed:
            if not self._turns:
                self._wake = anyio.Event()
                await self._wake.wait()
            elif not self._turns[0].released.is_set():
                await self._turns[0].released.wait()
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
