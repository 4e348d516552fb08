"""The mock's own standard streams and signals.

Owns: reading input in chunks, cutting it into lines, writing so that a slow reader never makes the mock deaf, and the
signal handlers with the exit codes of the real CLI (SIGINT 0, SIGTERM 143, SIGHUP 129; measured with claude 2.1.x).
Refuses: any knowledge of JSON or of scenarios.
May be imported by: the other modules of ``mock_clis``.
"""

from __future__ import annotations

import os
import select
import signal
import stat
import sys
import time
from collections import deque
from typing import NoReturn

STDIN, STDOUT, STDERR = 0, 1, 2
READ_SIZE = 1 << 16
# Larger than any pipe, so that one system call fills whatever room there is.
WRITE_SIZE = 1 << 20
# The real CLI gives up on an unread stdout about two seconds after SIGINT (measured with claude 2.1.329).
BLOCKED_AFTER_SIGINT_SECONDS = 2.0
EXIT_SIGTERM = 143
EXIT_SIGHUP = 129
EXIT_SIGINT = 0


class Streams:
    """The three standard streams, read and written without ever losing sight of signals.

    ``lines`` holds complete input lines not yet taken; ``at_eof`` and ``interrupted`` are facts that only ever become
    true. Set ``deaf`` to stop reading input at all.
    """

    def __init__(self) -> None:
        self.lines: deque[bytes] = deque()
        self.at_eof = False
        self.interrupted = False
        self.deaf = False
        self._tail = bytearray()
        self._closed: set[int] = set()
        self._wake_read, wake_write = os.pipe()
        for fd in (self._wake_read, wake_write):
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        self._unblocked = [fd for fd in (STDOUT, STDERR) if _unblock(fd)]
        self.obey(signal.SIGINT, True)
        self.obey(signal.SIGTERM, True)
        self.obey(signal.SIGHUP, True)

    def obey(self, signum: int, obeyed: bool) -> None:
        """Install this mock's handler for ``signum``, or ignore the signal altogether."""
        if not obeyed:
            signal.signal(signum, signal.SIG_IGN)
        elif signum == signal.SIGINT:
            signal.signal(signum, self._on_sigint)
        else:
            signal.signal(signum, lambda number, _frame: self.leave(128 + number))

    def poll(self, timeout: float | None) -> None:
        """Wait for input, a signal or ``timeout`` seconds (None: for ever), and collect whole lines."""
        watched = [self._wake_read]
        if not (self.deaf or self.at_eof):
            watched.append(STDIN)
        ready, _, _ = select.select(watched, [], [], timeout)
        self._collect(ready)

    def write(self, data: bytes) -> None:
        """Write all of ``data`` to stdout; a reader that is gone is ignored, as the real CLI ignores it."""
        self._write(STDOUT, data)

    def complain(self, text: str) -> None:
        """Write ``text`` and a newline to stderr."""
        self._write(STDERR, (text + "\n").encode("utf-8", "replace"))

    def write_stderr(self, data: bytes) -> None:
        """Write raw bytes to stderr."""
        self._write(STDERR, data)

    def close(self, fd: int) -> None:
        """Close one of the standard streams; later writes to it go nowhere."""
        self._closed.add(fd)
        if fd == STDIN:
            self.at_eof = True
        os.close(fd)

    def leave(self, code: int) -> NoReturn:
        """End this process at once with ``code``; nothing is buffered, so nothing is lost. A terminal gets its cursor
        back, as the real CLI does it (measured with claude 2.1.329)."""
        if STDOUT not in self._closed and os.isatty(STDOUT):
            self._write(STDOUT, b"\x1b[?25h")
        for fd in self._unblocked:
            if fd not in self._closed:
                os.set_blocking(fd, True)
        os._exit(code)

    def _on_sigint(self, _signum: int, _frame: object) -> None:
        self.interrupted = True

    def _collect(self, ready: list[int]) -> None:
        if self._wake_read in ready:
            os.read(self._wake_read, READ_SIZE)
        if STDIN not in ready:
            return
        try:
            chunk = os.read(STDIN, READ_SIZE)
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self.at_eof = True
            chunk = b"\n" if self._tail else b""
        head, newline, rest = chunk.rpartition(b"\n")
        if not newline:
            self._tail += chunk
            return
        self.lines.extend((bytes(self._tail) + head).split(b"\n"))
        self._tail = bytearray(rest)

    def _write(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        while view and fd not in self._closed:
            try:
                view = view[os.write(fd, view[:WRITE_SIZE]) :]
            except BlockingIOError:
                self._wait_until_writable(fd)
            except OSError:
                self._closed.add(fd)
                if fd in self._unblocked:
                    self._unblocked.remove(fd)

    def _wait_until_writable(self, fd: int) -> None:
        blocked_since = time.monotonic()
        while True:
            watched = [self._wake_read]
            if not (self.deaf or self.at_eof):
                watched.append(STDIN)
            ready, writable, _ = select.select(watched, [fd], [], BLOCKED_AFTER_SIGINT_SECONDS / 4)
            self._collect(ready)
            if writable:
                return
            if not self.interrupted:
                blocked_since = time.monotonic()
            elif time.monotonic() - blocked_since > BLOCKED_AFTER_SIGINT_SECONDS:
                self.leave(EXIT_SIGINT)


def _unblock(fd: int) -> bool:
    """Make a pipe or socket non-blocking; a terminal or file is shared with others and never blocks for long."""
    try:
        mode = os.fstat(fd).st_mode
    except OSError:
        return False
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)) or sys.platform == "win32":
        return False
    os.set_blocking(fd, False)
    return True
