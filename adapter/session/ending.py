"""The end of a session: somebody wants it, a limit, or no process can be had for it any more.

Owns the order of the last things: no turn begins, the process and what it started are gone, each turn gets its
`turn_completed`, the questions are withdrawn, `session_ended` is last. Idempotent, shielded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from adapter.process.child import Exit, last_lines
from adapter.session.endings import failed_turn
from adapter.session.turns import INTERRUPTED
from protocol.errors import AdapterError, ErrorKind
from protocol.events import EndReason, SessionEnded
from protocol.lifecycle import Machine, SessionState, SessionTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.providers.base import ProviderAdapter
    from adapter.session.asks import Asks
    from adapter.session.link import ProcessLink
    from adapter.session.reception import Reception
    from adapter.session.timeline import Timeline
    from adapter.session.turns import Turns
    from protocol.signals import TurnEnded


class Ending:
    """How one session ends.

    Args:
        session_id: whose.
        adapter: hurries a stop that is under way.
        machine: the session's.
        timeline: where the last event goes.
        link: the process.
        turns: those that have not ended.
        asks: the open questions.
        reception: closed at the end.
        begin: makes sure that the session has begun, so that what it says is heard.
        saved: has the end written down.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        *,
        machine: Machine[SessionState, SessionTrigger],
        timeline: Timeline,
        link: ProcessLink,
        turns: Turns,
        asks: Asks,
        reception: Reception,
        begin: Callable[[], None],
        saved: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._machine = machine
        self._timeline = timeline
        self._link = link
        self._turns = turns
        self._asks = asks
        self._reception = reception
        self._begin = begin
        self._saved = saved
        self.ended = anyio.Event()
        """Set when all of it is over."""
        self.exit = Exit(None, None)
        """How the process ended; both None while it has not."""
        self.reason: EndReason | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether the session ends, or has ended."""
        return self._machine.state in (SessionState.STOPPING, SessionState.ENDED)

    def fail(self) -> None:
        """The session never started, so nothing is left of it."""
        self._machine.fire(SessionTrigger.END)
        self.ended.set()

    async def discard(self) -> None:
        """End a process that came up although the session had been stopped by then. Nobody hears of it. Shielded."""
        self._reception.is_closed = True
        self._link.pump()
        with anyio.CancelScope(shield=True):
            await self._link.stop(turn_running=False, fast=True)

    async def stop(self, reason: EndReason, *, fast: bool = False) -> None:
        """End the process and everything it started; wait for an end that is under way."""
        if not self.is_under_way:
            await self._shut_down(reason, INTERRUPTED, fast=fast)
        elif not self.ended.is_set():
            if fast:
                await self._adapter.stop_session(self._session_id, turn_running=False, fast=True)
            await self.ended.wait()

    async def crash(self, error: AdapterError) -> None:
        """No process can be had for this session any more: that is its end."""
        if not self.is_under_way:
            await self._shut_down("crashed", failed_turn(error))

    async def on_defect(self, error: Exception) -> None:
        """One of its tasks failed in a way that nobody foresaw: this session ends, the others go on."""
        await self.crash(AdapterError(ErrorKind.PROTOCOL_ERROR, f"An internal error: {type(error).__name__}."))

    async def _shut_down(self, reason: EndReason, turns_end: TurnEnded, *, fast: bool = False) -> None:
        self._machine.fire(SessionTrigger.STOP)
        with anyio.CancelScope(shield=True):
            self._begin()
            turns = self._turns.close()
            self._reception.release()
            async with self._turns.preparation:
                running = any(turn.is_delivered for turn in turns)
                self.exit = await self._link.stop(turn_running=running, fast=fast)
            await self._asks.withdraw_all()
            for turn in turns:
                if not turn.done.is_set():
                    self._turns.complete(turn, turns_end)
            self._machine.fire(SessionTrigger.END)
            self._reception.is_closed = True
            tail = last_lines(self._link.last_exit.stderr_tail)
            last = SessionEnded(reason=reason, exit_code=self.exit.code, signal=self.exit.signal, stderr_tail=tail)
            self._timeline.close(last)
            self.reason = reason
            self._saved()
            self.ended.set()
