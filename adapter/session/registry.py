"""The live sessions, and the latest ended ones: started, looked up, listed, stopped, ended when idle for too long.

A session is registered before its process is started and stays until its process has gone.
"""

from __future__ import annotations

import logging
import uuid
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from adapter.session.archive import Archive, Known
from adapter.session.session import Session
from protocol.errors import AdapterError, ErrorKind, invalid_param
from protocol.lifecycle import SessionState

if TYPE_CHECKING:
    from collections.abc import Mapping

    from anyio.abc import TaskGroup

    from adapter.process.child import Exit
    from adapter.providers.base import SessionConfig
    from adapter.providers.manager import ProviderManager
    from adapter.session.ledger import Ledger
    from adapter.session.limits import RegistryLimits
    from adapter.session.record import SessionRecord
    from adapter.session.sink import Sink
    from protocol.events import EndReason

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Ended:
    record: SessionRecord
    exit: Exit
    env: Mapping[str, str]


ENDED_KEPT = 256
"""Ended sessions that stay in the list and can be resumed by our id."""


class Registry:
    """The sessions of this daemon.

    Args:
        providers: where processes come from.
        limits: its settings.
        ledger: where sessions are written down, those of earlier daemons too.
        tasks: where sessions run.
    """

    def __init__(self, providers: ProviderManager, limits: RegistryLimits, ledger: Ledger, tasks: TaskGroup) -> None:
        self._providers = providers
        self._limits = limits
        self._ledger = ledger
        self._tasks = tasks
        self._live: dict[str, Session] = {}
        self._ended: OrderedDict[str, _Ended] = OrderedDict()
        self._resuming: dict[str, str | None] = {}
        """The conversations of sessions that are starting: these do not know theirs yet."""
        self._closing = False
        self._changed = anyio.Event()
        self.archive = Archive(
            providers, live=self._live_of, known=self._known, holder=self._holder_id, forget=self._forget_conversation
        )
        """The conversations that the providers have written down."""

    async def start(self, provider: str, session_id: str | None, config: SessionConfig, sink: Sink) -> Session:
        """Start a session; at the cap, the session that has been idle for longest makes room.

        Raises:
            AdapterError: `limit_reached`, `invalid_params`, or why the CLI did not start.
        """
        adapter = self._providers.get(provider)
        id = session_id or str(uuid.uuid4())
        self._require_free(id, None)
        resume = await self._resolve(config.resume, fork=config.fork)
        if config.fork and resume is None:
            raise invalid_param("config.fork", "only with resume: there is nothing to fork")
        if config.resume_at is not None and resume is None:
            raise invalid_param("config.resume_at", "only with resume: there is nothing to go back in")
        held = None if config.fork else resume
        session = Session(
            id,
            adapter,
            config.model_copy(update={"resume": None, "resume_at": None, "fork": False}),
            sink=sink,
            limits=self._limits.session,
            ledger=self._ledger,
            tasks=self._tasks,
        )
        await self._make_room()
        # Others may have come and taken either of them while we waited.
        self._require_free(id, held)
        self._live[id] = session
        self._resuming[id] = held
        try:
            await session.start(resume, fork=config.fork, resume_at=config.resume_at)
        except BaseException:
            del self._live[id]
            raise
        finally:
            del self._resuming[id]
        self._ended.pop(id, None)
        self._tasks.start_soon(self._retire, session)
        self._changed.set()
        adapter.keep_warm(session.config, self._room)
        return session

    def get(self, session_id: str) -> Session:
        """A live session.

        Raises:
            AdapterError: `session_not_found`.
        """
        session = self._live.get(session_id)
        if session is None:
            hint = "It has ended: start one with config.resume." if session_id in self._ended else "See list_sessions."
            raise AdapterError(
                ErrorKind.SESSION_NOT_FOUND, f"No live session {session_id!r}.", hint=hint, session_id=session_id
            )
        return session

    async def list(self, *, include_ended: bool) -> list[SessionRecord]:
        """The live sessions, and with `include_ended` the latest ended ones, of earlier daemons too; oldest first."""
        records = {session.id: session.record() for session in self._live.values()}
        if include_ended:
            ended = [each.record for each in self._ended.values()]
            written = await self._ledger.ended_sessions(ENDED_KEPT)
            records = {record.session_id: record for record in [*written, *ended]} | records
        return sorted(records.values(), key=lambda record: record.created_at)

    async def stop(self, session_id: str, reason: EndReason = "stopped") -> Exit:
        """End a session; that of an ended one is told again.

        Raises:
            AdapterError: `session_not_found` for one that never was.
        """
        if session_id in self._ended and session_id not in self._live:
            return self._ended[session_id].exit
        session = self.get(session_id)
        ended = await session.stop(reason)
        self._forget(session)  # now, and not when its own task comes to it: the id and the conversation are free
        return ended

    async def stop_all(self, reason: EndReason, *, fast: bool = False) -> None:
        """End all sessions, side by side."""
        self._closing = True
        async with anyio.create_task_group() as tasks:
            for session in list(self._live.values()):
                tasks.start_soon(self._stop_one, session, reason, fast)

    async def reap_idle(self) -> None:
        """End sessions that have been idle for too long. Runs until cancelled."""
        if not self._limits.idle_timeout:
            return
        while True:
            self._changed = anyio.Event()
            now = anyio.current_time()
            due = self._limits.idle_timeout
            for session in list(self._live.values()):
                left = (
                    session.idle_since + self._limits.idle_timeout - now
                    if session.is_idle
                    else self._limits.idle_timeout
                )
                if left <= 0:
                    log.info("session %s has been idle for %g s", session.id, self._limits.idle_timeout)
                    self._tasks.start_soon(self._stop_idle, session)
                else:
                    due = min(due, left)
            with anyio.move_on_after(due):
                await self._changed.wait()

    async def _resolve(self, resume: str | None, *, fork: bool) -> str | None:
        """The provider's id of what is to be resumed, given by our id (any daemon's) or by the provider's."""
        if resume is None:
            return None
        live = self._live_of(resume)
        if live is not None and not fork:
            raise _held_by(live.id)
        if live is not None:
            return live.provider_session_id
        known = await self._known(resume)
        if known is not None and known.provider_session_id is None:
            raise invalid_param("config.resume", "this session ended before its conversation began")
        return resume if known is None else known.provider_session_id

    def _require_free(self, id: str, conversation: str | None) -> None:
        if id in self._live:
            raise invalid_param("session_id", "a live session has this id")
        if conversation is not None:
            holder = self._holder_id(conversation)
            if holder is not None:
                raise _held_by(holder)

    def _holder_of(self, provider_session_id: str) -> Session | None:
        return next(
            (session for session in self._live.values() if session.provider_session_id == provider_session_id), None
        )

    def _live_of(self, id: str) -> Session | None:
        """The live session of this id, ours or its provider's."""
        return self._live.get(id) or self._holder_of(id)

    def _holder_id(self, conversation: str) -> str | None:
        """Our id of the session that has this conversation, or is about to."""
        holder = self._holder_of(conversation)
        if holder is not None:
            return holder.id
        return next((id for id, theirs in self._resuming.items() if theirs == conversation), None)

    async def _known(self, id: str) -> Known | None:
        """What is known of a session: live (by either id), ended, or of an earlier daemon."""
        live = self._live_of(id)
        if live is not None:
            return Known(live.id, live.provider, live.provider_session_id, live.config.working_dir, live.config.env)
        ended = self._ended.get(id)
        record = ended.record if ended is not None else await self._ledger.session(id)
        if record is None:
            return None
        env = ended.env if ended is not None else {}
        return Known(record.session_id, record.provider, record.provider_session_id, record.working_dir, env)

    def _forget_conversation(self, provider_session_id: str) -> None:
        for id, ended in list(self._ended.items()):
            if ended.record.provider_session_id == provider_session_id:
                del self._ended[id]
        self._ledger.forget_conversation(provider_session_id)

    @property
    def _room(self) -> int:
        """How many more processes the cap allows: sessions and spares count alike."""
        return self._limits.max_sessions - len(self._live) - self._providers.spares

    async def _make_room(self) -> None:
        while len(self._live) >= self._limits.max_sessions:
            stopping = [session for session in self._live.values() if session.state is SessionState.STOPPING]
            idle = [session for session in self._live.values() if session.is_idle]
            if stopping:
                await stopping[0].ended.wait()
                self._forget(stopping[0])
            elif idle:
                oldest = min(idle, key=lambda session: session.idle_since)
                await oldest.stop("evicted")
                self._forget(oldest)
            else:
                text = f"{len(self._live)} sessions are live, and none is idle."
                raise AdapterError(ErrorKind.LIMIT_REACHED, text, hint="Stop one, or raise max_sessions.")
        while self._room <= 0 and await self._providers.drop_spare():
            pass
        if self._closing:
            raise AdapterError(ErrorKind.INTERRUPTED, "The daemon is shutting down.")

    async def _stop_one(self, session: Session, reason: EndReason, fast: bool) -> None:
        await session.stop(reason, fast=fast)

    async def _stop_idle(self, session: Session) -> None:
        if session.is_idle:  # a message may have come since it was found idle
            await session.stop("idle_timeout")

    async def _retire(self, session: Session) -> None:
        await session.ended.wait()
        self._forget(session)

    def _forget(self, session: Session) -> None:
        if self._live.get(session.id) is session:
            del self._live[session.id]
            self._ended[session.id] = _Ended(session.record(), session.exit, session.config.env)
            while len(self._ended) > ENDED_KEPT:
                self._ended.popitem(last=False)


def _held_by(session_id: str) -> AdapterError:
    return invalid_param(
        "config.resume", f"the live session {session_id} has this conversation: stop it first, or fork it"
    )
