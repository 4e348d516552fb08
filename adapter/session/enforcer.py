"""Brings turns to their end: when somebody asks for it, and when the CLI has been silent for too long."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

import anyio

from protocol.errors import AdapterError, ErrorKind
from protocol.events import TurnError

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.providers.base import ProviderAdapter
    from adapter.session.link import ProcessLink
    from adapter.session.turn import Turn
    from adapter.session.watchdog import Watchdog

log = logging.getLogger(__name__)

REFUSES_TO_END = "The CLI did not end its turn; its process is being ended, and started again with the next message."


class Enforcer:
    """Ends the turns of one session.

    Args:
        session_id: whose.
        adapter: asks the CLI.
        link: ends the process that does not listen.
        watchdog: tells silence.
        grace: seconds that the CLI has for ending a turn by itself.
        warn: tells the parent.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        link: ProcessLink,
        watchdog: Watchdog,
        *,
        grace: float,
        warn: Callable[[str], None],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._link = link
        self._watchdog = watchdog
        self._grace = grace
        self._warn = warn

    async def watch(self, turn: Turn) -> None:
        """Wait for the end of a turn; end it where its CLI has been silent for too long."""
        self._watchdog.touch()  # what was quiet before the turn does not count
        while not turn.done.is_set():
            remaining = math.inf if turn.cut else self._watchdog.remaining()
            with anyio.move_on_after(None if remaining == math.inf else remaining):
                await turn.done.wait()
            fired = None if turn.done.is_set() or turn.cut else self._watchdog.fired()
            if fired is not None:
                log.warning("session %s: %s", self._session_id, fired)
                text = f"The CLI was silent for too long: {fired}."
                turn.verdict = TurnError(
                    kind=ErrorKind.TIMEOUT, message=text, hint=f"Fired: {fired}. Raise that setting if this was work."
                )
                await self.end(turn)

    async def end(self, turn: Turn) -> None:
        """Have a turn ended: by the CLI itself, else by ending the CLI. Returns when it has ended, or is certain not to
        reach the CLI."""
        if not turn.cut:
            turn.cut = True
            turn.preparing.cancel()
            if turn.is_delivered:
                # Bounded, and shielded: whoever comes after the first only waits for what the first has begun.
                with anyio.CancelScope(shield=True):
                    await self._enforce(turn)
        # A message whose answer is still to go out has not begun, and in a batch that answer waits for this one.
        if turn.is_delivered or turn.released.is_set():
            await turn.done.wait()

    async def _enforce(self, turn: Turn) -> None:
        with anyio.move_on_after(self._grace):
            await self._ask(turn)
        if not turn.done.is_set() and self._link.is_up:
            self._warn(REFUSES_TO_END)
            await self._link.stop(turn_running=False)

    async def _ask(self, turn: Turn) -> None:
        try:
            await self._adapter.interrupt(self._session_id)
        except AdapterError as error:
            log.info("session %s: interrupt: %s", self._session_id, error.message)
        await turn.done.wait()
