"""The guardian: whatever kills the daemon, nothing of it runs two seconds later."""

import logging
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import psutil
import pytest
from anyio.abc import Process

from adapter.process import guardian as guardian_module
from adapter.process.containment import sweep
from adapter.process.guardian import Guardian
from adapter.process.identity import MARK_VARIABLE, ProcessId, is_alive, new_daemon_id, new_mark, send_signal
from tests.support.proc_target import ROOT, family, gone_within, must_identify, read_json

pytestmark = [pytest.mark.anyio, pytest.mark.spec("10.5")]

PROMISE_S = 2.0
"""Seconds after the daemon's death by which nothing of it may run."""

ENOUGH_S = 8.0
"""Seconds for what is bounded by shorter limits of its own."""

MEMORY_BYTES = 10_000_000
"""Resident memory that the guardian stays under."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Doomed:
    """A running `proc_daemon.py` with what it started."""

    def __init__(self, process: Process, pids: dict[str, int]) -> None:
        self.identity = must_identify(process.pid)
        self.process = process
        self.guardian = must_identify(pids.pop("guardian"))
        self.family = {name: must_identify(pid) for name, pid in pids.items()}

    async def die(self) -> None:
        send_signal(self.identity, signal.SIGKILL)
        await gone_within(PROMISE_S, [self.identity, *self.family.values(), self.guardian])


@asynccontextmanager
async def daemon(reaction: str, *kinds: str, **environment: str) -> AsyncIterator[Doomed]:
    daemon_id = new_daemon_id()
    process = await anyio.open_process(
        [sys.executable, str(ROOT / "tests/support/proc_daemon.py"), daemon_id, reaction, *kinds],
        env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(ROOT), **environment},
        stderr=None,
    )
    async with process:
        doomed: Doomed | None = None
        try:
            doomed = Doomed(process, await read_json(process))
            yield doomed
        finally:
            with anyio.CancelScope(shield=True):
                known = [doomed.identity, doomed.guardian, *doomed.family.values()] if doomed is not None else []
                await sweep(daemon_id, known)


@asynccontextmanager
async def guarded(daemon_id: str | None = None, **options: str) -> AsyncIterator[Guardian]:
    async with anyio.create_task_group() as tasks:
        guardian = Guardian(daemon_id or new_daemon_id(), **options)
        await guardian.start(tasks)
        try:
            yield guardian
        finally:
            await guardian.close()


def identity_of(guardian: Guardian) -> ProcessId:
    assert guardian.pid is not None
    return must_identify(guardian.pid)


async def settled(guardian: ProcessId) -> None:
    """Wait until the guardian ignores signals and sleeps in its read."""
    process = psutil.Process(guardian.pid)
    with anyio.fail_after(ENOUGH_S):
        while not (ignores_signals(guardian.pid) and process.status() == psutil.STATUS_SLEEPING):  # noqa: ASYNC110 (no event)
            await anyio.sleep(0.005)


def ignores_signals(pid: int) -> bool:
    if sys.platform != "linux":
        return True
    ignored = Path(f"/proc/{pid}/status").read_text().partition("SigIgn:")[2].split()[0]
    return bool(int(ignored, 16) & 1 << (signal.SIGQUIT - 1))


@pytest.mark.parametrize("reaction", ["int", "stubborn"])
async def test_when_the_daemon_is_killed_nothing_of_it_runs_two_seconds_later(reaction: str) -> None:
    kinds = ["child", "setsid", "double", "scrubbed", "hidden", "restless", "trap"]
    async with daemon(reaction, *kinds) as doomed:
        assert set(doomed.family) == {"head", *kinds}
        await doomed.die()


async def test_a_cli_that_the_guardian_knows_gets_the_chance_to_flush(tmp_path: Path) -> None:
    flushed = tmp_path / "flushed"
    async with daemon("int", FLUSH_FILE=str(flushed)) as doomed:
        await doomed.die()
    assert flushed.read_text() == "flushed"


async def test_a_stopped_cli_is_woken_to_flush(tmp_path: Path) -> None:
    flushed = tmp_path / "flushed"
    async with daemon("int", FLUSH_FILE=str(flushed)) as doomed:
        send_signal(doomed.family["head"], signal.SIGSTOP)
        await doomed.die()
    assert flushed.read_text() == "flushed"


async def test_a_cli_that_the_guardian_was_not_told_of_is_swept_by_its_mark() -> None:
    async with daemon("int", "setsid", UNWATCHED="1") as doomed:
        await doomed.die()


async def test_signals_that_end_a_daemon_do_not_end_its_guardian() -> None:
    async with daemon("stubborn", "double") as doomed:
        await settled(doomed.guardian)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
            assert send_signal(doomed.guardian, number)
        await doomed.die()


async def test_a_guardian_that_died_is_replaced_by_one_that_knows_everything(tmp_path: Path) -> None:
    flushed = tmp_path / "flushed"
    async with daemon("int", "double", FLUSH_FILE=str(flushed)) as doomed:
        send_signal(doomed.guardian, signal.SIGKILL)
        doomed.guardian = must_identify((await read_json(doomed.process))["guardian"])
        await doomed.die()
    assert flushed.read_text() == "flushed"


async def test_the_death_of_one_daemon_leaves_another_s_session_alone() -> None:
    async with daemon("int", "double") as doomed, daemon("int", "double") as other:
        await doomed.die()
        assert all(map(is_alive, [*other.family.values(), other.guardian]))


async def test_after_the_farewell_the_guardian_looks_once_more_and_leaves() -> None:
    daemon_id = new_daemon_id()
    async with family("int", "double", mark=new_mark(daemon_id)) as leftover, family("int") as stranger:
        with anyio.fail_after(ENOUGH_S):
            async with guarded(daemon_id) as guardian:
                process = identity_of(guardian)
                guardian.watch(leftover.identity)
                guardian.unwatch(leftover.identity)
                await guardian.close()
                assert not is_alive(process)
                await guardian.close()
        await gone_within(1.0, leftover.everyone)
        assert is_alive(stranger.identity)


async def test_the_guardian_is_small_and_has_a_session_of_its_own_and_no_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(MARK_VARIABLE, new_mark(new_daemon_id()))
    async with guarded() as guardian:
        identity = identity_of(guardian)
        process = psutil.Process(identity.pid)
        await settled(identity)
        assert process.memory_info().rss < MEMORY_BYTES
        assert MARK_VARIABLE not in process.environ()
        assert process.cwd() == "/"
        assert os.getsid(identity.pid) == identity.pid
        assert process.num_threads() == 1


async def test_without_a_guardian_the_daemon_lives_on_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(ENOUGH_S), caplog.at_level(logging.WARNING):
        async with guarded(python="/nonexistent/python") as guardian:
            assert guardian.pid is None
            guardian.watch(must_identify(os.getpid()))
            guardian.unwatch(must_identify(os.getpid()))
    assert "no guardian" in caplog.text


async def test_a_guardian_that_cannot_live_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(guardian_module, "RESTART_PAUSE_S", 0.001)
    with anyio.fail_after(ENOUGH_S), caplog.at_level(logging.WARNING):
        async with anyio.create_task_group() as tasks:
            guardian = Guardian(new_daemon_id(), python="/bin/false")
            await guardian.start(tasks)
        # The task group ended by itself: the supervision is over.
        await guardian.close()
    assert caplog.text.count("starting another") == guardian_module.RESTARTS
    assert "no guardian any more" in caplog.text


async def test_a_guardian_that_hangs_at_the_farewell_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guardian_module, "CLOSE_S", 0.2)
    with anyio.fail_after(ENOUGH_S):
        async with guarded() as guardian:
            process = identity_of(guardian)
            send_signal(process, signal.SIGSTOP)
    assert not is_alive(process)


async def test_telling_a_guardian_that_does_not_read_never_blocks_and_gets_it_replaced() -> None:
    with anyio.fail_after(ENOUGH_S):
        async with guarded() as guardian:
            stuck = identity_of(guardian)
            send_signal(stuck, signal.SIGSTOP)
            myself = must_identify(os.getpid())
            for _ in range(10_000):
                guardian.watch(myself)
                guardian.unwatch(myself)
            await gone_within(1.0, [stuck])
