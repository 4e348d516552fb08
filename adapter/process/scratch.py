"""A daemon's scratch folder: files that a child has to read when it starts, and that nobody else may.

Owns: the folder, which only we can enter, its files, and their end: by whoever wrote them, at the daemon's end, by the
guardian when the daemon dies, and by the next daemon when both did. Made when the first file is written. May be
imported by whoever spawns, by the ledger, and by the guardian's script.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress


def folder_of(daemon_id: str) -> str:
    """Where the scratch folder of a daemon is, or would be. The id is random, so nobody can be there before us."""
    return os.path.join(tempfile.gettempdir(), f"agent-adapter-{daemon_id}")


def clear(folder: str) -> None:
    """Remove a scratch folder and its files. Idempotent."""
    with suppress(OSError):
        for name in os.listdir(folder):
            remove(os.path.join(folder, name))
        os.rmdir(folder)


def remove(path: str | None) -> None:
    """Remove a file that may be gone already."""
    if path is not None:
        with suppress(OSError):
            os.unlink(path)


class Scratch:
    """The scratch folder of this daemon.

    Args:
        daemon_id: ours.
    """

    def __init__(self, daemon_id: str) -> None:
        self.folder = folder_of(daemon_id)

    def write(self, prefix: str, text: str) -> str:
        """Write a new file; its path.

        Raises:
            OSError: it cannot be written; nothing of it is left then.
        """
        with suppress(FileExistsError):
            os.mkdir(self.folder, 0o700)
        descriptor, path = tempfile.mkstemp(prefix=f"{prefix}-", dir=self.folder)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(text)
        except BaseException:
            remove(path)
            raise
        return path

    def close(self) -> None:
        """Remove everything. Idempotent."""
        clear(self.folder)
