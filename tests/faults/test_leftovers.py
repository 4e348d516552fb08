"""What a dead child leaves behind, and a child that nobody waits for any more: the process host in small."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import anyio
import psutil
import pytest

from adapter.process.host import ProcessHost
from adapter.process.identity import MARK_VARIABLE, new_daemon_id
from adapter.providers import probe
from tests.faults.processes import Targets, wait_until, watch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from adapter.process.identity import ProcessId

pytestmark = pytest.mark.anyio

SOON_S = 10.0
"""Seconds for a shell to start and end, on a busy machine."""


class Log:
    """A spawn log that can be held up."""

    def __init__(self) -> None:
        self.reached = anyio.Event()
        self.go_on = anyio.Event()
        self.go_on.set()

    async def spawning(self, mark: str, owner: str | None) -> None:
        """Nothing is written."""

    async def spawned(self, mark: str, process: ProcessId) -> None:
        """Waits until it may go on."""
        self.reached.set()
        await self.go_on.wait()

    def exited(self, mark: str) -> None:
        """Nothing is written."""


@pytest.fixture
def log() -> Log:
    return Log()


@pytest.fixture
async def host(log: Log) -> AsyncIterator[ProcessHost]:
    async with anyio.create_task_group() as tasks:
        yield (host := ProcessHost(new_daemon_id(), log, tasks, os.environ))
        await host.close()
        tasks.cancel_scope.cancel()


async def test_what_holds_the_pipes_open_after_the_exit_is_ended_though_nobody_reads(
    host: ProcessHost, tmp_path: Path
) -> None:
    child = await host.spawn(["sh", "-c", "setsid sleep 300 & exit 3"], cwd=str(tmp_path))
    with anyio.fail_after(SOON_S):
        await child.exited.wait()
    aftermath = await watch(Targets(MARK_VARIABLE, frozenset({child.mark})), time.monotonic(), SOON_S)
    assert aftermath.left == []
    assert aftermath.seconds is not None
    assert (await host.bury(child)).code == 3


async def test_a_spawn_that_is_cancelled_half_way_still_gives_its_child_to_the_caller(
    host: ProcessHost, log: Log, tmp_path: Path
) -> None:
    log.go_on = anyio.Event()
    children = []
    with anyio.fail_after(SOON_S):
        async with anyio.create_task_group() as tasks:

            async def spawn() -> None:
                children.append(await host.spawn(["sleep", "300"], cwd=str(tmp_path)))

            tasks.start_soon(spawn)
            await log.reached.wait()
            tasks.cancel_scope.cancel()
            log.go_on.set()
    (child,) = children
    # Right after the fork it has no command line yet.
    await wait_until("the child", lambda: psutil.Process(child.pid).cmdline() == ["sleep", "300"], SOON_S)


async def test_a_program_that_says_more_than_is_wanted_costs_no_descriptor(
    host: ProcessHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "PROBE_S", 0.1)
    before = psutil.Process().num_fds()
    answer = await probe.ask(host, ["yes"])
    assert answer.timed_out
    assert psutil.Process().num_fds() == before


async def test_the_harness_sees_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.faults.processes.GIVE_UP_S", 0.5)
    variable = {"FAULT_SESSION": "one"}
    async with await anyio.open_process(["sleep", "300"], env=variable) as process:
        try:
            aftermath = await watch(Targets("FAULT_SESSION", frozenset({"one"})), time.monotonic(), 0.1)
        finally:
            process.kill()
    assert aftermath.seconds is None
    assert aftermath.left == [f"{process.pid} sleep 300"]
