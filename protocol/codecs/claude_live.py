"""What a running command of Claude Code writes, from the pieces of its output file to text. Pure.

Measured with claude 2.1.197 and 2.1.329: the CLI has the standard output and error of each command written to
`<temporary folder>/claude-<uid>/<working folder>/<its session id>/tasks/<task id>.output` and reads it from there when
the command has ended. It tells the task's id after about three seconds (`task_started`).
"""

from __future__ import annotations

import codecs
import re

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")
"""What task ids and session ids look like; nothing else becomes a part of a path."""


def output_file(session_id: str, task_id: str) -> str | None:
    """Where the output of a task is, below the CLI's folder for a project; None for ids that are none."""
    if not _NAME.fullmatch(session_id) or not _NAME.fullmatch(task_id):
        return None
    return f"{session_id}/tasks/{task_id}.output"


class LiveText:
    """The text of one growing file. Characters that are cut in two wait for their rest."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed(self, data: bytes, skipped: int = 0) -> str:
        """What a piece of the file says; `skipped` bytes before it were left out, because they came too fast."""
        if not skipped:
            return self._decoder.decode(data)
        before = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        # A cut can leave the rest of a character at the beginning.
        whole = data.lstrip(bytes(range(0x80, 0xC0))) if data[:1] and 0x80 <= data[0] < 0xC0 else data
        return f"{before}\n[{skipped + len(data) - len(whole)} bytes left out]\n{self._decoder.decode(whole)}"
