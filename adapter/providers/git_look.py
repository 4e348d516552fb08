"""Looks through the files of a repository for what git would run by itself. Reads, and starts nothing: not even git.

Where git looks (gitrepository-layout(5), git-config(1)): the nearest repository from the working folder upwards, bare
ones too; its `config` and `config.worktree` and what these include; its hooks, or those in `core.hooksPath`; the same
of its submodules: those that `.git/modules` holds, and those that the index or `.gitmodules` knows.
Blocking: called in a thread. For providers.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, Final

from adapter.providers.scripts import describe
from protocol.git_config import GIT_CONFIG, GIT_HOOK, HOOKS, find_included, find_programs, parse_git_config
from protocol.git_index import find_gitlinks
from protocol.trust import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from protocol.git_config import Setting

MAX_FILE: Final = 1024 * 1024
"""Bytes of a file that is read: configurations have kilobytes. With a larger one git is not let into the repository."""

MAX_READ: Final = 4 * MAX_FILE
"""Bytes of all configurations and hooks that are read in one look: a few seconds, where somebody wants us to wait."""

MAX_FILES: Final = 500
"""Configurations that are read, those of submodules and included ones together. Large projects have some 200."""

MAX_INDEX: Final = 256 * 1024 * 1024
"""Bytes of an index that is read. It has some 100 for each file of the project."""

MAX_FOLDERS: Final = 5000
"""Folders below `.git/modules` that are looked through for submodules."""

_HEAD = re.compile(rb"ref:\s*refs/|[0-9a-fA-F]{40}")


def find_git_programs(working_dir: Path, home: str) -> list[Finding]:
    """All that git would run by itself in this folder.

    Args:
        working_dir: an absolute path without symbolic links.
        home: the user's, for paths that begin with `~/`.
    """
    for place in map(str, (working_dir, *working_dir.parents)):
        if (git_dir := _git_dir(place)) is not None:
            look = _Look(home)
            look.through(git_dir, place)
            return list(dict.fromkeys(look.found)) if look.complete else [look.give_up(git_dir)]
    return []


class _Look:
    """One look at a repository and its submodules.

    Attributes:
        found: what has been found.
        complete: whether all could be looked through.
    """

    def __init__(self, home: str) -> None:
        self.found: list[Finding] = []
        self.complete = True
        self._why = ""
        self._home = home
        self._left = MAX_FILES
        self._bytes_left = MAX_READ
        self._folders_left = MAX_FOLDERS
        self._seen: set[str] = set()

    def give_up(self, git_dir: str) -> Finding:
        """The finding that stands for a repository that cannot be looked through."""
        return Finding(os.path.join(git_dir, "config"), GIT_CONFIG, "config", self._why)

    def through(self, git_dir: str, work_tree: str) -> None:
        """Look at a repository and all its submodules."""
        waiting = [(git_dir, work_tree)]
        while waiting and self.complete:
            git_dir, work_tree = waiting.pop()
            git_dir = os.path.realpath(git_dir)
            if git_dir not in self._seen:
                self._seen.add(git_dir)
                if len(self._seen) > MAX_FILES:
                    self._stop(git_dir, f"more than {MAX_FILES} repositories")
                waiting += self._at(git_dir, work_tree)

    def _at(self, git_dir: str, work_tree: str) -> list[tuple[str, str]]:
        """Look at a repository; those of its submodules."""
        common = _common(git_dir)
        read: set[str] = set()
        settings = self._settings(os.path.join(common, "config"), read)
        settings += self._settings(os.path.join(git_dir, "config.worktree"), read)
        # What is included may count or not, so each of these values may be the one that does.
        trees = [work_tree, *(os.path.join(git_dir, value) for value in _values(settings, "core.worktree"))]
        paths = [self._expand(value) for value in _values(settings, "core.hookspath")]
        self._look_at_hooks(
            [os.path.join(common, "hooks"), *(os.path.join(tree, path) for tree in trees for path in paths)]
        )
        inner = [(module, module) for module in self._modules(os.path.join(common, "modules"))]
        names = self._linked(git_dir, 32 if "sha256" in _values(settings, "extensions.objectformat") else 20)
        places = [
            (_git_dir(place), place)
            for tree in trees
            for place in (os.path.join(tree, name) for name in names + self._submodules(tree))
        ]
        return inner + [(each, place) for each, place in places if each is not None]

    def _look_at_hooks(self, folders: list[str]) -> None:
        for path in (os.path.normpath(os.path.join(folder, name)) for folder in folders for name in HOOKS):
            if os.path.isfile(path) and os.access(path, os.X_OK):
                content = self._read(path)
                text = describe(path) if content is None else content.decode("utf-8", "replace")
                self.found.append(Finding(path, GIT_HOOK, os.path.basename(path), text))

    def _settings(self, path: str, read: set[str]) -> list[Setting]:
        """The settings of a file and of those that it takes in; what they name is found."""
        path = os.path.realpath(path)
        if path in read or not os.path.exists(path):
            return []
        read.add(path)
        settings = self._parse(path)
        self.found += find_programs(path, settings)
        for name in find_included(settings):
            settings = settings + self._settings(os.path.join(os.path.dirname(path), self._expand(name)), read)
        return settings

    def _parse(self, path: str) -> list[Setting]:
        self._left -= 1
        try:
            if self._left < 0:
                raise ValueError(f"more than {MAX_FILES} files")
            content = self._read(path) if os.path.isfile(path) else None
            if content is None:
                raise ValueError("no file, or too much to read")
            return parse_git_config(content.decode("utf-8"))
        except ValueError as error:
            self._stop(path, str(error))
            return []

    def _stop(self, path: str, why: str) -> None:
        self.complete, self._why = False, f"{path}: {why}; {describe(path)}"

    def _read(self, path: str) -> bytes | None:
        content = _read(path)
        self._bytes_left -= len(content or b"")
        return content if self._bytes_left >= 0 else None

    def _modules(self, folder: str) -> Iterator[str]:
        """The repositories of submodules, which may lie in folders of folders."""
        waiting = [folder]
        while waiting:
            for entry in _folders(waiting.pop()):
                self._folders_left -= 1
                if self._folders_left < 0:
                    return self._stop(folder, f"more than {MAX_FOLDERS} folders")
                if _is_repository(entry):
                    yield entry
                else:
                    waiting.append(entry)

    def _submodules(self, work_tree: str) -> list[str]:
        path = os.path.join(work_tree, ".gitmodules")
        settings = self._parse(path) if os.path.isfile(path) else []
        named = [setting.value for setting in settings if setting.section == "submodule" and setting.name == "path"]
        return [name for name in named if name]

    def _linked(self, git_dir: str, hash_size: int) -> list[str]:
        """The repositories that the index knows, which may be in two parts."""
        names: list[str] = []
        parts = [entry.path for entry in _entries(git_dir) if entry.name.startswith("sharedindex.")]
        for path in (os.path.join(git_dir, "index"), *parts):
            content = _read(path, MAX_INDEX)
            try:
                if content is None:
                    raise ValueError("too much to read")
                names += map(os.fsdecode, find_gitlinks(content, hash_size=hash_size) if content else [])
            except ValueError as error:
                self._stop(path, str(error))
        return names

    def _expand(self, path: str) -> str:
        return os.path.join(self._home, path[2:]) if path.startswith("~/") else os.path.expanduser(path)


def _git_dir(place: str) -> str | None:
    """The folder of the repository that has its work tree, or all of it, here."""
    inner = os.path.join(place, ".git")
    if os.path.isfile(inner):
        inner = _pointed(inner, "gitdir:") or inner
    return inner if _is_repository(inner) else place if _is_repository(place) else None


def _is_repository(folder: str) -> bool:
    """As git decides it (`is_git_directory` in its setup.c): where we see one too many, we would not see the next."""
    head = os.path.join(folder, "HEAD")
    try:
        if not (os.readlink(head).startswith("refs/") if os.path.islink(head) else _HEAD.match(_read(head) or b"")):
            return False
    except OSError:
        return False
    return all(os.access(os.path.join(_common(folder), name), os.X_OK) for name in ("objects", "refs"))


def _common(git_dir: str) -> str:
    """What the repository of a work tree shares with the others: by default it is all there."""
    return os.path.realpath(_pointed(os.path.join(git_dir, "commondir"), "") or git_dir)


def _values(settings: list[Setting], key: str) -> list[str]:
    return list(dict.fromkeys(setting.value for setting in settings if setting.key == key and setting.value))


def _pointed(path: str, prefix: str) -> str | None:
    """The folder that a file names in its one line, relative to its own."""
    content = _read(path)
    text = os.fsdecode(content or b"").strip()
    if not text.startswith(prefix) or not text or "\0" in text:
        return None
    return os.path.join(os.path.dirname(path), text.removeprefix(prefix).strip())


def _read(path: str, limit: int = MAX_FILE) -> bytes | None:
    """A file's content; empty where it cannot be read (git runs as the same user), None where it is too large."""
    if not os.path.isfile(path):  # a pipe would keep us waiting
        return b""
    try:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
    except OSError:
        return b""
    return content if len(content) <= limit else None


def _folders(folder: str) -> list[str]:
    return sorted(entry.path for entry in _entries(folder) if entry.is_dir(follow_symlinks=False))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
