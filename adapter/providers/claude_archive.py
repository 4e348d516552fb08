"""The conversations that Claude Code keeps, listed, read, renamed, deleted, and looked up before one is resumed:
`ClaudeArchive`.

Reads the CLI's own files and never keeps one in memory. All of it blocks and is called through `ClaudeArchive`, which
goes to threads. Used by the Claude provider.
"""

from __future__ import annotations

import json
import os
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, TypeVar

import anyio.to_thread

from adapter.providers import claude_store
from adapter.providers.base import Launch, ProviderError
from adapter.providers.claude_store import Store, Transcript
from protocol.codecs.claude_history import HistoryReader, begins_turn
from protocol.codecs.claude_listing import Listing, read_listing
from protocol.codecs.claude_transcript import Entry, Tree, in_order, read_entry
from protocol.conversations import Conversation, History, Window
from protocol.errors import AdapterError, ErrorKind, invalid_param

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from protocol.events import Event

PROVIDER = "claude"

EDGE = 64 * 1024
"""Bytes at the beginning and at the end of a transcript that a list reads. Measured with claude 2.1.329: the first
prompt stands within the first 1 KiB, unless it is longer itself, and titles within the last 4 KiB."""

MAX_FIRST = 2 * 1024 * 1024
"""Bytes that are read besides to come to the end of a line: of a first prompt with a picture of a screen in it."""

MAX_LINE = 64 * 1024 * 1024
"""Bytes of the longest line that is read; the CLI's own longest were of a few MB (a picture, a file's content)."""

THREADS = 2
"""Readings at once: more would only wait for the same disk."""

R = TypeVar("R")


class ClaudeArchive:
    """The conversations on this machine.

    Args:
        environment: what a CLI inherits.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self._threads: anyio.CapacityLimiter | None = None

    async def list(
        self, working_dir: str | None, cursor: str | None, limit: int, env: Mapping[str, str]
    ) -> tuple[list[Conversation], str | None]:
        """See `ProviderAdapter.list_conversations`."""
        return await self._run(partial(list_page, self._store(env), working_dir, cursor, limit))

    async def read(self, id: str, working_dir: str | None, env: Mapping[str, str], window: Window) -> History:
        """See `ProviderAdapter.read_history`."""
        return await self._run(lambda: read(_found(self._store(env), id, working_dir), window))

    async def rename(self, id: str, title: str, working_dir: str | None, env: Mapping[str, str]) -> None:
        """See `ProviderAdapter.rename_conversation`."""
        await self._run(lambda: rename(_found(self._store(env), id, working_dir), title))

    async def delete(self, id: str, working_dir: str | None, env: Mapping[str, str]) -> None:
        """See `ProviderAdapter.delete_conversation`."""
        await self._run(lambda: claude_store.remove(_found(self._store(env), id, working_dir)))

    async def check(self, launch: Launch) -> str | None:
        """Look at a conversation that is to be resumed; the message to resume at, in the CLI's terms.

        Raises:
            AdapterError: `spawn_failed` with the reason why it cannot be resumed, `invalid_params` for a `resume_at`
                that is not in it.
        """
        if launch.resume is None:
            return None
        if launch.resume.startswith("-") or (launch.resume_at or "").startswith("-"):
            raise invalid_param("config.resume", "an id does not begin with '-'")  # it would be taken for an option
        store = self._store(launch.config.env)
        return await self._run(partial(check, store, launch.resume, launch.resume_at))

    async def explain(self, launch: Launch) -> str | None:
        """Why a CLI may not have found a conversation: the hint for the user; None where nothing is known."""
        if launch.resume is None:
            return None
        store, folder = self._store(launch.config.env), launch.config.working_dir
        return await self._run(partial(explain, store, launch.resume, folder))

    def _store(self, env: Mapping[str, str]) -> Store:
        return Store({**self._environment, **env})

    async def _run(self, act: Callable[[], R]) -> R:
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        try:
            return await anyio.to_thread.run_sync(act, limiter=self._threads, abandon_on_cancel=True)
        except OSError as error:
            text = f"The CLI's conversations cannot be used: {error.strerror or error}."
            raise ProviderError(PROVIDER, ErrorKind.PROTOCOL_ERROR, text) from error


# Each act, as it is done in a thread


def list_page(
    store: Store, working_dir: str | None, cursor: str | None, limit: int
) -> tuple[list[Conversation], str | None]:
    """A page of what can be resumed. The cursor is the time and the id of the last one told, so that new
    conversations shift nothing."""
    after = _parse_cursor(cursor)
    found: list[Conversation] = []
    last: Transcript | None = None
    for transcript in store.transcripts(working_dir):
        if after is not None and (-transcript.modified_ns, transcript.id) <= after:
            continue
        if len(found) == limit:
            return found, f"{last.modified_ns}.{last.id}" if last is not None else None
        listing = read_listing(_edges(transcript))
        if listing.has_messages:
            found.append(_conversation(transcript, listing))
            last = transcript
    return found, None


def read(transcript: Transcript, window: Window) -> History:
    """The wanted events of a conversation."""
    listing = read_listing(_edges(transcript))
    with transcript.path.open("rb") as file:
        tree = _tree(file)
        leaf = window.until if window.until is not None and tree.holds(window.until) else tree.leaf
        history = History(transcript.id, _folder(transcript, listing), listing.title, leaf=leaf)
        if leaf is not None:
            window.fill(history, _tell(transcript, file, tree.branch(leaf), running=window.running))
    return history


def rename(transcript: Transcript, title: str) -> None:
    """Append a title, as the CLI itself does."""
    line = {"type": "custom-title", "customTitle": title, "sessionId": transcript.id}
    with transcript.path.open("r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        whole = file.read(1) in (b"\n", b"")
        file.seek(0, os.SEEK_END)
        file.write((b"" if whole else b"\n") + json.dumps(line).encode() + b"\n")
    beside = transcript.side / "custom-title.json"
    if beside.is_file():  # claude 2.1.329 keeps the title there, too
        beside.write_text(json.dumps({"customTitle": title}), encoding="utf-8")


def check(store: Store, id: str, resume_at: str | None) -> str | None:
    """See `ClaudeArchive.check`. What is not where we look is the CLI's to find: it also takes titles, and another
    version may keep its conversations elsewhere. `explain` says more when it finds nothing either."""
    transcript = store.find(id)
    if transcript is None:
        return resume_at
    with transcript.path.open("rb") as file:
        if resume_at is None:
            if not any(read_entry(line, at).type in ("user", "assistant") for at, line in _lines(file)):
                text = f"The transcript of {id} holds no message: there is nothing to resume."
                raise ProviderError(PROVIDER, ErrorKind.SPAWN_FAILED, text, hint=f"Look at {transcript.path}.")
            return None
        end = _tree(file).end_of_turn(resume_at, lambda entry: begins_turn(_line(file, entry)))
    if end is None:
        raise invalid_param("config.resume_at", "the conversation has no such turn or message: see get_history")
    return end


def explain(store: Store, id: str, working_dir: str) -> str | None:
    """See `ClaudeArchive.explain`."""
    transcript = store.find(id, working_dir)
    if transcript is None:
        return (
            f"There is no transcript of it under {store.projects}, of no working folder: it was deleted, never had a "
            f"message, or was held with another HOME or {claude_store.CONFIG_VARIABLE}. See list_conversations."
        )
    if store.is_under(transcript, working_dir):
        return None
    folder = _folder(transcript, read_listing(_edges(transcript)))
    if folder is None:
        return None
    return f"It was held in the working folder {folder}, and this version of the CLI finds it only there."


# Reading


def _found(store: Store, id: str, working_dir: str | None) -> Transcript:
    transcript = store.find(id, working_dir)
    if transcript is None:
        text = f"No conversation {id!r} under {store.projects}."
        raise AdapterError(ErrorKind.SESSION_NOT_FOUND, text, hint="See list_conversations.", provider=PROVIDER)
    return transcript


def _tell(
    transcript: Transcript, file: BinaryIO, branch: list[Entry], *, running: bool
) -> Iterator[tuple[str | None, Event]]:
    reader = HistoryReader()
    agents: dict[str, BinaryIO] = {}
    try:
        sides: dict[str, list[Entry]] = {}
        for call, path in claude_store.subagents(transcript).items():
            agents[call] = path.open("rb")
            sides[call] = [read_entry(line, at) for at, line in _lines(agents[call])]
        for entry, agent in in_order(branch, sides):
            line = _line(file if agent is None else agents[agent], entry)
            yield from reader.receive(line, agent)
        yield from reader.close(running=running)
    finally:
        for opened in agents.values():
            opened.close()


def _tree(file: BinaryIO) -> Tree:
    tree = Tree()
    for at, line in _lines(file):
        tree.add(read_entry(line, at))
    return tree


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The whole lines, each with its place; one that is still being written, or too long, is passed over."""
    file.seek(0)
    at = 0
    while line := file.readline(MAX_LINE):
        is_whole = line.endswith(b"\n")
        if is_whole and line.strip():
            yield at, line
        at += len(line)
        while not is_whole and (rest := file.readline(MAX_LINE)):
            at += len(rest)
            is_whole = rest.endswith(b"\n")


