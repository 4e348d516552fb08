"""The turns of one session: what waits, what runs, how each begins and ends. One message at a time reaches the CLI.

A message's turn is in hand (`current`) from when it is taken until its `turn_completed`; the CLI is in a turn (`open`)
from the CLI's own beginning to its own end. The two are the same turn, but for turns that the agent begins by itself.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import anyio

from adapter.session.endings import completed_event, crashed_turn, cut_turn, failed_turn
from adapter.session.record import TurnEntry, TurnOutcome
from adapter.session.steering import Steering
from adapter.session.turn import Turn
from adapter.session.turnqueue import TurnQueue
from protocol import signals
from protocol.errors import AdapterError, ErrorKind
from protocol.events import Notice, TurnStarted, TurnUsage
from protocol.lifecycle import Machine, SessionState, SessionTrigger, TurnTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.guard import GuardedTasks
    from adapter.providers.base import ProviderAdapter, SessionConfig
    from adapter.session.enforcer import Enforcer
    from adapter.session.ledger import Ledger
    from adapter.session.link import ProcessLink
    from adapter.session.timeline import Timeline

log = logging.getLogger(__name__)

_OUTCOMES: dict[str, TurnOutcome] = {"error": "failed", "interrupted": "interrupted"}

INTERRUPTED = signals.TurnEnded(stop_reason="interrupted")


class Turns:
    """The turns of one session.

    Args:
        session_id: whose.
        adapter: takes the messages.
        machine: the session's, moved by turns that begin and end.
        timeline: where their events go.
        link: the process.
        enforcer: watches each turn.
        config: the session's config, as it is when a process has to be started.
        crash: ends the session when no process can be had for it any more.
        ledger: where outcomes are written down.
        completed: called when a turn has ended.
        tasks: where turns of the agent's own are watched.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        *,
        machine: Machine[SessionState, SessionTrigger],
        timeline: Timeline,
        link: ProcessLink,
        enforcer: Enforcer,
        config: Callable[[], SessionConfig],
        crash: Callable[[AdapterError], Awaitable[None]],
        ledger: Ledger,
        completed: Callable[[], None],
        tasks: GuardedTasks,
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._machine = machine
        self._timeline = timeline
        self._link = link
        self._enforcer = enforcer
        self._config = config
        self._crash = crash
        self._ledger = ledger
        self._completed = completed
        self._tasks = tasks
        self._queue = TurnQueue()
        self._steering = Steering(
            session_id,
            adapter,
            link,
            self._queue,
            tasks,
            running=lambda: self.current if self.open is self.current else None,
            record=self._record_delivery,
            complete=self._complete_unbegun,
        )
        self.preparation = anyio.Lock()
        """Held while a process may be starting, so that the session's end waits for what has been begun."""
        self.current: Turn | None = None
        self.open: Turn | None = None
        self.count = 0
        self.cost_usd = 0.0
        self.usage = TurnUsage()
        self.idle_since = anyio.current_time()
        """The loop's time at which the latest turn ended."""

    @property
    def waiting(self) -> int:
        """How many messages wait for their turn."""
        return len(self._queue) + (self._steering.turn is not None)

    @property
    def ahead(self) -> int:
        """How many turns a new message would have to wait for."""
        return self.waiting + len({id(turn) for turn in (self.current, self.open) if turn is not None})

    @property
    def in_hand(self) -> Turn | None:
        """The turn that an interrupt means."""
        return self.open or self.current or self._steering.turn or self._queue.first

    def add(self, content: Any, *, urgent: bool = False) -> Turn:
        """Let a message wait for its turn; an urgent one reaches the turn that runs, once it is released (see
        `release`)."""
        turn = Turn("message", content, anyio.current_time(), urgent=urgent)
        self._queue.add(turn)
        return turn

    def release(self, turn: Turn) -> None:
        """The parent knows of a turn: it may begin."""
        turn.released.set()
        self._steering.poke()

    def ahead_of_urgent(self) -> int:
        """How many turns an urgent message would have to wait for."""
        return self.ahead - self.waiting + self._queue.urgent + (self._steering.turn is not None)

    async def run(self) -> None:
        """Take one message after the other, until `close`."""
        while True:
            await self._steering.settle()
            turn = self.current or await self._queue.take()
            if turn is None:
                return
            self.current = turn
            self._machine.fire(SessionTrigger.TURN)
            await self._run_turn(turn)
            if not turn.done.is_set():
                return  # the session ends, and its turns with it

    def rest(self) -> None:
        """Nothing goes on in the background any more: idle counts from now."""
        self.idle_since = anyio.current_time()

    def close(self) -> list[Turn]:
        """Take no more; the turns that have not ended, all of them cut."""
        known = (self.open, self.current, self._steering.turn, *self._queue.close())
        turns = [turn for turn in known if turn is not None]
        for turn in turns:
            turn.cut = True
            turn.preparing.cancel()
        return list(dict.fromkeys(turns))

    def complete(self, turn: Turn, ended: signals.TurnEnded) -> None:
        """Send the one `turn_completed` of a turn, and before it what the promises ask for."""
        if not turn.is_running:
            self._begin(turn)
        turn.fire(TurnTrigger.COMPLETE)
        turn.content = None  # it may be megabytes, and a turn with an idempotency key is remembered
        event = completed_event(turn, ended, anyio.current_time())
        self._timeline.leave(turn, event)
        self.count += 1
        self.usage.add(ended.usage)
        self.cost_usd += ended.cost_usd or 0.0
        self._link.precious = self._link.precious or event.stop_reason not in ("error", "interrupted")
        self.open = None if self.open is turn else self.open
        if self._steering.turn is turn:
            self._steering.turn = None
        if self.current is turn:
            # What the turn was steered to is the next that the CLI begins.
            self.current = self._steering.take()
        if self.open is None and self.current is None:
            self.idle_since = anyio.current_time()
            self._machine.fire(SessionTrigger.REST)
        self._note(turn, _OUTCOMES.get(event.stop_reason, "completed"))
        self._completed()
        turn.done.set()

    # What the CLI says of turns

    def on_began(self, signal: signals.TurnBegan) -> None:
        """The CLI begins a turn: the delivered message's, or one of its own."""
        current = self.current
        if signal.origin == "message" and current is not None and current.is_delivered and not current.is_running:
            self.open = current
        else:
            self.open = Turn("background", None, anyio.current_time())
            self._machine.fire(SessionTrigger.TURN)
            self._tasks.start_soon(self._enforcer.watch, self.open)
        self._begin(self.open)
        self._steering.poke()

    def on_ended(self, signal: signals.TurnEnded) -> None:
        """The CLI's own end of the turn that it is in."""
        turn = self.open or self.current
        if turn is not None:
            self.complete(turn, cut_turn(signal) if turn.cut else signal)

    def on_exited(self, exited: signals.ProcessExited) -> bool:
        """The process has gone, and the turns that it had with it; whether there were any."""
        known = (self.open, self.current, self._steering.turn)
        turns = [turn for turn in known if turn is not None and turn.is_delivered]
        for turn in dict.fromkeys(turns):
            self.complete(turn, INTERRUPTED if turn.cut else crashed_turn(exited))
        return bool(turns)

    async def _run_turn(self, turn: Turn) -> None:
        if turn.is_delivered:  # it was steered to
            await self._enforcer.watch(turn)
            return
        try:
            with turn.preparing:
                await self._prepare()
                await self._record_delivery(turn)
                # A cancellation that comes as the last wait ends has not been seen here.
                if not turn.cut:
                    turn.fire(TurnTrigger.DELIVER)
            if turn.is_delivered:
                self._link.note_delivery(self._timeline.known.provider_session_id)
                await self._adapter.send_message(self._session_id, turn.id, turn.content)
                await self._enforcer.watch(turn)
            else:
                await self._complete_unbegun(turn, INTERRUPTED)
        except AdapterError as error:
            # A message on its way to a CLI that died: the end of the stream tells more than the broken pipe.
            await self._link.wait_over()
            await self._complete_unbegun(turn, failed_turn(error))
            if error.kind in (ErrorKind.SPAWN_FAILED, ErrorKind.NOT_FOUND):
                await self._crash(error)

    async def _complete_unbegun(self, turn: Turn, ended: signals.TurnEnded) -> None:
        """Complete a turn that the CLI will not begin, unless the session's end does that: in no other turn, because
        the agent may have begun one of its own meanwhile."""
        while (other := self.open) is not None and other is not turn and not turn.done.is_set():
            await other.done.wait()
        if not turn.done.is_set() and not self._is_ending:
            self.complete(turn, ended)

    async def _prepare(self) -> None:
        """Have the CLI ready for a message: no turn of its own open, a process there."""
        while self.open is not None:
            await self.open.done.wait()
        async with self.preparation:
            restarted = await self._link.ensure(self._config())
        if restarted is not None:
            told, goes_on = restarted
            text = f"The CLI was started again; {'the conversation goes on' if goes_on else 'with a new conversation'}."
            self._timeline.add_own(Notice(level="info" if goes_on else "warning", message=text))
            self._timeline.tell_news(provider_session_id=told.provider_session_id)
            self._link.pump()

    def _begin(self, turn: Turn) -> None:
        turn.fire(TurnTrigger.BEGIN)
        self._timeline.enter(turn)
        self._timeline.add_own(TurnStarted(origin=turn.origin))

    async def _record_delivery(self, turn: Turn) -> None:
        self._note(turn, "delivered")
        await self._ledger.flush()

    def _note(self, turn: Turn, outcome: TurnOutcome) -> None:
        turn.outcome = outcome
        if turn.origin == "message":
            self._ledger.note_turn(TurnEntry(turn.id, self._session_id, outcome))

    @property
    def _is_ending(self) -> bool:
        return self._machine.state in (SessionState.STOPPING, SessionState.ENDED)
