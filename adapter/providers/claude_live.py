"""Reads the output file of a running command of Claude Code, bit by bit, while it grows. See
`protocol.codecs.claude_live` for where it is.

Only a regular file, below the CLI's own folder, of a task that the CLI has named is read, in a thread, and never more
of it than `PIECE` bytes at a time.
"""

from __future__ import annotations

import glob
import os
import stat
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from protocol.codecs.claude_live import LiveText, output_file

if TYPE_CHECKING:
    from collections.abc import Mapping

POLL_S = 0.5
"""How often a file is looked at: often enough for a person who watches, rarely enough to cost nothing."""

PIECE = 32 * 1024
"""Bytes that are taken at a time: 64 KiB in a second. A command that writes faster than that is not read by anybody."""

MISSES = 20
"""After so many looks for a file that is not there it is given up: ten seconds, where the CLI makes it at once."""


class LiveOutput:
    """The output file of one task. Fits `OutputSource`.

    Args:
        environment: the CLI's.
        session_id: the CLI's id of the conversation.
        task_id: which task.
    """

    def __init__(self, environment: Mapping[str, str], session_id: str, task_id: str) -> None:
        self._folders = _folders(environment)
        self._name = output_file(session_id, task_id)
        self._path: str | None = None
        self._offset = 0
        self._text = LiveText()

    async def read(self) -> str | None:
        """Wait for more and give it; None where there is no such file. Cancel it when the task has ended."""
        misses = 0
        while self._name is not None and misses < MISSES:
            more = await anyio.to_thread.run_sync(self._read_more)
            if more:
                return more
            misses = misses + 1 if self._path is None else 0
            await anyio.sleep(POLL_S)
        return None

    def _read_more(self) -> str:
        if self._path is None:
            patterns = (f"{glob.escape(folder)}/*/{self._name}" for folder in self._folders)
            self._path = next((found for pattern in patterns for found in glob.iglob(pattern)), None)
        if self._path is None:
            return ""
        try:
            # Not a link, and no pipe that would hold us up: whatever else may write into a temporary folder.
            file = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            about = os.fstat(file)
            if not stat.S_ISREG(about.st_mode):
                return ""
            skipped = max(0, about.st_size - self._offset - PIECE)
            data = os.pread(file, PIECE, self._offset + skipped)
        finally:
            os.close(file)
        self._offset += skipped + len(data)
        return self._text.feed(data, skipped) if data else ""


def _folders(environment: Mapping[str, str]) -> list[str]:
    """The CLI's temporary folders: the one that it was told, else the system's (measured with claude 2.1.x)."""
    told = environment.get("CLAUDE_CODE_TMPDIR")
    bases = [told] if told else list(dict.fromkeys(["/tmp", environment.get("TMPDIR") or "/tmp"]))
    return [os.path.join(base, f"claude-{os.getuid()}") for base in bases]
