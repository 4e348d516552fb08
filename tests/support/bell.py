"""A named pipe by which a tool and a test tell each other that it is time, so that neither has to look again and again.

A tool rings it with `echo word > PATH` and waits at it with `read x < PATH`; both work although the other end has not
been opened yet, because the test holds the pipe open both ways. Tests may import it.
"""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Self

import anyio

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

WAIT_S = 20.0
"""A tool starts within a second; this allows for a machine that is busy with other tests."""


class Bell:
    """A pipe at `path`, for the length of a `with` block."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self._descriptor)
        self.path.unlink()

    def __str__(self) -> str:
        """Its path as a word for the shell."""
        return shlex.quote(str(self.path))

    def ring(self) -> None:
        """Let who waits go on."""
        os.write(self._descriptor, b"go\n")

    async def heard(self, *, within: float = WAIT_S) -> list[str]:
        """Wait until it is rung; the words that it was rung with.

        Raises:
            TimeoutError: it was not.
        """
        with anyio.fail_after(within):
            await anyio.wait_readable(self._descriptor)
        return os.read(self._descriptor, 4096).decode().split()