def _line(file: BinaryIO, entry: Entry) -> bytes:
    file.seek(entry.at)
    return file.read(entry.size).rstrip(b"\n")


def _edges(transcript: Transcript) -> Iterator[bytes]:
    """The whole lines at both ends of a transcript."""
    with transcript.path.open("rb") as file:
        head = file.read(EDGE)
        if transcript.size <= EDGE:
            return iter(head.split(b"\n"))
        head += b"" if head.endswith(b"\n") else file.readline(MAX_FIRST)
        # From one byte before: what comes after the first line's end is whole.
        file.seek(max(len(head), transcript.size - EDGE) - 1)
        tail = file.read(EDGE + 1)
    first = head.split(b"\n")[:-1]
    last = tail.split(b"\n")[1:]
    return chain(first, last)


def _conversation(transcript: Transcript, listing: Listing) -> Conversation:
    return Conversation(
        provider_session_id=transcript.id,
        working_dir=_folder(transcript, listing),
        title=listing.title,
        first_prompt=listing.first_prompt,
        created_at=listing.created_at,
        last_used_at=transcript.modified_ns / 1e9,
        size=transcript.size,
    )


def _folder(transcript: Transcript, listing: Listing) -> str | None:
    """The working folder that the CLI finds it under: of those that its lines name, the latest that fits its place."""
    place = transcript.path.parent.name
    fitting = [folder for folder in listing.folders if claude_store.folder_name(folder) == place]
    return next(reversed(fitting or listing.folders), None)


def _parse_cursor(cursor: str | None) -> tuple[int, str] | None:
    if cursor is None:
        return None
    time, _, id = cursor.partition(".")
    if not time.isdecimal() or len(time) > 20 or not claude_store.ID.match(id):
        raise invalid_param("cursor", "not one of this method's next_cursor")
    return -int(time), id
