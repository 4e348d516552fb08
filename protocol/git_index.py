"""Which repositories inside a repository its index holds, whether or not `.gitmodules` names them. Pure.

`git status` looks into them, and starts what their configuration names (measured with git 2.39). The format is that of
gitformat-index(5), versions 2 to 4. For the daemon's look at git.
"""

from __future__ import annotations

from typing import Final

GITLINK: Final = b"\x00\x00\xe0\x00"
"""The mode of an entry that is a commit of another repository."""

MAX_HITS: Final = 100_000
"""Places that may be such an entry. The largest projects have hundreds, and hardly any other place looks like one."""

MAX_NAME: Final = 4096
"""Bytes of a path; longer ones no system takes."""

_HEADER: Final = 12
_MODE: Final = 24  # bytes of an entry before its mode: times, device, inode
_HASH: Final = 40  # and before the name of its object
_EXTENDED: Final = 0x4000
_LENGTH: Final = 0x0FFF


def find_gitlinks(index: bytes, *, hash_size: int = 20) -> list[bytes]:
    """The paths of the repositories in an index.

    Args:
        index: the file's content.
        hash_size: bytes of an object's name.

    Raises:
        ValueError: it is no index, or of another version.
    """
    version = int.from_bytes(index[4:8])
    if index[:4] != b"DIRC" or version not in (2, 3, 4):
        raise ValueError("no index that is known")
    if GITLINK not in index:
        return []
    try:
        return _in_turn(index, hash_size) if version == 4 else _by_mode(index, hash_size)
    except IndexError:
        raise ValueError("an index that ends too early") from None


def _by_mode(index: bytes, hash_size: int) -> list[bytes]:
    """Versions 2 and 3 have whole names, so that the others can be passed over."""
    found: list[bytes] = []
    at = index.find(GITLINK, _HEADER + _MODE)
    last = len(index) - _HASH - hash_size - 2
    for _ in range(MAX_HITS):
        if at < 0 or at - _MODE > last - 2:
            return found
        flags, start = _flags(index, at - _MODE, hash_size)
        name = index[start : index.find(0, start)]
        if min(len(name), _LENGTH) == flags & _LENGTH and name:
            found.append(name)
        at = index.find(GITLINK, at + 1)
    raise ValueError(f"an index with more than {MAX_HITS} repositories")


def _in_turn(index: bytes, hash_size: int) -> list[bytes]:
    """In version 4 a name is what it shares with the one before, and the rest."""
    found, name, at = [], b"", _HEADER
    for _ in range(int.from_bytes(index[8:12])):
        _, start = _flags(index, at, hash_size)
        dropped, start = _number(index, start)
        end = index.find(0, start)
        name = name[: len(name) - dropped] + index[start:end]
        if len(name) > MAX_NAME:
            raise ValueError("an index with a path that is too long")
        if index[at + _MODE : at + _MODE + 4] == GITLINK:
            found.append(name)
        at = end + 1 if end >= 0 else len(index)
    return found


def _flags(index: bytes, entry: int, hash_size: int) -> tuple[int, int]:
    """The flags of the entry that begins here, and where they end."""
    at = entry + _HASH + hash_size
    flags = index[at] << 8 | index[at + 1]
    return flags, at + (4 if flags & _EXTENDED else 2)


def _number(index: bytes, at: int) -> tuple[int, int]:
    """A number as pack files have it for offsets, and where it ends."""
    value = index[at] & 0x7F
    while index[at] & 0x80:
        at += 1
        value = ((value + 1) << 7) | (index[at] & 0x7F)
    return value, at + 1
