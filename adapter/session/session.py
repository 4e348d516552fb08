"""A session: its life, its limits, and what its CLI says, for every provider.

Keeps the promises of the contract (section 3) with its parts: the turns run one at a time (`turns.py`), the timeline
numbers and completes their events, the link has the process, the desk the open questions. What the CLI says comes in
through `_receive`, batch by batch.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import anyio

from adapter.guard import GuardedTasks
from adapter.process.child import Exit, last_lines
from adapter.session.endings import failed_turn
from adapter.session.enforcer import Enforcer
from adapter.session.intake import Intake
from adapter.session.link import ProcessLink
from adapter.session.permissions import PermissionDesk
from adapter.session.record import SessionRecord
from adapter.session.timeline import Timeline
from adapter.session.turns import INTERRUPTED, Turns
from adapter.session.watchdog import Activity, Watchdog
from protocol import signals
from protocol.errors import AdapterError, ErrorKind
from protocol.events import EndReason, Notice, SessionEnded, SessionUpdated
from protocol.lifecycle import SessionState, SessionTrigger, session_machine

if TYPE_CHECKING:
    from collections.abc import Callable

    from anyio.abc import TaskGroup

    from adapter.providers.base import ProviderAdapter, SessionConfig
    from adapter.session.intake import Accepted
    from adapter.session.ledger import Ledger
    from adapter.session.limits import SessionLimits
    from adapter.session.sink import Sink
    from protocol.permissions import Decision

log = logging.getLogger(__name__)

MAX_LAST_WORDS = 16 * 1024 * 1024
"""Unsent bytes at which a session that is being interrupted or stopped leaves out what its CLI still says. Hundreds of
times what a CLI says in such a moment; only one that floods, before a parent that does not read, comes near it."""


class Session:
    """One conversation with one provider.

    Args:
        session_id: ours.
        adapter: the provider.
        config: how it is to run, with `resume` and `fork` taken out.
        sink: where its events go.
        limits: its settings.
        ledger: where it is written down.
        tasks: where its tasks run.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        config: SessionConfig,
        *,
        sink: Sink,
        limits: SessionLimits,
        ledger: Ledger,
        tasks: TaskGroup,
    ) -> None:
        self.id = session_id
        self.provider = adapter.provider
        self.config = config
        self.created_at = self.last_used_at = time.time()
        self.ended = anyio.Event()
        self._settled = anyio.Event()
        """Set when the start has come to its end, good or bad."""
        self._adapter = adapter
        self._sink = sink
        self._ledger = ledger
        self._tasks = GuardedTasks(tasks, f"session {session_id}", self._on_defect)
        self._reason: EndReason | None = None
        self._machine = session_machine()
        self._starting = anyio.CancelScope()
        self._active = False
        self._exit = Exit(None, None)
        self._compacting = False
        self._held_back = False
        self._hold = anyio.CancelScope()
        """Around the wait for a slow parent; cancelled when the CLI has to be listened to all the same."""
        self._timeline = Timeline(session_id, sink)
        self._link = ProcessLink(session_id, adapter, self._tasks, self._receive)
        self._watchdog = Watchdog(limits.silence, self._activity, anyio.current_time)
        self._enforcer = Enforcer(
            session_id, adapter, self._link, self._watchdog, grace=limits.interrupt_grace, warn=self._warn
        )
        self._turns = Turns(
            session_id,
            adapter,
            machine=self._machine,
            timeline=self._timeline,
            link=self._link,
            enforcer=self._enforcer,
            config=lambda: self.config,
            crash=self._crash,
            ledger=ledger,
            completed=self._save,
            tasks=self._tasks,
        )
        self._intake = Intake(session_id, self._turns, ledger, max_queue=limits.max_queue)
        self._desk = PermissionDesk(
            session_id,
            sink,
            timeout=limits.permission_timeout,
            tasks=self._tasks,
            decide=self._decide,
            resolved=self._timeline.add_own,
            changed=self._watchdog.touch,
        )
        self._signals: dict[type, Callable[[Any], object]] = {
            signals.TurnBegan: self._turns.on_began,
            signals.TurnEnded: self._turns.on_ended,
            signals.MessageBegan: lambda signal: self._timeline.cut_off_message(signal.parent_tool_call_id),
            signals.PermissionAsked: self._on_permission_asked,
            signals.PermissionWithdrawn: lambda signal: self._desk.withdraw(signal.request_id),
            signals.Compacting: self._on_compacting,
            signals.ProcessExited: self._on_exited,
            SessionUpdated: self._timeline.learn,
        }

    # What the registry and the faces see

    @property
    def state(self) -> SessionState:
        """Where it is in its life."""
        return self._machine.state

    @property
    def pid(self) -> int | None:
        """The process that works for it, None while none does."""
        return self._link.pid

    @property
    def provider_session_id(self) -> str | None:
        """The provider's id of the conversation, to resume it by."""
        return self._timeline.known.provider_session_id

    @property
    def exit(self) -> Exit:
        """How its process ended; both None while it has not."""
        return self._exit

    @property
    def idle_since(self) -> float:
        """The loop's time since when no turn has run."""
        return self._turns.idle_since

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running, waiting or asked."""
        return self.state is SessionState.IDLE and not self._turns.waiting and not self._desk.is_waiting

    def record(self) -> SessionRecord:
        """What is written down of it now."""
        return SessionRecord(
            session_id=self.id,
            provider=self.provider,
            provider_session_id=self.provider_session_id,
            pid=self.pid,
            state=self.state.value,
            working_dir=self.config.working_dir,
            model=self._timeline.known.model,
            created_at=self.created_at,
            last_used_at=self.last_used_at,
            turns=self._turns.count,
            cost_usd=round(self._turns.cost_usd, 9),
            usage=self._turns.usage,
            reason=self._reason,
        )

    @property
    def _is_ending(self) -> bool:
        return self.state in (SessionState.STOPPING, SessionState.ENDED)

    async def start(self, resume: str | None, *, fork: bool) -> None:
        """Start its process. No event goes out before `activate`.

        Raises:
            AdapterError: why it did not start; the session is ended then.
        """
        try:
            with self._starting:
                await self._intake.open()
                self._ledger.note_session(self.record())
                self._timeline.known = await self._link.start(self.config, resume, fork=fork)
                if resume is not None:
                    self._link.conversation, self._link.precious = self.provider_session_id, True
                self._turns.idle_since = anyio.current_time()
                self._machine.fire(SessionTrigger.READY)
                self._ledger.note_session(self.record())
                return
            raise AdapterError(ErrorKind.INTERRUPTED, "The session was stopped while it started.", session_id=self.id)
        except BaseException:
            self._machine.fire(SessionTrigger.END)
            self._reason = "crashed"
            self._ledger.note_session(self.record())
            self.ended.set()
            raise
        finally:
            self._settled.set()

    def activate(self) -> None:
        """Begin to send events. Idempotent; called when the parent knows the session."""
        if not self._active and self.state is not SessionState.ENDED:
            self._active = True
            self._timeline.add_own(self._timeline.known)
            self._link.pump()
            self._tasks.start_soon(self._turns.run)

    async def submit(self, content: Any, key: str | None = None) -> Accepted:
        """Accept a message. Its turn begins when the parent knows of it (`Accepted.release`).

        Args:
            content: text or content blocks.
            key: the parent's idempotency key: a message that was accepted under it is not accepted again.

        Raises:
            AdapterError: `busy` where too many wait, `session_not_found` where the session is ending,
                `invalid_params` where the key was used for another message.
        """
        await self._require_live()
        self.last_used_at = time.time()
        return self._intake.accept(content, key)

    async def interrupt(self) -> bool:
        """End the running turn and keep the session; False where none runs. Returns when the turn has ended.

        Raises:
            AdapterError: `session_not_found` where the session is ending.
        """
        await self._require_live()
        turn = self._turns.in_hand
        if turn is None:
            return False
        self._hold.cancel()
        await self._enforcer.end(turn)
        return True

    async def set_model(self, model: str) -> None:
        """Change the model from the next turn on, also for processes to come."""
        await self._require_live()
        if self._link.is_up:
            await self._adapter.set_model(self.id, model)
        self.config = self.config.model_copy(update={"model": model})
        self._timeline.tell_news(model=model)

    async def set_runtime_mode(self, runtime_mode: str) -> None:
        """Change the runtime mode, also for processes to come."""
        await self._require_live()
        if self._link.is_up:
            await self._adapter.set_runtime_mode(self.id, runtime_mode)
        self.config = self.config.model_copy(update={"runtime_mode": runtime_mode})
        self._timeline.tell_news(runtime_mode=runtime_mode)

    async def query(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the CLI one of the questions of `protocol.queries`.

        Raises:
            AdapterError: why there is no answer.
        """
        await self._require_live()
        return await self._adapter.query(self.id, name, params)

    async def stop(self, reason: EndReason, *, fast: bool = False) -> Exit:
        """End it and everything it started. Idempotent; shielded. Gives how its process ended."""
        if self.state is SessionState.STARTING:
            self._starting.cancel()
            await self.ended.wait()
        elif not self._is_ending:
            self._machine.fire(SessionTrigger.STOP)
            with anyio.CancelScope(shield=True):
                await self._shut_down(reason, INTERRUPTED, fast=fast)
        elif not self.ended.is_set():
            if fast:
                await self._adapter.stop_session(self.id, turn_running=False, fast=True)
            await self.ended.wait()
        return self._exit

    async def _crash(self, error: AdapterError) -> None:
        """No process can be had for this session any more: that is its end."""
        if not self._is_ending:
            self._machine.fire(SessionTrigger.STOP)
            with anyio.CancelScope(shield=True):
                await self._shut_down("crashed", failed_turn(error))

    async def _on_defect(self, error: Exception) -> None:
        """One of its tasks failed in a way that nobody foresaw: this session ends, the others go on."""
        await self._crash(AdapterError(ErrorKind.PROTOCOL_ERROR, f"An internal error: {type(error).__name__}."))

    async def _shut_down(self, reason: EndReason, turns_end: signals.TurnEnded, *, fast: bool = False) -> None:
        """The end: of its turns by `turns_end`, of its process, of its events."""
        self.activate()
        turns = self._turns.close()
        self._hold.cancel()
        async with self._turns.preparation:
            running = any(turn.is_delivered for turn in turns)
            self._exit = await self._link.stop(turn_running=running, fast=fast)
        for turn in turns:
            if not turn.done.is_set():
                self._turns.complete(turn, turns_end)
        self._desk.withdraw_all()
        self._machine.fire(SessionTrigger.END)
        tail = last_lines(self._link.last_exit.stderr_tail)
        last = SessionEnded(reason=reason, exit_code=self._exit.code, signal=self._exit.signal, stderr_tail=tail)
        self._timeline.close(last)
        self._reason = reason
        self._ledger.note_session(self.record())
        self.ended.set()

    # What the CLI says

    async def _receive(self, batch: list[signals.ProviderEvent]) -> None:
        """Take a batch of the provider's in; wait while the parent is behind, so that the CLI is held back."""
        if self.state is SessionState.ENDED:
            return
        self._watchdog.touch()
        # A CLI that is being stopped must be read to its end, whether or not the parent takes what it says.
        dropping = self._is_urgent and self._sink.backlog(self.id) >= MAX_LAST_WORDS
        for item in batch:
            act = self._signals.get(type(item))
            if act is not None:
                act(item)
            elif not dropping:
                self._timeline.add(item)  # type: ignore[arg-type]
        self._timeline.flush()
        if not self._is_urgent and self._sink.backlog(self.id) >= self._sink.share:
            self._held_back = True
            with anyio.CancelScope() as self._hold:
                await self._sink.wait_ready(self.id)
            self._held_back = False
            self._watchdog.touch()

    def _on_permission_asked(self, asked: signals.PermissionAsked) -> None:
        self._timeline.flush()
        turn = self._turns.open
        plan_mode = self._timeline.known.runtime_mode == "plan"
        self._desk.ask(asked, turn.id if turn is not None else None, plan_mode=plan_mode)

    def _on_compacting(self, signal: signals.Compacting) -> None:
        self._compacting = signal.active

    def _on_exited(self, exited: signals.ProcessExited) -> None:
        """The process has gone: its turns end with it; the session does not."""
        self._compacting = False
        self._desk.withdraw_all()
        if not self._turns.on_exited(exited) and not self._is_ending:
            how = exited.signal or f"exit code {exited.exit_code}"
            self._warn(f"The CLI has exited ({how}); the next message starts it again.")

    # Small things

    @property
    def _is_urgent(self) -> bool:
        turn = self._turns.open
        return self._is_ending or (turn is not None and turn.cut)

    def _activity(self) -> Activity:
        waiting = self._desk.is_waiting or self._held_back
        return Activity(waiting, self._compacting, self._timeline.running_tools)

    def _save(self) -> None:
        self.last_used_at = time.time()
        self._ledger.note_session(self.record())

    def _warn(self, message: str) -> None:
        self._timeline.add_own(Notice(level="warning", message=message))

    async def _decide(self, request_id: str, decision: Decision) -> None:
        try:
            await self._adapter.decide(self.id, request_id, decision)
        except AdapterError as error:
            log.info("session %s: a decision came too late: %s", self.id, error.message)

    async def _require_live(self) -> None:
        # What is sent before the start is answered is meant for a session that has started, or gets the error.
        if self.state is SessionState.STARTING:
            await self._settled.wait()
        if self._is_ending:
            text = f"The session {self.id} has ended or is ending."
            raise AdapterError(ErrorKind.SESSION_NOT_FOUND, text, session_id=self.id)
