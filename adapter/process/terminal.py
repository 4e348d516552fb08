"""A pseudo-terminal for a child's output: made, sized, read to its end.

Only the output goes through it. Input stays a pipe, because the CLIs take no live input from a terminal, and stderr
stays a pipe, because a terminal would mix it into the output. The child is given it as its controlling terminal, so
that it meets what it would meet in a person's window. May be imported by `child.py`.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import tty
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from collections.abc import Sequence

ROWS = 50
COLUMNS = 200
"""Wide enough that hardly a program folds its lines."""

ENVIRONMENT = {"TERM": "xterm", "NO_COLOR": "1", "LINES": str(ROWS), "COLUMNS": str(COLUMNS)}
"""What programs look at besides the window size; `NO_COLOR` is the convention of no-color.org."""

_TAKE_TERMINAL = 'exec "$@" 1<>"$0"'
"""The head of a session gets the terminal that it opens first as its controlling one. A shell does this, because
code of ours between fork and exec is not safe in a process that has threads."""


class Terminal:
    """Our end of a pseudo-terminal. Reads like a pipe: bytes, then `anyio.EndOfStream`.

    Raises:
        OSError: the system has no pseudo-terminal left.
    """

    def __init__(self) -> None:
        self._ours, theirs = os.openpty()
        self.child_end: int | None = theirs
        """The descriptor that the child inherits as its stdout; see `release`."""
        self._closed = False
        # Nothing is to be rewritten on its way: no CR before a LF, no tab turned into spaces.
        tty.setraw(theirs)
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        os.set_blocking(self._ours, False)
        self._path = os.ttyname(theirs)

    def command(self, command: Sequence[str]) -> list[str]:
        """The command that takes this terminal for its own before it becomes `command`, under the same PID."""
        return ["/bin/sh", "-c", _TAKE_TERMINAL, self._path, *command]

    def release(self) -> None:
        """Let go of the child's end once the child has it: only then does its exit end our reading."""
        if self.child_end is not None:
            os.close(self.child_end)
            self.child_end = None

    async def receive(self, max_bytes: int = 65536) -> bytes:
        """What has been written, waiting for something.

        A terminal gives at most 4096 bytes a read (Linux), so all that is there is read at once.

        Raises:
            anyio.EndOfStream: nobody holds the other end any more.
        """
        parts: list[bytes] = []
        size = 0
        while not self._closed:
            try:
                part = os.read(self._ours, max_bytes - size)
            except BlockingIOError:
                if parts:
                    break
                await anyio.wait_readable(self._ours)
                continue
            except OSError:
                # EIO: the other end is closed (Linux). What was read before it comes first, and the error again.
                part = b""
            if not part:
                break
            parts.append(part)
            size += len(part)
            if size >= max_bytes:
                break
        if not parts:
            raise anyio.EndOfStream
        return b"".join(parts)

    async def aclose(self) -> None:
        """Give it back. Idempotent."""
        self.close()

    def close(self) -> None:
        """As `aclose`, for those who cannot wait."""
        self.release()
        if not self._closed:
            self._closed = True
            anyio.notify_closing(self._ours)
            os.close(self._ours)
