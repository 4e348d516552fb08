"""A parent whose every descriptor is in the harness's hands: it can stop reading, close one pipe and keep the other.

Owns the daemon's pipes; what was said and the waits for it are `tests.support.daemon`'s.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import subprocess
import termios
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from tests.faults.processes import wait_until
from tests.support.daemon import ROOT, Daemon

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from anyio.abc import Process, TaskGroup

FULL_S = 10.0
"""Seconds for the daemon to fill a pipe: milliseconds, unless the machine is very busy."""

PIPE_IS_FULL = 32 * 1024
"""Unread bytes from which on a pipe that no longer grows counts as full: half of its usual capacity, for it is filled
in whole pages."""

FILLERS = 3
"""Requests with a large answer that nobody reads: `rpc.discover` tells 56 KB each time, and a pipe takes 64."""


class Parent(Daemon):
    """A daemon as its parent sees it. Made by `run`."""

    def __init__(self, process: Process, tasks: TaskGroup, to_daemon: int, from_daemon: int) -> None:
        super().__init__(process, tasks)
        self._to_daemon: int | None = to_daemon
        self._from_daemon: int | None = from_daemon
        self._rest = b""
        self._reading = anyio.CancelScope()
        self._at_rest = anyio.Event()

    async def send_raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self._to_daemon is not None
        while data:
            data = data[os.write(self._to_daemon, data) :]

    async def close_stdin(self) -> None:
        """Close our end of its stdin. Idempotent."""
        if self._to_daemon is not None:
            os.close(self._to_daemon)
            self._to_daemon = None

    async def stop_reading(self) -> None:
        """Read no more until `go_on_reading`."""
        self._reading.cancel()
        await self._at_rest.wait()

    def go_on_reading(self) -> None:
        """Read what has come meanwhile, and go on."""
        self._tasks.start_soon(self._read)

    async def close_stdout(self) -> None:
        """Close our end of its stdout."""
        await self.stop_reading()
        if self._from_daemon is not None:
            os.close(self._from_daemon)
            self._from_daemon = None

    async def fill_stdout(self) -> None:
        """Read no more, and have the daemon say more than the pipe takes."""
        await self.stop_reading()
        for _ in range(FILLERS):
            await self.post("rpc.discover")
        sizes = [0]

        def is_full() -> bool:
            sizes.append(self._unread())
            return sizes[-1] >= PIPE_IS_FULL and sizes[-1] == sizes[-2]

        await wait_until("a full pipe", is_full, FULL_S)

    def _unread(self) -> int:
        assert self._from_daemon is not None
        answer = fcntl.ioctl(self._from_daemon, termios.FIONREAD, b"\0" * 4)
        return int(struct.unpack("i", answer)[0])

    async def _read(self) -> None:
        assert self._from_daemon is not None
        self._at_rest = anyio.Event()
        with anyio.CancelScope() as self._reading:
            while True:
                await anyio.wait_readable(self._from_daemon)
                chunk = os.read(self._from_daemon, 1 << 20)
                if not chunk:
                    break
                *lines, self._rest = (self._rest + chunk).split(b"\n")
                for line in lines:
                    self._take(json.loads(line))
            self._over.set()
            self._changed.set()
        self._at_rest.set()

    def _let_go(self) -> None:
        for descriptor in (self._to_daemon, self._from_daemon):
            if descriptor is not None:
                os.close(descriptor)
        self._to_daemon = self._from_daemon = None


@asynccontextmanager
async def run(command: Sequence[str], env: Mapping[str, str]) -> AsyncIterator[Parent]:
    """Run a daemon for a block; afterwards it is killed if it still runs."""
    (daemon_in, to_daemon), (from_daemon, daemon_out) = os.pipe(), os.pipe()
    try:
        process = await anyio.open_process(
            command,
            stdin=daemon_in,
            stdout=daemon_out,
            stderr=subprocess.PIPE,
            env={**env, "PYTHONPATH": str(ROOT)},
            cwd=ROOT,
        )
    finally:
        os.close(daemon_in)
        os.close(daemon_out)
    async with anyio.create_task_group() as tasks:
        parent = Parent(process, tasks, to_daemon, from_daemon)
        tasks.start_soon(parent._read)
        tasks.start_soon(parent._read_stderr)
        try:
            yield parent
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()
                tasks.cancel_scope.cancel()
                await process.aclose()
                await parent.stop_reading()
                parent._let_go()
