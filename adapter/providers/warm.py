"""CLIs that have done their handshake before anybody needs them: a session with the same options starts at once.

A spare is used once, by a session whose options are exactly those it was started with, and replaced. One that is
too old, has died, or belongs to options that are no longer asked for is ended like any other process. Knows no
provider's dialect.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

import anyio

from protocol.errors import AdapterError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.guard import GuardedTasks
    from adapter.providers.base import Launch

log = logging.getLogger(__name__)


class Spare(Protocol):
    """A process that waits to be used."""

    @property
    def returncode(self) -> int | None:
        """None while it runs."""


P = TypeVar("P", bound=Spare)


class _Start(Generic[P]):
    """A spare that is being started."""

    def __init__(self, wanted: str) -> None:
        self.fingerprint = wanted
        self.scope = anyio.CancelScope()
        self.done = anyio.Event()
        self.process: P | None = None
        self.claimed = False
        """Whether a session waits for it already."""


@dataclass(frozen=True, slots=True)
class _Kept(Generic[P]):
    fingerprint: str
    process: P
    since: float


class WarmPool(Generic[P]):
    """The spare processes of one provider.

    Args:
        size: how many are kept for the options asked for last; 0 keeps none.
        max_age: seconds after which a spare is not used any more: what it read when it started (settings, memory
            files) may
            have changed. 0: no limit.
        start: starts a process up to the end of its handshake.
        end: ends one.
        tasks: where spares are started and ended.
    """

    def __init__(
        self,
        size: int,
        max_age: float,
        *,
        start: Callable[[Launch], Awaitable[P]],
        end: Callable[[P], Awaitable[object]],
        tasks: GuardedTasks,
    ) -> None:
        self._size = size
        self._max_age = max_age
        self._start = start
        self._end = end
        self._tasks = tasks
        self._spares: list[_Kept[P]] = []
        self._starts: list[_Start[P]] = []
        self._closed = False

    @property
    def count(self) -> int:
        """Spares that run or are being started."""
        return len(self._spares) + len(self._starts)

    async def take(self, launch: Launch) -> P | None:
        """A spare for exactly these options, ready or about to be; None where there is none. It is the caller's from
        now on."""
        wanted = fingerprint(launch)
        await self._end_unfit(wanted)
        if self._spares:
            return self._spares.pop(0).process
        start = next((each for each in self._starts if each.fingerprint == wanted and not each.claimed), None)
        if start is None:
            return None
        start.claimed = True
        try:
            await start.done.wait()
        except BaseException:
            start.claimed = False
            if start.process is not None:
                self._keep(start)
            raise
        return start.process

    def fill(self, launch: Launch, room: int) -> None:
        """Have spares for these options, as many as the pool keeps and there is room for; those for others are
        ended."""
        if self._size and launch.resume is None and not self._closed:
            self._tasks.start_soon(self._fill, launch, room)

    async def drop(self) -> bool:
        """End a spare to make room; False where there is none."""
        if self._spares:
            await self._end(self._spares.pop(0).process)
            return True
        start = next((each for each in self._starts if not each.claimed), None)
        if start is None:
            return False
        start.scope.cancel()
        await start.done.wait()
        return True

    async def close(self) -> None:
        """End all spares and keep none any more."""
        self._closed = True
        for start in self._starts:
            start.scope.cancel()
        spares, self._spares = self._spares, []
        async with anyio.create_task_group() as tasks:
            for kept in spares:
                tasks.start_soon(self._end_one, kept.process)
            for start in list(self._starts):
                tasks.start_soon(start.done.wait)

    async def _end_one(self, process: P) -> None:
        await self._end(process)

    async def _fill(self, launch: Launch, room: int) -> None:
        if self._closed:
            return
        wanted = fingerprint(launch)
        await self._end_unfit(wanted)
        for start in self._starts:
            if start.fingerprint != wanted and not start.claimed:
                start.scope.cancel()
        missing = [_Start[P](wanted) for _ in range(min(self._size - self._ready_or_starting(wanted), room))]
        self._starts += missing
        for start in missing:
            with start.scope:
                await self._start_one(start, launch)
            self._starts.remove(start)
            start.done.set()

    async def _start_one(self, start: _Start[P], launch: Launch) -> None:
        try:
            start.process = await self._start(launch)
        except AdapterError as error:
            log.info("a spare process did not start: %s", error.message)
            return
        if not start.claimed:
            self._keep(start)

    def _ready_or_starting(self, wanted: str) -> int:
        starting = [start for start in self._starts if start.fingerprint == wanted and not start.claimed]
        return len(self._spares) + len(starting)

    def _keep(self, start: _Start[P]) -> None:
        if start.process is not None and self._closed:
            self._tasks.start_soon(self._end, start.process)
        elif start.process is not None:
            self._spares.append(_Kept(start.fingerprint, start.process, anyio.current_time()))

    async def _end_unfit(self, wanted: str) -> None:
        unfit = [kept for kept in self._spares if not self._fits(kept, wanted)]
        self._spares = [kept for kept in self._spares if kept not in unfit]
        for kept in unfit:
            self._tasks.start_soon(self._end, kept.process)

    def _fits(self, kept: _Kept[P], wanted: str) -> bool:
        too_old = self._max_age and anyio.current_time() - kept.since > self._max_age
        return kept.fingerprint == wanted and kept.process.returncode is None and not too_old


def fingerprint(launch: Launch) -> str:
    """What has to be the same for a spare to be used: every option there is."""
    return sha256(f"{launch.resume} {launch.fork} {launch.config.model_dump_json()}".encode()).hexdigest()
