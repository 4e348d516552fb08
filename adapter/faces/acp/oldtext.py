"""What stands in a file that a tool call is about to overwrite, so that an editor can show the difference.

Read at once, where the events pass, because a moment later it may be overwritten: hence only what is small and certain
not to wait for anybody.
"""

from __future__ import annotations

import os
import stat

MAX_SIZE = 256 * 1024
"""Bytes of a file that is read: longer ones are no difference that a person looks through."""


def read_old_text(path: str) -> str | None:
    """The text of a regular file; None where there is none, or it is no text, or too long."""
    try:
        about = os.stat(path)
        if not stat.S_ISREG(about.st_mode) or about.st_size > MAX_SIZE:
            return None
        with open(path, "rb") as file:
            return file.read(MAX_SIZE).decode("utf-8")
    except (OSError, ValueError):
        return None
