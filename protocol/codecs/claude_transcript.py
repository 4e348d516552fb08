"""A transcript of Claude Code as a tree: which of its lines belong to the conversation as it stands.

The CLI appends a line per message and names the one before it (`parentUuid`). Whoever goes back, forks in place or
writes from two processes makes branches: the newest leaf's branch is the conversation. Measured with claude 2.1.197
and 2.1.329:

- Of tool calls side by side only one lies on the branch; the others hang beside it, and so do their results.
- A compaction begins a new root that names the line before it in `logicalParentUuid`. 2.1.197 leaves that root beside
  the branch and writes lines before it a second time, with the same ids.
- Lines without `uuid` are book-keeping of the CLI.

Pure: sees lines one by one and keeps no text, so that a transcript of any size can be read twice instead of being
held.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, Struct

from protocol import jsontext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

MESSAGE_TYPES = frozenset({"user", "assistant"})
SHOWN_TYPES = frozenset({"user", "assistant", "system", "attachment"})
BROKEN = "broken"
"""The type of a line that is no JSON object."""


class _Head(Struct):
    type: str = ""
    subtype: str | None = None
    uuid: str | None = None
    parentUuid: str | None = None
    logicalParentUuid: str | None = None
    isSidechain: bool = False
    timestamp: str = ""
    message: Raw | None = None


_decode_head = msgspec.json.Decoder(_Head).decode


@dataclass(frozen=True, slots=True)
class Entry:
    """What the tree has to know of a line."""

    at: int
    """Where the line begins, as the reader counts."""
    size: int
    type: str
    subtype: str | None
    uuid: str | None
    parent: str | None
    logical_parent: str | None
    is_side: bool
    timestamp: str
    message_id: str | None
    calls: tuple[str, ...]
    """Tool calls in it."""
    results: tuple[str, ...]
    """Tool calls whose outputs it holds."""


def read_entry(line: bytes, at: int) -> Entry:
    """What the tree has to know of a line that begins at `at`. Never raises."""
    try:
        head = _decode_head(line)
    except (msgspec.MsgspecError, ValueError):
        return _entry_of_other(line, at)
    message = bytes(head.message) if head.message is not None and head.type in MESSAGE_TYPES else b""
    return _entry(line, at, head, _loads(message))


def _entry_of_other(line: bytes, at: int) -> Entry:
    """A line that is broken, or whose shape is new to us."""
    value = _loads(line)
    if not isinstance(value, dict):
        return _entry(line, at, _Head(type=BROKEN), None)
    told = {name: value[name] for name in _Head.__struct_fields__ if name != "message" and name in value}
    try:
        head = msgspec.convert(told, _Head)
    except msgspec.ValidationError:
        head = _Head(type=BROKEN)
    return _entry(line, at, head, value.get("message"))


def _entry(line: bytes, at: int, head: _Head, message: Any) -> Entry:
    content = message.get("content") if isinstance(message, dict) else None
    blocks = [block for block in content if isinstance(block, dict)] if isinstance(content, list) else []
    id = message.get("id") if isinstance(message, dict) else None
    return Entry(
        at=at,
        size=len(line),
        type=head.type,
        subtype=head.subtype,
        uuid=head.uuid,
        parent=head.parentUuid,
        logical_parent=head.logicalParentUuid,
        is_side=head.isSidechain,
        timestamp=head.timestamp,
        message_id=id if isinstance(id, str) and head.type == "assistant" else None,
        calls=_ids(blocks, "tool_use", "id"),
        results=_ids(blocks, "tool_result", "tool_use_id"),
    )


def _ids(blocks: list[dict[str, Any]], type: str, name: str) -> tuple[str, ...]:
    found = (block.get(name) for block in blocks if block.get("type") == type)
    return tuple(id for id in found if isinstance(id, str))


def _loads(text: bytes) -> Any:
    try:
        return jsontext.loads(text)
    except ValueError:
        return None


class Tree:
    """The lines of one transcript, by what they say of each other."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._by_uuid: dict[str, int] = {}
        self._newest: int | None = None

    def add(self, entry: Entry) -> None:
        """The next line, in the file's order."""
        if entry.uuid is not None:
            at = self._by_uuid.get(entry.uuid)
            if at is None:
                at = self._by_uuid[entry.uuid] = len(self._entries)
                self._entries.append(entry)
            if entry.type in SHOWN_TYPES and not entry.is_side and entry.subtype != "compact_boundary":
                self._newest = at
        elif entry.type == BROKEN:
            self._entries.append(entry)

    @property
    def leaf(self) -> str | None:
        """The id of the line that ends the conversation; None where there is none."""
        return None if self._newest is None else self._entries[self._newest].uuid

    def holds(self, uuid: str) -> bool:
        """Whether there is a line of this id."""
        return uuid in self._by_uuid

    def branch(self, leaf: str | None = None) -> list[Entry]:
        """The lines of the conversation that ends at `leaf` (the newest one if None), in the file's order."""
        leaf = self.leaf if leaf is None else leaf
        end = self._by_uuid.get(leaf) if leaf is not None else None
        if end is None:
            return []
        path = self._path(end)
        path |= self._beside(path, end)
        return [
            entry for at, entry in enumerate(self._entries) if at in path or (entry.type == BROKEN and at < max(path))
        ]

    def end_of_turn(self, uuid: str, begins_turn: Callable[[Entry], bool]) -> str | None:
        """The id of the last message of the turn that the line `uuid` is in; None where there is no such line.

        Args:
            uuid: of a prompt, or of any other line.
            begins_turn: tells whether a line begins a turn.
        """
        if uuid not in self._by_uuid:
            return None
        branch = [entry for entry in self._branch_through(uuid) if entry.uuid is not None]
        last = uuid
        for entry in branch[[entry.uuid for entry in branch].index(uuid) + 1 :]:
            if begins_turn(entry):
                break
            if entry.type in MESSAGE_TYPES and entry.uuid is not None:
                last = entry.uuid
        return last

    def _branch_through(self, uuid: str) -> list[Entry]:
        """The newest branch that goes through a line."""
        following: dict[str | None, list[int]] = {}
        for at, entry in enumerate(self._entries):
            following.setdefault(entry.parent or entry.logical_parent, []).append(at)
        newest, seen, waiting = self._by_uuid[uuid], set[int](), [self._by_uuid[uuid]]
        while waiting:
            at = waiting.pop()
            if at in seen:
                continue
            seen.add(at)
            entry = self._entries[at]
            if entry.type in SHOWN_TYPES and entry.subtype != "compact_boundary":
                newest = max(newest, at)
            waiting += following.get(entry.uuid, []) if entry.uuid is not None else []
        return self.branch(self._entries[newest].uuid)

    def _path(self, end: int) -> set[int]:
        path: set[int] = set()
        at: int | None = end
        while at is not None and at not in path:  # broken files may have a ring of parents
            path.add(at)
            entry = self._entries[at]
            parent = entry.parent if entry.parent is not None else entry.logical_parent
            at = self._by_uuid.get(parent) if parent is not None else None
        return path

    def _beside(self, path: set[int], end: int) -> set[int]:
        """Tool calls side by side with those on the path, the results of all of these, and compactions."""
        on_path = [self._entries[at] for at in path]
        messages = {entry.message_id for entry in on_path if entry.message_id is not None}
        uuids = {entry.uuid for entry in on_path}
        around = [(at, entry) for at, entry in enumerate(self._entries[: end + 1]) if at not in path]
        calls = [(at, entry) for at, entry in around if entry.message_id in messages and entry.message_id is not None]
        asked = {call for entry in [*on_path, *(entry for _, entry in calls)] for call in entry.calls}
        answered = {call for entry in on_path for call in entry.results}
        found = {at for at, _ in calls}
        for at, entry in around:
            if entry.results and set(entry.results) <= asked - answered:
                found.add(at)
                answered |= set(entry.results)
            elif entry.subtype == "compact_boundary" and entry.logical_parent in uuids:
                found.add(at)
        return found


