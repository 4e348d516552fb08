"""A session's process while it has one: started, pumped, started again when it has died, stopped.

A process that dies is not the session's end. The next message starts another one that goes on with the
conversation; only where nothing was ever answered in it may a new conversation take its place.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from adapter.process.child import Exit
from adapter.providers.base import Launch, ProviderAdapter, ProviderStream, SessionConfig
from protocol.errors import AdapterError, ErrorKind
from protocol.signals import ProcessExited, ProviderEvent

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.guard import GuardedTasks
    from protocol.events import SessionStarted

log = logging.getLogger(__name__)

STREAM_END_S = 6.0
"""How long the end of a stream is waited for once its process is stopped: longer than the child's own bounds
together."""


class ProcessLink:
    """The process that works for a session.

    Args:
        session_id: ours.
        adapter: the provider.
        tasks: where the stream is read.
        receive: takes each batch; waits while the parent is behind.
        admit: looks at the folder before a process is started again; the config that it may be started with.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        tasks: GuardedTasks,
        receive: Callable[[list[ProviderEvent]], Awaitable[None]],
        admit: Callable[[SessionConfig], Awaitable[SessionConfig]],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._tasks = tasks
        self._receive = receive
        self._admit = admit
        self._stream: ProviderStream | None = None
        self._over = anyio.Event()
        self._over.set()
        self._stopping = False
        self._origin: Launch | None = None
        """What the first process was started from, as long as no message has been given to it: what it was to go on
        with is then written down nowhere else."""
        self.conversation: str | None = None
        """The provider's id of the conversation, once it may have been written down: what a restart resumes."""
        self.precious = False
        """Whether the conversation holds an answer: then it must not be replaced silently."""
        self.last_exit = ProcessExited(exit_code=None, signal=None, stderr_tail="")
        """How the latest process ended."""

    @property
    def pid(self) -> int | None:
        """The process, None while there is none."""
        return self._stream.pid if self._stream is not None else None

    @property
    def is_up(self) -> bool:
        """Whether there is a process."""
        return self._stream is not None

    async def start(
        self, config: SessionConfig, resume: str | None = None, *, fork: bool = False, resume_at: str | None = None
    ) -> SessionStarted:
        """Start a process; what its handshake told. Nothing of its stream is read before `pump`.

        Raises:
            AdapterError: why it did not start.
        """
        launch = Launch(config, resume, fork, resume_at)
        self._stream = await self._adapter.start_session(self._session_id, launch)
        self._origin = launch if fork or resume_at is not None else None
        self._over = anyio.Event()
        self._stopping = False
        return self._stream.started

    def note_delivery(self, conversation: str | None) -> None:
        """A message is about to be given to the process: from now on the provider has the conversation."""
        self.conversation, self._origin = conversation, None

    def pump(self) -> None:
        """Begin to read the stream."""
        if self._stream is not None:
            self._tasks.start_soon(self._pump, self._stream, self._over)

    async def ensure(self, config: SessionConfig) -> tuple[SessionStarted, bool] | None:
        """Have a process, and not one that is being ended or has gone. None where there is one; else what the new one
        told, and whether it goes on with the conversation.

        Raises:
            AdapterError: it could not be started.
        """
        if self._stream is not None and not self._stopping and not self._stream.has_exited:
            return None
        await self._over.wait()
        config = await self._admit(config)
        resume, origin = self.conversation, self._origin
        if origin is not None:
            return await self.start(config, origin.resume, fork=origin.fork, resume_at=origin.resume_at), True
        try:
            return await self.start(config, resume), resume is not None
        except AdapterError as error:
            if resume is None or self.precious or error.kind is not ErrorKind.SPAWN_FAILED:
                raise
            log.info("session %s: %s; a new conversation is begun", self._session_id, error.message)
            self.conversation = None
            return await self.start(config), False

    async def stop(self, *, turn_running: bool, fast: bool = False) -> Exit:
        """End the process and wait for the end of its stream. Idempotent; bounded."""
        self._stopping = True
        ended = await self._adapter.stop_session(self._session_id, turn_running=turn_running, fast=fast)
        with anyio.move_on_after(STREAM_END_S):
            await self._over.wait()
        last = self.last_exit
        return ended if ended != Exit(None, None) else Exit(last.exit_code, last.signal)

    async def wait_over(self) -> None:
        """Wait until the stream of a process that is ending has been read to its end; bounded."""
        with anyio.move_on_after(STREAM_END_S):
            await self._over.wait()

    async def _pump(self, stream: ProviderStream, over: anyio.Event) -> None:
        try:
            async for batch in stream:
                if batch and isinstance(batch[-1], ProcessExited):
                    self.last_exit = batch[-1]
                    self._stream = None
                await self._receive(batch)
        finally:
            over.set()
