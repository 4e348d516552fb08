"""One process under measurement: its pipes, read with a deadline; its CPU time and memory; its certain end.

The reader must never be what limits the writer: it reads large chunks and counts marks in them, and parses only where a
measurement asks for it. Every wait has a deadline, and a process is ended by its PID, with what it started.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import tempfile
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType
    from typing import Self

READ = 1 << 20
WIDE_PIPE = 1 << 20
"""Bytes that a pipe to the parent holds where throughput is measured: the parent is then never behind, no adapter may
save work by joining deltas, and the figures are of the same work."""

WAIT_S = 60.0
"""The longest that anything here may be silent; measured waits are far shorter, also on a busy machine."""

END_S = 10.0
"""From the end of stdin to the exit, before a process is ended by signal."""

STDERR_SHOWN = 1500


class Failed(Exception):
    """A measurement could not be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Counted:
    """What came: deltas, ends of turns, bytes."""

    deltas: int
    ends: int
    size: int


class Link:
    """A child of ours with stdin and stdout.

    Args:
        command: program and arguments.
        env: its whole environment.
        cwd: its working folder.
        wide: give its pipes room for a whole chunk (`WIDE_PIPE`).
    """

    def __init__(self, command: Sequence[str], *, env: Mapping[str, str], cwd: str, wide: bool = False) -> None:
        self._stderr = tempfile.TemporaryFile()
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._stderr, env=dict(env), cwd=cwd,
            bufsize=0, pipesize=WIDE_PIPE if wide else -1,
        )  # fmt: skip
        assert self.process.stdout is not None
        self._out = self.process.stdout.fileno()
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN | select.POLLHUP)
        self._rest = b""
        self._ps = psutil.Process(self.process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Talking

    def send(self, line: bytes) -> None:
        """Write one line."""
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line + b"\n")
        except OSError as error:
            raise Failed(f"it does not read its input ({error}); {self._said()}") from None

    def read(self, within: float = WAIT_S) -> bytes:
        """What the pipe holds. Raises Failed at the end of output or after `within` seconds of silence."""
        if not self._poll.poll(within * 1000):
            raise Failed(f"silent for {within:g} s; {self._said()}")
        chunk = os.read(self._out, READ)
        if not chunk:
            raise Failed(f"it ended its output; {self._said()}")
        return chunk

    def lines(self, within: float = WAIT_S) -> list[bytes]:
        """The lines that the next chunks complete; at least one."""
        while True:
            *lines, self._rest = (self._rest + self.read(within)).split(b"\n")
            if lines:
                return lines

    def wait_line(self, fits: Callable[[bytes], bool], within: float = WAIT_S) -> bytes:
        """Wait for a line that fits; what comes before it and with it is passed over."""
        deadline = time.perf_counter() + within
        while True:
            for line in self.lines(max(0.0, deadline - time.perf_counter())):
                if fits(line):
                    return line

    def count(self, delta: bytes, end: bytes, ends: int = 1) -> Counted:
        """Read until so many marks `end` have come, and the line of the last; count the marks `delta`, also those that
        a chunk cuts in two."""
        marks = {delta: 0, end: 0}
        tails, self._rest = dict.fromkeys(marks, self._rest), b""
        size, chunk = 0, b""
        while marks[end] < ends or not chunk.endswith(b"\n"):
            chunk = self.read()
            size += len(chunk)
            for mark in marks:
                text = tails[mark] + chunk
                marks[mark] += text.count(mark)
                tails[mark] = text[-(len(mark) - 1) :]
        return Counted(marks[delta], marks[end], size)

    # Looking at it

    def cpu(self) -> float:
        """Seconds of CPU that the process itself has used so far, user and system."""
        with contextlib.suppress(OSError, AttributeError, OverflowError):
            # Linux: the process's own clock, exact to the microsecond; /proc counts in ticks of 10 ms.
            return time.clock_gettime((~self.process.pid << 3) | 2)
        times = self._ps.cpu_times()
        return times.user + times.system

    def rss(self) -> int:
        """Bytes of resident memory of the process itself."""
        return int(self._ps.memory_info().rss)

    def uss(self) -> int:
        """Bytes of memory that are this process's alone; 0 where the system does not tell."""
        with contextlib.suppress(psutil.Error, AttributeError):
            return int(self._ps.memory_full_info().uss)
        return 0

    def helpers_rss(self) -> int:
        """Bytes of resident memory of the processes that it has started and that still run, at any depth."""
        total = 0
        for child in self._ps.children(recursive=True):
            with contextlib.suppress(psutil.Error):
                total += int(child.memory_info().rss)
        return total

    def children(self) -> int:
        """How many processes it has started that still run, at any depth."""
        return len(self._ps.children(recursive=True))

    def bytes_read(self) -> int | None:
        """Bytes that the process has read so far; None where the system does not tell."""
        try:
            return int(self._ps.io_counters().read_chars)
        except (psutil.Error, AttributeError, OSError):
            return None

    # Ending it

    def close(self) -> None:
        """End it: the end of stdin, then signals; and what it started and left. Idempotent."""
        if self._stderr.closed:
            return
        started: list[psutil.Process] = []
        with contextlib.suppress(psutil.Error):
            started = self._ps.children(recursive=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        with contextlib.suppress(OSError):
            self.process.stdin.close()
        self._drain(END_S)
        for end in (self.process.terminate, self.process.kill):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.2 if self.process.poll() is None else END_S)
                break
            end()
        self.process.wait(END_S)
        self.process.stdout.close()
        _, left = psutil.wait_procs(started, timeout=1)
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        self._stderr.close()

    def _drain(self, within: float) -> None:
        """Let it write its last words, which nobody reads, so that it can end."""
        deadline = time.perf_counter() + within
        while (left := deadline - time.perf_counter()) > 0:
            if self._poll.poll(left * 1000) and not os.read(self._out, READ):
                return

    def _said(self) -> str:
        self._stderr.seek(0)
        text = self._stderr.read().decode("utf-8", "replace").strip()
        return f"stderr: {text[-STDERR_SHOWN:] or '(nothing)'}"


@contextlib.contextmanager
def ended_together(links: Sequence[Link]) -> Iterator[None]:
    """Have all of them ended when the block is left."""
    with contextlib.ExitStack() as stack:
        for link in links:
            stack.callback(link.close)
        yield