def in_order(main: Sequence[Entry], sides: Mapping[str, Sequence[Entry]]) -> list[tuple[Entry, str | None]]:
    """The lines of a conversation and of its subagents as they were written, each with the tool call that started its
    agent (None for the main one).

    Subagents have files of their own, which tell the tool call but not when its lines came: their timestamps do, as
    far as they do not contradict the order within a file.

    Args:
        main: a branch.
        sides: the lines of each subagent, by the tool call that started it; those of other branches are left out.
    """
    keyed: list[tuple[str, Entry, str | None]] = [
        (time, entry, None) for time, entry in zip(_times(main, ""), main, strict=True)
    ]
    starts = {call: time for time, entry, _ in keyed for call in entry.calls}
    waiting = dict(sides)
    while found := [call for call in waiting if call in starts]:
        for call in found:
            lines = waiting.pop(call)
            of_side = [(time, entry, call) for time, entry in zip(_times(lines, starts[call]), lines, strict=True)]
            starts |= {inner: time for time, entry, _ in of_side for inner in entry.calls}
            keyed += of_side
    return [(entry, call) for _, entry, call in sorted(keyed, key=lambda each: each[0])]


def _times(entries: Sequence[Entry], earliest: str) -> list[str]:
    """Timestamps that never go back. ISO 8601 in UTC compares as text."""
    return list(accumulate((entry.timestamp for entry in entries), max, initial=earliest))[1:]
