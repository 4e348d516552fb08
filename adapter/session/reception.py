"""Where what the CLI says comes into a session, batch by batch: signals to who acts on them, events to the timeline.

Holds the CLI back while the parent is behind, by waiting; a CLI that has to be listened to all the same (its turn is
being cut, its session ends) is never held back. Decides nothing about turns or questions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from protocol import signals

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.session.sink import Sink
    from adapter.session.timeline import Timeline
    from adapter.session.watchdog import Watchdog

MAX_LAST_WORDS = 16 * 1024 * 1024
"""Unsent bytes at which a session that is being interrupted or stopped leaves out what its CLI still says. Hundreds of
times what a CLI says in such a moment; only one that floods, before a parent that does not read, comes near it."""

Handlers = dict[type, "Callable[[Any], object]"]
"""Who acts on a signal (or on an event that is more than an event), by its type."""


class Reception:
    """The incoming side of one session.

    Args:
        session_id: whose.
        sink: knows how far the parent is behind.
        timeline: takes the events.
        watchdog: told of every sign of life.
        is_urgent: whether the CLI has to be listened to, parent or not.
    """

    def __init__(
        self, session_id: str, sink: Sink, timeline: Timeline, watchdog: Watchdog, is_urgent: Callable[[], bool]
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._timeline = timeline
        self._watchdog = watchdog
        self._is_urgent = is_urgent
        self._hold = anyio.CancelScope()
        self.handlers: Handlers = {signals.Compacting: self._on_compacting}
        self.before: dict[type, Callable[[], Awaitable[None]]] = {}
        """What has to be over before somebody acts on a signal; bounded."""
        self.is_held_back = False
        """Whether the CLI waits for a slow parent."""
        self.is_compacting = False
        """Whether the CLI compacts its context."""
        self.is_closed = False
        """Whether the session has ended: nothing is taken any more."""

    async def receive(self, batch: list[signals.ProviderEvent]) -> None:
        """Take a batch of the provider's in; wait while the parent is behind, so that the CLI is held back."""
        if self.is_closed:
            return
        self._watchdog.touch()
        # A CLI that is being stopped must be read to its end, whether or not the parent takes what it says.
        dropping = self._is_urgent() and self._sink.backlog(self._session_id) >= MAX_LAST_WORDS
        for item in batch:
            act = self.handlers.get(type(item))
            if act is not None:
                if (first := self.before.get(type(item))) is not None:
                    await first()
                act(item)
            elif not dropping:
                self._timeline.add(item)  # type: ignore[arg-type]
        self._timeline.flush()
        if not self._is_urgent() and self._sink.backlog(self._session_id) >= self._sink.share:
            self.is_held_back = True
            with anyio.CancelScope() as self._hold:
                await self._sink.wait_ready(self._session_id)
            self.is_held_back = False
            self._watchdog.touch()

    def release(self) -> None:
        """Listen to the CLI from now on, parent or not."""
        self._hold.cancel()

    def _on_compacting(self, signal: signals.Compacting) -> None:
        self.is_compacting = signal.active
