"""Our own stdin and stdout: claimed once, read in chunks, written without ever blocking the loop.

The claim contract: whoever calls `claim` owns descriptors 0 and 1 from then on. The originals live on under
private numbers; descriptor 0 leads to the null device and 1 to stderr, so that neither a stray print nor a child
can touch the wire.

No threads: a thread that waits on stdin cannot be ended, and keeps the process alive at SIGTERM until the parent
closes the pipe (measured). Pipes, sockets and terminals are awaited by the loop; a regular file, which the loop
cannot watch, never blocks.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from dataclasses import dataclass

import anyio

READ_CHUNK = 64 * 1024
"""Bytes per read of the parent's pipe: its default capacity on Linux."""

WRITE_AT_ONCE = 256 * 1024
"""Bytes joined into one write. Larger than a pipe, small enough that a copy does not matter."""


@dataclass(frozen=True, slots=True)
class Stdio:
    """The claimed descriptors."""

    input: int
    output: int


def claim() -> Stdio:
    """Take hold of stdin and stdout. Call once, before anything can print."""
    input, output = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return Stdio(input, output)


async def read_chunk(fd: int) -> bytes:
    """What the descriptor holds, waiting for something; empty at the end of input."""
    while True:
        try:
            await anyio.wait_readable(fd)
        except PermissionError:
            await anyio.lowlevel.checkpoint()
        try:
            return os.read(fd, READ_CHUNK)
        except BlockingIOError:
            continue
        except OSError:
            return b""


async def wait_reader_gone(fd: int) -> None:
    """Return when nobody can read what is written to this pipe or socket any more; never for files and terminals."""
    if _is_stream(fd):
        # A pipe's write end is never readable: what wakes the wait is the error state that the last reader leaves.
        await anyio.wait_readable(fd)
    else:
        await anyio.sleep_forever()


class Outbox:
    """The one writer of a descriptor: first in, first out, with a count of unsent bytes for each lane.

    A lane is whatever shares the wire fairly: here, a session. `put` never waits; who produces much waits for its
    own lane with `wait_below`, so that every lane has at most its share in the queue and none waits for more than
    the others' shares.

    Args:
        fd: the descriptor; a pipe or socket is made non-blocking.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._queue: deque[tuple[bytes, str | None]] = deque()
        self._sent_of_first = 0
        self._backlog: dict[str | None, int] = {}
        self._waiting: dict[str | None, anyio.Event] = {}
        self._work = anyio.Event()
        self._awaiting_room = False
        self.size = 0
        """Unsent bytes of all lanes."""
        self.broken = anyio.Event()
        """Set when the other side can no longer read."""
        if _is_stream(fd):
            os.set_blocking(fd, False)

    def put(self, data: bytes, lane: str | None = None) -> None:
        """Queue bytes; they are written at once where the pipe has room."""
        if self.broken.is_set() or not data:
            return
        self._queue.append((data, lane))
        self._backlog[lane] = self._backlog.get(lane, 0) + len(data)
        self.size += len(data)
        if not self._awaiting_room:
            self._write()

    def backlog(self, lane: str | None) -> int:
        """Unsent bytes of a lane."""
        return self._backlog.get(lane, 0)

    async def wait_below(self, lane: str | None, limit: int) -> None:
        """Wait until a lane has fewer unsent bytes than `limit`, or nobody reads any more."""
        while self.backlog(lane) >= limit and not self.broken.is_set():
            await self._waiting.setdefault(lane, anyio.Event()).wait()

    async def run(self) -> None:
        """Write what the pipe had no room for. Runs until cancelled."""
        while True:
            await self._work.wait()
            await anyio.wait_writable(self._fd)
            self._work = anyio.Event()
            self._awaiting_room = False
            self._write()

    async def flush(self, within: float) -> bool:
        """Wait until everything is written; False where `within` seconds were not enough or nobody reads."""
        with anyio.move_on_after(within):
            for lane in list(self._backlog):
                await self.wait_below(lane, 1)
        return not self.size and not self.broken.is_set()

    def _write(self) -> None:
        try:
            while self._queue:
                self._account(os.write(self._fd, self._next_bytes()))
        except BlockingIOError:
            self._awaiting_room = True
            self._work.set()
        except OSError:
            self._break()

    def _next_bytes(self) -> bytes | memoryview:
        first = self._queue[0][0]
        if self._sent_of_first or len(first) >= WRITE_AT_ONCE or len(self._queue) == 1:
            return memoryview(first)[self._sent_of_first :]
        parts, size = [], 0
        for data, _ in self._queue:
            size += len(data)
            if size > WRITE_AT_ONCE:
                break
            parts.append(data)
        return b"".join(parts)

    def _account(self, written: int) -> None:
        self.size -= written
        while written:
            data, lane = self._queue[0]
            rest = len(data) - self._sent_of_first
            done = min(rest, written)
            written -= done
            self._lower(lane, done)
            if done == rest:
                self._queue.popleft()
                self._sent_of_first = 0
            else:
                self._sent_of_first += done

    def _lower(self, lane: str | None, count: int) -> None:
        left = self._backlog[lane] - count
        if left:
            self._backlog[lane] = left
        else:
            del self._backlog[lane]
        waiting = self._waiting.pop(lane, None)
        if waiting is not None:
            waiting.set()

    def _break(self) -> None:
        self._queue.clear()
        self._backlog.clear()
        self.size = 0
        self.broken.set()
        for waiting in self._waiting.values():
            waiting.set()
        self._waiting.clear()


def _is_stream(fd: int) -> bool:
    mode = os.fstat(fd).st_mode
    return stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)
