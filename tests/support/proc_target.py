"""Real processes as the stop ladder and the guardian meet them, and proof that they are gone.

Owns the `StopTarget` that the tests stop, starting process families (`proc_family.py`) and waiting for ends by pidfd.
Whatever a family started is killed when its context is left.
"""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

from adapter.process.containment import sweep
from adapter.process.identity import MARK_VARIABLE, ProcessId, identify, is_alive, new_daemon_id, new_mark

ROOT = Path(__file__).resolve().parents[2]

FAMILY = ROOT / "tests/support/proc_family.py"

START_S = 10.0
"""Seconds for an interpreter and a few shells to start, on a machine that is busy with other tests."""


class FamilyTarget:
    """A family's head as a `StopTarget`, noting what was asked of it; `on_interrupt` stands for the CLI's answer."""

    def __init__(self, process: Process, mark: str, on_interrupt: Callable[[], Awaitable[None]] | None) -> None:
        self.process = process
        self.mark = mark
        self.calls: list[str] = []
        self.members: dict[str, ProcessId] = {}
        self.identity = must_identify(process.pid)
        self._on_interrupt = on_interrupt

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def returncode(self) -> int | None:
        return self.process.returncode

    @property
    def everyone(self) -> list[ProcessId]:
        """The head and all that it told of."""
        return [self.identity, *self.members.values()]

    async def interrupt_turn(self) -> None:
        self.calls.append("interrupt_turn")
        if self._on_interrupt is not None:
            await self._on_interrupt()

    async def close_stdin(self) -> None:
        self.calls.append("close_stdin")
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def wait_exit(self) -> int:
        return await self.process.wait()


@asynccontextmanager
async def family(
    reaction: str,
    *kinds: str,
    mark: str | None = None,
    on_interrupt: Callable[[], Awaitable[None]] | None = None,
    flush_file: str | None = None,
) -> AsyncIterator[FamilyTarget]:
    """A running family, all its members started; afterwards none of it is left."""
    mark = mark or new_mark(new_daemon_id())
    environment = {"PATH": os.environ.get("PATH", os.defpath), MARK_VARIABLE: mark}
    if flush_file is not None:
        environment["FLUSH_FILE"] = flush_file
    process = await anyio.open_process(
        [sys.executable, "-I", "-S", str(FAMILY), reaction, *kinds],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=None,
        env=environment,
        start_new_session=True,
    )
    async with process:
        target = FamilyTarget(process, mark, on_interrupt)
        try:
            target.members = {kind: must_identify(pid) for kind, pid in (await read_json(process)).items()}
            yield target
        finally:
            with anyio.CancelScope(shield=True):
                await sweep(mark, target.everyone)


async def read_json(process: Process) -> dict[str, int]:
    """The next line of the process's output, which is an object of PIDs."""
    assert process.stdout is not None
    with anyio.fail_after(START_S):
        line = await BufferedByteReceiveStream(process.stdout).receive_until(b"\n", 65536)
    return {str(name): int(pid) for name, pid in json.loads(line).items()}


async def gone_within(seconds: float, processes: Iterable[ProcessId]) -> None:
    """Wait until none of the processes lives; TimeoutError if one still does after that time."""
    with anyio.fail_after(seconds):
        for process in processes:
            await _end_of(process)


async def _end_of(process: ProcessId) -> None:
    if sys.platform != "linux":
        while is_alive(process):  # noqa: ASYNC110 (no pidfd, no event)
            await anyio.sleep(0.01)
        return
    try:
        descriptor = os.pidfd_open(process.pid)
    except ProcessLookupError:
        return
    try:
        if is_alive(process):
            await anyio.wait_readable(descriptor)
    finally:
        os.close(descriptor)


def must_identify(pid: int) -> ProcessId:
    """The identity of a process that is known to be there."""
    process = identify(pid)
    assert process is not None, f"no process {pid}"
    return process
