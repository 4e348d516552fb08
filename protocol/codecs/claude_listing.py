"""What a list of conversations tells of one, from the beginning and the end of its transcript alone. Pure; measured
with claude 2.1.197 and 2.1.329.

The CLI writes titles again at the end of a transcript whenever it ends or goes on, so that the end is enough.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from protocol import jsontext
from protocol.codecs.claude_history import HistoryReader
from protocol.codecs.claude_transcript import MESSAGE_TYPES
from protocol.events import Message

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_SHOWN = 200
"""Characters of a first prompt that a list shows: a line or two."""

TITLES = ("custom-title", "ai-title", "summary")
"""Lines that hold a title, the one that counts most first: the user's, the model's, the older CLIs'."""

COMMAND = b"<command-name>"
"""In a prompt that is a slash command: it says nothing of what the conversation is about."""

_TITLE_FIELDS = {"custom-title": "customTitle", "ai-title": "aiTitle", "summary": "summary"}


@dataclass(slots=True)
class Listing:
    """What is known of a conversation."""

    titles: dict[str, str] = field(default_factory=dict)
    first_prompt: str | None = None
    folders: list[str] = field(default_factory=list)
    """The working folders that its lines name, in their order."""
    created_at: float | None = None
    has_messages: bool = False

    @property
    def title(self) -> str | None:
        """The best title there is, else the first prompt."""
        return next((self.titles[kind] for kind in TITLES if kind in self.titles), self.first_prompt)


def read_listing(lines: Iterable[bytes]) -> Listing:
    """Put together what some lines of a transcript tell, in the file's order. Never raises."""
    listing, reader = Listing(), HistoryReader()
    for line in lines:
        try:
            value = jsontext.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict):
            _note(listing, value)
            if listing.first_prompt is None and value.get("type") == "user" and not value.get("isSidechain"):
                listing.first_prompt = None if COMMAND in line else _prompt_of(reader, line)
    return listing


def _note(listing: Listing, value: dict[str, Any]) -> None:
    kind, folder = value.get("type"), value.get("cwd")
    listing.has_messages |= kind in MESSAGE_TYPES
    if isinstance(folder, str) and folder not in listing.folders:
        listing.folders.append(folder)
    if listing.created_at is None:
        listing.created_at = parse_time(value.get("timestamp"))
    if kind in TITLES:
        title = value.get(_TITLE_FIELDS[kind])
        if isinstance(title, str) and title.strip():
            listing.titles[kind] = title.strip()


def parse_time(stamp: Any) -> float | None:
    """`2026-11-21T18:22:04.287Z` in seconds since 1970."""
    try:
        return datetime.fromisoformat(stamp).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


def _prompt_of(reader: HistoryReader, line: bytes) -> str | None:
    for _, event in reader.receive(line):
        if isinstance(event, Message) and event.role == "user":
            text = " ".join(" ".join(str(block.get("text", "")) for block in event.content).split())
            return (text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "\N{HORIZONTAL ELLIPSIS}") or None
    return None
