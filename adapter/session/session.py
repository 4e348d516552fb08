"""A session: its life, its limits, and what its CLI says, for every provider.

Keeps the promises of the contract (section 3) with its parts: the turns run one at a time (`turns.py`), the timeline
numbers and completes their events, the link has the process, `asks.py` the open questions. What the CLI says comes in
through the reception, what the parent changes goes through the controls.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import anyio

from adapter.guard import GuardedTasks
from adapter.session.asks import Asks
from adapter.session.controls import Controls
from adapter.session.ending import Ending
from adapter.session.enforcer import Enforcer
from adapter.session.intake import Intake
from adapter.session.link import ProcessLink
from adapter.session.liveoutput import LiveCommands
from adapter.session.reception import Reception
from adapter.session.record import SessionRecord
from adapter.session.tasks import TaskBoard
from adapter.session.timeline import Timeline
from adapter.session.trust import TrustGate
from adapter.session.turns import Turns
from adapter.session.watchdog import Activity, Watchdog
from protocol import signals
from protocol.errors import AdapterError, ErrorKind
from protocol.events import Notice, SessionUpdated, Tasks
from protocol.lifecycle import SessionState, SessionTrigger, session_machine

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.process.child import Exit
    from adapter.providers.base import ProviderAdapter, SessionConfig
    from adapter.session.intake import Accepted
    from adapter.session.ledger import Ledger
    from adapter.session.limits import SessionLimits
    from adapter.session.sink import Sink
    from protocol.events import EndReason, Task

log = logging.getLogger(__name__)

KEPT_MODES = ("supervised", "accept_edits", "plan")
"""Runtime modes that a process started again takes over, however the last one came to them. `full_access` has to be
chosen by the parent, and stands in the config then."""


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
        self.created_at = self.last_used_at = time.time()
        self._settled = anyio.Event()
        """Set when the start has come to its end, good or bad."""
        self._adapter = adapter
        self._sink = sink
        self._ledger = ledger
        self._tasks = GuardedTasks(tasks, f"session {session_id}", self._on_defect)
        self._machine = session_machine()
        self._starting = anyio.CancelScope()
        self._active = False
        self._timeline = Timeline(session_id, sink)
        self._timeline.hold()
        self._watchdog = Watchdog(limits.silence, self._activity, anyio.current_time)
        self._reception = Reception(session_id, sink, self._timeline, self._watchdog, self._is_urgent)
        self._link = ProcessLink(session_id, adapter, self._tasks, self._reception.receive, self._admit_again)
        self._trust = TrustGate(session_id, adapter, sink, ledger, timeout=limits.permission_timeout)
        self._controls = Controls(session_id, adapter, self._link, self._timeline, config)
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
        self._asks = Asks(
            session_id,
            adapter,
            sink,
            timeline=self._timeline,
            turns=self._turns,
            timeout=limits.permission_timeout,
            tasks=self._tasks,
            changed=self._watchdog.touch,
            decided=lambda decision: self._trust.note_remembered(self.config, decision),
        )
        self._ending = Ending(
            session_id,
            adapter,
            machine=self._machine,
            timeline=self._timeline,
            link=self._link,
            turns=self._turns,
            asks=self._asks,
            reception=self._reception,
            begin=self._begin,
            saved=lambda: ledger.note_session(self.record()),
        )
        self.ended = self._ending.ended
        live = LiveCommands(session_id, adapter, sink, self._timeline, self._tasks, self._watchdog.touch)
        self._board = TaskBoard(self._timeline, live, self._turns.rest)
        self._listen()

    # What the registry and the faces see

    @property
    def config(self) -> SessionConfig:
        """How it is to run, as changed since its start; `resume` and `fork` are taken out."""
        return self._controls.config

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
        return self._ending.exit

    @property
    def idle_since(self) -> float:
        """The loop's time since when no turn has run."""
        return self._turns.idle_since

    @property
    def is_idle(self) -> bool:
        """Whether nothing is running, waiting or asked, in the background neither."""
        waiting = self._turns.waiting or self._asks.is_waiting or self._board.in_background
        return self.state is SessionState.IDLE and not waiting

    @property
    def running_tasks(self) -> list[Task]:
        """The commands and agents that run beside the conversation."""
        return self._board.running

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
            reason=self._ending.reason,
        )

    async def start(self, resume: str | None, *, fork: bool, resume_at: str | None = None) -> None:
        """Start its process. No event goes out before `activate`.

        Raises:
            AdapterError: why it did not start; the session is ended then.
        """
        try:
            with self._starting:
                await self._intake.open()
                self._ledger.note_start(self.record())
                self._controls.config = await self._trust.admit(self.config, may_ask=True)
                self._timeline.known = await self._link.start(self.config, resume, fork=fork, resume_at=resume_at)
                # A cancellation that comes as the last wait ends has not been seen here.
                if not self._starting.cancel_called:
                    if resume is not None:
                        self._link.conversation, self._link.precious = self.provider_session_id, True
                    self._turns.idle_since = anyio.current_time()
                    self._machine.fire(SessionTrigger.READY)
                    self._ledger.note_session(self.record())
                    return
            await self._ending.discard()
            raise AdapterError(ErrorKind.INTERRUPTED, "The session was stopped while it started.", session_id=self.id)
        except BaseException:
            self._ending.fail()
            self._ledger.forget_start(self.id)
            raise
        finally:
            self._settled.set()

    def activate(self) -> None:
        """Let its events go out. Idempotent; called when the parent knows the session."""
        self._begin()
        self._timeline.open()

    def _begin(self) -> None:
        """Begin to work, and to tell of it. Idempotent."""
        if not self._active and self.state is not SessionState.ENDED:
            self._active = True
            self._timeline.add_own(self._timeline.known)
            self._tell_of_trust()
            self._link.pump()
            self._tasks.start_soon(self._turns.run)

    async def submit(self, content: Any, key: str | None = None, *, urgent: bool = False) -> Accepted:
        """Accept a message. Its turn begins when the parent knows of it (`Accepted.release`).

        Args:
            content: text or content blocks.
            key: the parent's idempotency key: a message that was accepted under it is not accepted again.
            urgent: whether it is to reach the turn that runs, instead of waiting for its end.

        Raises:
            AdapterError: `busy` where too many wait, `session_not_found` where the session is ending,
                `invalid_params` where the key was used for another message, `unsupported` where the CLI cannot be
                reached in a turn.
        """
        await self._require_live()
        if urgent:
            self._controls.require_steering()
        self.last_used_at = time.time()
        return self._intake.accept(content, key, urgent=urgent)

    async def interrupt(self) -> bool:
        """End the running turn and keep the session; False where none runs. Returns when the turn has ended.

        Raises:
            AdapterError: `session_not_found` where the session is ending.
        """
        await self._require_live()
        turn = self._turns.in_hand
        if turn is None:
            return False
        self._reception.release()
        await self._enforcer.end(turn)
        return True

    async def set_model(self, model: str) -> None:
        """Change the model from the next turn on, also for processes to come."""
        await self._require_live()
        await self._controls.set_model(model)

    async def set_runtime_mode(self, runtime_mode: str) -> None:
        """Change the runtime mode, also for processes to come."""
        await self._require_live()
        await self._controls.set_runtime_mode(runtime_mode)

    async def query(self, name: str, params: dict[str, Any]) -> dict[str, Any]:
        """Ask the CLI one of the questions of `protocol.queries`.

        Raises:
            AdapterError: why there is no answer.
        """
        await self._require_live()
        return await self._controls.query(name, params)

    async def stop(self, reason: EndReason, *, fast: bool = False) -> Exit:
        """End it and everything it started. Idempotent; shielded. Gives how its process ended."""
        if self.state is SessionState.STARTING:
            self._starting.cancel()
            await self._settled.wait()
        await self._ending.stop(reason, fast=fast)
        return self._ending.exit

    async def _crash(self, error: AdapterError) -> None:
        await self._ending.crash(error)

    async def _on_defect(self, error: Exception) -> None:
        await self._ending.on_defect(error)

    # What the CLI says

    def _listen(self) -> None:
        """Say who acts on what the CLI says."""
        self._reception.before |= {
            signals.TurnEnded: self._close_questions,
            signals.ProcessExited: self._asks.withdraw_all,
        }
        self._reception.handlers |= {
            Tasks: self._board.on_tasks,
            signals.TurnBegan: self._turns.on_began,
            signals.TurnEnded: self._turns.on_ended,
            signals.MessageBegan: lambda signal: self._timeline.cut_off_message(signal.parent_tool_call_id),
            signals.ProcessExited: self._on_exited,
            SessionUpdated: self._timeline.learn,
            **self._asks.handlers,
        }

    async def _close_questions(self) -> None:
        """Before a turn ends. One that was cut has no question left, whether or not the CLI took them back; any other
        may have those of agents that go on."""
        turn = self._turns.open or self._turns.current
        if turn is not None and turn.cut:
            await self._asks.withdraw_all()
        else:
            await self._asks.settle()

    def _on_exited(self, exited: signals.ProcessExited) -> None:
        """The process has gone: its turns end with it; the session does not."""
        self._reception.is_compacting = False
        self._board.on_exited()
        if not self._turns.on_exited(exited) and not self._ending.is_under_way:
            self._warn(f"The CLI has exited ({exited.how}); the next message starts it again.")

    # Small things

    async def _admit_again(self, config: SessionConfig) -> SessionConfig:
        """Before a process is started again, in the mode that the last one came to, by an approved plan for example.
        Nobody is asked then: what has come since the start is left out."""
        if self._timeline.known.runtime_mode in KEPT_MODES:
            config = config.model_copy(update={"runtime_mode": self._timeline.known.runtime_mode})
        self._controls.config = await self._trust.admit(config, may_ask=False)
        self._tell_of_trust()
        return self.config

    def _tell_of_trust(self) -> None:
        for event in self._trust.take_told():
            self._timeline.add_own(event)

    def _is_urgent(self) -> bool:
        turn = self._turns.open or self._turns.current
        return self._ending.is_under_way or (turn is not None and turn.cut)

    def _activity(self) -> Activity:
        waiting = self._asks.is_waiting or self._reception.is_held_back
        working = self._timeline.running_tools or self._board.in_background
        return Activity(waiting, self._reception.is_compacting, working)

    def _save(self) -> None:
        self.last_used_at = time.time()
        self._ledger.note_session(self.record())

    def _warn(self, message: str) -> None:
        self._timeline.add_own(Notice(level="warning", message=message))

    async def _require_live(self) -> None:
        # What is sent before the start is answered is meant for a session that has started, or gets the error.
        if self.state is SessionState.STARTING:
            await self._settled.wait()
        if self._ending.is_under_way:
            text = f"The session {self.id} has ended or is ending."
            raise AdapterError(ErrorKind.SESSION_NOT_FOUND, text, session_id=self.id)
