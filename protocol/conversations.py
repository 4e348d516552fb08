"""Conversations as a provider's CLI has written them down: what is told of one, and the methods that list, read,
rename and delete them.

A conversation is the provider's and outlives its sessions. Params, results and the table of the methods; the plain
shapes that providers hand up. Importable from everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field, JsonValue

from protocol import jsontext
from protocol.errors import ErrorKind
from protocol.model import Empty, Method, Params, ProviderName, Result, Text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocol.events import Event

LIST_LIMIT = 50
"""Conversations on a page: what fits on a screen of an editor."""

HISTORY_LIMIT = 500
"""Events on a page: some dozens of turns."""

MAX_LIMIT = 5000
"""The longest page that can be asked for."""


def check_conversation_id(value: str) -> str:
    """An id that a CLI cannot take for an option.

    Raises:
        ValueError: it begins with `-`, or holds a NUL character.
    """
    if value.startswith("-") or "\0" in value:
        raise ValueError("an id does not begin with '-' and holds no NUL character")
    return value


ConversationId = Annotated[
    str,
    Field(min_length=1, max_length=500, description="A `session_id` or a `provider_session_id`."),
    AfterValidator(check_conversation_id),
]
Limit = Annotated[int, Field(ge=1, le=MAX_LIMIT)]
Environment = Annotated[
    dict[str, str],
    Field(description="As in `config`, where it decides where the CLI keeps its conversations; a known session's own."),
]


# What providers hand up


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation that can be resumed. Times in seconds since 1970."""

    provider_session_id: str
    working_dir: str | None
    title: str | None
    first_prompt: str | None
    created_at: float | None
    last_used_at: float
    size: int
    """Bytes of what the CLI keeps of it."""


@dataclass(slots=True)
class History:
    """What was said in a conversation, as the same events as live, each with the id of its turn."""

    provider_session_id: str
    working_dir: str | None = None
    title: str | None = None
    events: list[tuple[str | None, Event]] = field(default_factory=list)
    """Those that were asked for."""
    more: bool = False
    """Whether there are further ones."""
    leaf: str | None = None
    """The CLI's id of the newest message of what was read: the same one read again gives the same events."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which events of a history are wanted.

    Attributes:
        start: how many to pass over.
        limit: how many at most; None for all.
        max_bytes: how many bytes they take at most as JSON; at least one is told.
        until: the `leaf` of an earlier reading: what was said later is left out.
        running: whether a turn is under way: the last one is left open then.
    """

    start: int = 0
    limit: int | None = None
    max_bytes: int | None = None
    until: str | None = None
    running: bool = False

    def fill(self, history: History, told: Iterable[tuple[str | None, Event]]) -> None:
        """Take the wanted ones of all events into a history; what comes behind them is not even made."""
        size = 0
        for at, (turn_id, event) in enumerate(told):
            if at < self.start:
                continue
            if self.max_bytes is not None:
                size += len(jsontext.dumps(event))
            is_full = self.limit is not None and len(history.events) >= self.limit
            if is_full or (self.max_bytes is not None and size > self.max_bytes and history.events):
                history.more = True
                return
            history.events.append((turn_id, event))


# The methods


class ListConversationsParams(Params):
    """Which conversations: of one folder, or all."""

    provider: ProviderName = "claude"
    working_dir: Text | None = None
    cursor: Text | None = None
    limit: Limit = LIST_LIMIT
    env: Environment = Field(default_factory=dict)


class ConversationEntry(Result):
    """A conversation. `session_id` is that of the live session that has it."""

    provider_session_id: str
    session_id: str | None
    working_dir: str | None
    title: str | None
    first_prompt: str | None
    created_at: float | None
    last_used_at: float
    size: int


class ListConversationsResult(Result):
    """Latest first."""

    conversations: list[ConversationEntry]
    next_cursor: str | None


class HistoryParams(Params):
    """Which conversation, and from where on."""

    session_id: ConversationId
    provider: ProviderName = "claude"
    working_dir: Text | None = None
    cursor: Text | None = None
    limit: Limit = HISTORY_LIMIT
    env: Environment = Field(default_factory=dict)


class HistoryEntry(Result):
    """An event as in the params of `event`."""

    turn_id: str | None
    event: dict[str, JsonValue]


class HistoryResult(Result):
    """A page of what was said, oldest first."""

    provider_session_id: str
    working_dir: str | None
    title: str | None
    events: list[HistoryEntry]
    next_cursor: str | None


class RenameParams(Params):
    """The title under which the CLI lists the conversation."""

    session_id: ConversationId
    title: Text
    provider: ProviderName = "claude"
    working_dir: Text | None = None
    env: Environment = Field(default_factory=dict)


class DeleteParams(Params):
    """Which conversation."""

    session_id: ConversationId
    provider: ProviderName = "claude"
    working_dir: Text | None = None
    env: Environment = Field(default_factory=dict)


_READ_ERRORS = (ErrorKind.NOT_FOUND, ErrorKind.SESSION_NOT_FOUND, ErrorKind.PROTOCOL_ERROR, ErrorKind.UNSUPPORTED)

CONVERSATIONS: dict[str, Method] = {
    "list_conversations": Method(
        ListConversationsParams,
        ListConversationsResult,
        "List what can be resumed.",
        (ErrorKind.NOT_FOUND, ErrorKind.PROTOCOL_ERROR, ErrorKind.UNSUPPORTED),
    ),
    "get_history": Method(HistoryParams, HistoryResult, "Tell again what was said.", _READ_ERRORS),
    "rename_session": Method(
        RenameParams,
        Empty,
        "Give the conversation a title.",
        (*_READ_ERRORS, ErrorKind.INTERRUPTED, ErrorKind.TIMEOUT, ErrorKind.PROCESS_EXITED),
    ),
    "delete_session": Method(DeleteParams, Empty, "Delete a conversation that no session has.", _READ_ERRORS),
}
