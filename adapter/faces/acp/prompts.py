"""The prompts of one session: queued, run one at a time, cancelled, each answered exactly once.

They wait here and not in the session's own queue, because a `session/cancel` means all of them, and what waits in the
session's queue runs after an interrupt.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import anyio

from protocol.errors import AdapterError, ErrorKind
from protocol.wire.acp import STOP_REASONS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.session.session import Session
    from protocol.events import TurnCompleted

CANCELLED = "cancelled"


class Prompt:
    """One prompt on its way."""

    def __init__(self) -> None:
        self.cancelled = False
        self.over = anyio.Event()
        """Set when it has been answered, or is about to be."""
        self.before = anyio.CancelScope()
        """Around what happens before its turn is accepted; cancelled to end it there."""
        self.after = anyio.CancelScope()
        """Around the wait for what its turn has left running; cancelled to end it there."""
        self.completed: TurnCompleted | None = None
        self._ended = anyio.Event()

    def cancel(self) -> None:
        """It is to be answered with `cancelled`, however it ends."""
        self.cancelled = True
        self.before.cancel()
        self.after.cancel()

    def complete(self, event: TurnCompleted) -> None:
        """Its turn has ended."""
        self.completed = event
        self._ended.set()

    async def wait_completed(self) -> None:
        """Wait for the end of its turn, which every accepted message comes to."""
        await self._ended.wait()


class PromptQueue:
    """The prompts of one session, first in, first out.

    Args:
        live: gives the session, started again where it has ended.
        rest: waits for what a turn that has ended well has left running.
        limit: how many prompts may wait.
    """

    def __init__(self, live: Callable[[], Awaitable[Session]], rest: Callable[[], Awaitable[None]], limit: int) -> None:
        self._live = live
        self._rest = rest
        self._limit = limit
        self._prompts: deque[Prompt] = deque()
        self._by_turn: dict[str, Prompt] = {}

    def require_room(self) -> None:
        """Look before `run`.

        Raises:
            AdapterError: too many prompts wait.
        """
        if len(self._prompts) > self._limit:
            text = f"{len(self._prompts)} prompts wait already."
            raise AdapterError(ErrorKind.BUSY, text, hint="Wait for an answer first.")

    async def run(self, content: Any, prompt: Prompt) -> str:
        """Give the session a message when the prompts before it are over; the stop reason of its turn.

        Raises:
            AdapterError: why there was no turn, or why it failed.
        """
        self._prompts.append(prompt)
        accepted = False
        try:
            with prompt.before:
                while self._prompts[0] is not prompt:
                    await self._prompts[0].over.wait()
                session = await self._live()
                # A cancellation that comes as the last wait ends has not been seen here.
                if not prompt.cancelled:
                    turn = await session.submit(content)
                    accepted = True
                    self._by_turn[turn.turn_id] = prompt
                    turn.release()
            if accepted:
                await prompt.wait_completed()
            if prompt.completed is not None and prompt.completed.error is None:
                with prompt.after:
                    await self._rest()
        finally:
            self._prompts.remove(prompt)
            prompt.over.set()
        return _outcome(prompt)

    def cancel(self) -> None:
        """Cancel them all. The running turn has to be interrupted as well."""
        for prompt in self._prompts:
            prompt.cancel()

    def complete(self, turn_id: str | None, event: TurnCompleted) -> None:
        """A turn has ended; it may be nobody's."""
        prompt = self._by_turn.pop(turn_id or "", None)
        if prompt is not None:
            prompt.complete(event)


def _outcome(prompt: Prompt) -> str:
    event = prompt.completed
    if prompt.cancelled or event is None:
        return CANCELLED
    if event.error is None:
        return STOP_REASONS.get(event.stop_reason, "end_turn")
    known = {kind.value: kind for kind in ErrorKind}
    hint = event.error.hint if isinstance(event.error.hint, str) else None
    told = {} if not isinstance(event.error.api_status, int) else {"api_status": event.error.api_status}
    raise AdapterError(known.get(event.error.kind, ErrorKind.API_ERROR), event.error.message, hint=hint, **told)
