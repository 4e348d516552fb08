"""Spare processes, where their start meets the end of the daemon."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from adapter.guard import GuardedTasks
from adapter.providers.base import Launch, SessionConfig
from adapter.providers.warm import WarmPool
from tests.support.stepped_session import SOON_S, Gate

pytestmark = pytest.mark.anyio

LAUNCH = Launch(SessionConfig(working_dir="/"))


class Spare:
    """A process that runs until it is ended."""

    returncode: int | None = None


class Scene:
    """A pool of one, and its processes."""

    def __init__(self, tasks: Any) -> None:
        self.starting = Gate()
        self.spares: list[Spare] = []
        self.pool = WarmPool(1, 0, start=self._start, end=self._end, tasks=GuardedTasks(tasks, "a test"))

    async def _start(self, launch: Launch) -> Spare:
        await self.starting()
        self.spares.append(Spare())
        return self.spares[-1]

    async def _end(self, spare: Spare) -> None:
        spare.returncode = 0


async def test_no_spare_is_begun_once_the_pool_is_closed() -> None:
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            scene = Scene(tasks)
            scene.pool.fill(LAUNCH, 1)
            await scene.pool.close()
    assert scene.spares == []


async def test_a_spare_that_is_ready_just_as_the_pool_is_closed_is_ended() -> None:
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:
            scene = Scene(tasks)
            scene.starting.shut()
            scene.pool.fill(LAUNCH, 1)
            await scene.starting.somebody()
            scene.starting.open()
            await scene.pool.close()
    assert [spare.returncode for spare in scene.spares] == [0]
