"""The files of a project that a command names: the script of a hook, the program of a server. Reads, starts nothing.

They belong to what is trusted: by their content, or, where that is too much to read at every start, by what the file
system says of them. Files outside the project are the user's own. Blocking: called in a thread. For providers.
"""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from protocol.command_words import find_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from protocol.trust import Finding

DATA: Final = frozenset(
    ".cache .csv .db .duckdb .err .html .json .jsonl .lock .log .md .ndjson .out .pid .sqlite .sqlite3 .tmp .tsv .txt "
    ".xml".split()
)
"""Endings of files that servers and hooks read and write (`--db notes.db`, `cat context.md`): with each run they would
be others, and who is asked at each start no longer reads the question. What can be executed counts all the same."""

MAX_SCRIPT: Final = 4 * 1024 * 1024
"""Bytes of a file that is read: 5 ms. Scripts have kilobytes; what is larger is a built program."""

MAX_READ: Final = 16 * 1024 * 1024
"""Bytes of all the files that are read in one look: what comes after that is known as larger files are."""

MAX_LOOKUPS: Final = 20_000
"""Names that are looked up in one look, 2 µs each. Who hides a script behind so many words can hide it better."""

MAX_FOLDERS: Final = 20
"""Folders that a command names (`cd tools && ./x.sh`), in which its other words are looked up, too."""


def describe(path: str) -> str:
    """What a file is known by that is not read: never the same again once it has been written to.

    Whoever writes into a file cannot keep its `st_ctime` from being set (stat(2)).
    """
    try:
        status = os.stat(path)
    except OSError:
        return "gone"
    return f"{status.st_size} bytes ({status.st_dev} {status.st_ino} {status.st_mtime_ns} {status.st_ctime_ns})"


def _is_data(path: str) -> bool:
    if os.path.splitext(path)[1].lower() not in DATA or os.access(path, os.X_OK):
        return False
    try:
        with open(path, "rb") as file:
            return file.read(2) != b"#!"
    except OSError:
        return True


class Scripts:
    """Those of one look at a project.

    Args:
        inside: the project's folders, real paths.
    """

    def __init__(self, inside: Iterable[Path]) -> None:
        self._inside = tuple({str(folder).rstrip("/") + "/" for folder in inside if folder != folder.parent})
        self._known: dict[str, str] = {}
        self._left = MAX_READ
        self._lookups = MAX_LOOKUPS

    def note(self, finding: Finding, commands: Any, folders: Sequence[Path]) -> Finding:
        """The finding with the scripts that it names.

        Args:
            finding: as it was found.
            commands: the part of its content that is run.
            folders: where relative names may begin.
        """
        words = find_words(commands)
        found: dict[str, str] = {}
        places = list(dict.fromkeys(map(str, folders)))
        named = [path for path in self._paths(words, places) if os.path.isdir(path)]
        for path in self._paths(words, [*places, *named[:MAX_FOLDERS]]):
            if path not in found and os.path.isfile(path) and not _is_data(path):
                found[path] = self._know(path)
        return replace(finding, scripts=tuple(sorted(found.items()))) if found else finding

    def _paths(self, words: list[str], places: list[str]) -> Iterable[str]:
        """The paths within the project that these words may mean."""
        for word in words:
            for place in places if word not in (".", "..") else ():
                # A substitution leaves a slash behind: `$(git rev-parse --show-toplevel)/tools/x`.
                for name in (word, word.lstrip("/")) if word.startswith("/") else (word,):
                    path = os.path.normpath(os.path.join(place, name))
                    self._lookups -= 1
                    if self._lookups >= 0 and path.startswith(self._inside):
                        yield path

    def _know(self, path: str) -> str:
        """What a file is known by."""
        try:
            real = os.path.realpath(path)
            if not real.startswith(self._inside):
                return f"leads to {real}"
            if real not in self._known:
                self._known[real] = self._read(real)
            return self._known[real] if real == path else f"{real} {self._known[real]}"
        except (OSError, ValueError) as error:
            return f"cannot be looked at: {type(error).__name__}"

    def _read(self, path: str) -> str:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode) and status.st_size <= min(MAX_SCRIPT, self._left):
            try:
                with open(path, "rb") as file:
                    content = file.read(MAX_SCRIPT + 1)
            except PermissionError:
                content = None  # a program can be run all the same
            if content is not None and len(content) <= MAX_SCRIPT:
                self._left -= len(content)
                return sha256(content).hexdigest()
        return describe(path)
