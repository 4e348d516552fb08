"""Where Claude Code keeps its conversations on this machine: folders, files, and who is who among them.

Knows names and places, not what stands in the files. Blocking: called in threads. Used by the Claude provider.
Measured with claude 2.1.197 and 2.1.329:

    <CLAUDE_CONFIG_DIR, else ~/.claude>/projects/<working folder>/<id>.jsonl           the conversation
                                                                  <id>/subagents/…     its subagents', and what else
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

CONFIG_VARIABLE = "CLAUDE_CONFIG_DIR"

_NOWHERE = "_"
"""The name for a path that cannot be: one that the CLI gives to no folder, its names having no such character."""

MAX_NAME = 200
"""Characters of a working folder's name that the CLI uses; a longer one is cut and gets a hash."""

ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
"""A conversation's id. Nothing else ever becomes part of a path."""

_OTHER = re.compile(r"[^A-Za-z0-9]")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


@dataclass(frozen=True, slots=True)
class Transcript:
    """A conversation's file."""

    id: str
    path: Path
    modified_ns: int
    size: int

    @property
    def side(self) -> Path:
        """The folder beside it: subagents, large outputs; it need not be there."""
        return self.path.with_suffix("")


class Store:
    """The conversations of one user's CLI.

    Args:
        environment: the CLI's, as a session would have it.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        home = environment.get("HOME") or os.path.expanduser("~")
        self.projects = Path(environment.get(CONFIG_VARIABLE) or Path(home) / ".claude") / "projects"

    def transcripts(self, working_dir: str | None = None) -> list[Transcript]:
        """Those of a working folder, or all; latest first, and then in the order of their ids."""
        folders = [self.projects / folder_name(working_dir)] if working_dir is not None else self._folders()
        found = [transcript for folder in folders for transcript in _in(folder)]
        return sorted(found, key=lambda each: (-each.modified_ns, each.id))

    def find(self, id: str, working_dir: str | None = None) -> Transcript | None:
        """A conversation's file: that under the working folder, else the latest one under another."""
        if not ID.match(id):
            return None
        if working_dir is not None and (own := _at(self.projects / folder_name(working_dir) / f"{id}.jsonl")):
            return own
        found = [there for folder in self._folders() if (there := _at(folder / f"{id}.jsonl"))]
        return max(found, key=lambda each: each.modified_ns, default=None)

    def is_under(self, transcript: Transcript, working_dir: str) -> bool:
        """Whether it was held in this working folder, as far as the CLI can tell."""
        return transcript.path.parent.name == folder_name(working_dir)

    def _folders(self) -> list[Path]:
        try:
            with os.scandir(self.projects) as entries:
                return [Path(entry.path) for entry in entries if entry.is_dir()]
        except OSError:
            return []


def subagents(transcript: Transcript) -> dict[str, Path]:
    """The transcripts of its subagents, by the tool call that started each."""
    found: dict[str, Path] = {}
    for about in sorted((transcript.side / "subagents").glob("agent-*.meta.json")):
        lines = about.with_name(about.name.removesuffix(".meta.json") + ".jsonl")
        try:
            call = json.loads(about.read_bytes()).get("toolUseId")
        except (OSError, ValueError, AttributeError):
            continue
        if isinstance(call, str) and lines.is_file():
            found[call] = lines
    return found


def remove(transcript: Transcript) -> None:
    """Delete a conversation and what lies beside it.

    Raises:
        OSError: it cannot be deleted.
    """
    # The side first: should that fail, the conversation is still there to be deleted again.
    if transcript.side.is_dir() and not transcript.side.is_symlink():
        shutil.rmtree(transcript.side)
    transcript.path.unlink(missing_ok=True)


def folder_name(working_dir: str) -> str:
    """The CLI's name for a working folder: its real path, with a dash for all but letters and digits."""
    try:
        path = os.path.realpath(working_dir)
    except ValueError:  # a null byte
        return _NOWHERE
    units = path.encode("utf-16-le", "surrogatepass")
    codes = [int.from_bytes(units[at : at + 2], "little") for at in range(0, len(units), 2)]
    name = _OTHER.sub("-", "".join(map(chr, codes)))
    return name if len(name) <= MAX_NAME else f"{name[:MAX_NAME]}-{_hash(codes)}"


def _hash(codes: list[int]) -> str:
    """JavaScript's usual hash of a string in 32 bits, its absolute value to the base of 36."""
    value = 0
    for code in codes:
        value = (value * 31 + code) & 0xFFFFFFFF
    value = abs(value - (1 << 32) if value >= 1 << 31 else value)
    digits = ""
    while value:
        value, digit = divmod(value, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"


def _in(folder: Path) -> Iterator[Transcript]:
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                id, dot, kind = entry.name.rpartition(".")
                if dot and kind == "jsonl" and ID.match(id) and (there := _at(Path(entry.path))):
                    yield there
    except OSError:
        return


def _at(path: Path) -> Transcript | None:
    try:
        about = path.stat()
    except OSError:
        return None
    return Transcript(path.stem, path, about.st_mtime_ns, about.st_size)
