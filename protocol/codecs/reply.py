"""The events of a turn as the pieces of one HTTP answer, whichever API it goes out by.

However many messages the CLI's model makes in a turn, the client gets one. The agent's own tools are shown as the
client chose (`Visibility`), and never as calls that the client should run; those that it should run (`calls`) are.
Subagents are the agent's own business. Pure; used by the HTTP face and rendered by `messages_api`, `chat_api`,
`responses_api`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import UNSET, Struct, json

from protocol.events import (
    EventParams,
    Message,
    RateLimit,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallStarted,
    TurnCompleted,
    TurnUsage,
    Usage,
)
from protocol.httperrors import INTERRUPTED, Failure, failed_turn

if TYPE_CHECKING:
    from collections.abc import Iterable

Visibility = Literal["hidden", "text", "blocks"]

PARENT_PREFIX = "mcp__parent__"
"""What the CLI puts before the name of a parent's tool (SPEC.md, section 14)."""

NOTE_LENGTH = 200
"""Characters of a tool's input that a note in the text shows: a line on a screen or two."""


class Text(Struct, gc=False):
    """A piece of the answer."""

    text: str


class Thinking(Struct, gc=False):
    """A piece of the model's thinking."""

    text: str


class Break(Struct, gc=False):
    """The block is whole; text that follows is another block."""


class ToolUse(Struct):
    """A call of a tool that the client runs."""

    id: str
    name: str
    input: Any


class Whole(Struct):
    """A block that is shown as it is."""

    block: dict[str, Any]


class End(Struct):
    """The end of the answer. `stop_reason` is the Messages API's."""

    stop_reason: str
    usage: TurnUsage


Piece = Text | Thinking | Break | ToolUse | Whole | End | Failure

STOP_REASONS = {
    "end_turn": "end_turn",
    "max_tokens": "max_tokens",
    "max_turns": "pause_turn",
    "max_budget": "pause_turn",
    "refusal": "refusal",
}


class ReplyCodec:
    """Translates the events of one turn.

    Args:
        visibility: how the agent's own tools are shown.
        calls: the names of the tools that the client runs.
        shows_thinking: whether its thinking is.
        structured: the answer is the turn's structured output, and nothing else.
    """

    def __init__(
        self,
        visibility: Visibility,
        *,
        calls: Iterable[str] = (),
        shows_thinking: bool = False,
        structured: bool = False,
    ) -> None:
        self._visibility = visibility
        self._client_tools = frozenset(calls)
        self._shows_thinking = shows_thinking
        self._structured = structured
        self._tools: dict[str, str] = {}
        self._inner: set[str] = set()
        """Tool calls of subagents."""
        self._put: set[str] = set()
        """The client's calls that were put to it."""
        self._awaited: dict[str, ToolUse] = {}
        """The client's calls that have had no result, and were not yet put to it."""
        self._resets_at: float | None = None
        self._told = TurnUsage()
        self._used = TurnUsage()
        self.ran_tools = False
        """Whether the agent has called any tool: then the request must not be repeated unasked."""
        self.message_ended = True
        """Whether the model has finished the message that it was at."""

    def receive(self, params: EventParams, now: float) -> list[Piece]:
        """The pieces that an event makes.

        Args:
            params: the event.
            now: seconds since 1970, for what a rate limit says.
        """
        event = params.event
        if isinstance(event, TextDelta):
            if event.parent_tool_call_id is not None or self._structured:
                return []
            self.message_ended = False
            return [Text(event.text)]
        if isinstance(event, ThinkingDelta):
            self.message_ended = False
            return [Thinking(event.text)] if self._shows_thinking and event.parent_tool_call_id is None else []
        if isinstance(event, Message):
            return [Break()] if event.role == "assistant" and event.parent_tool_call_id is None else []
        if isinstance(event, Usage):
            return self._note_usage(event)
        if isinstance(event, ToolCallStarted | ToolCallInput | ToolCallOutput):
            return self._show_tool(event)
        if isinstance(event, RateLimit):
            self._resets_at = event.resets_at
            return []
        return self._finish(event, now) if isinstance(event, TurnCompleted) else []

    def call(self, id: str, name: str, input: Any) -> None:
        """The CLI waits for the client to run this call; mostly its own line about it has come before."""
        if id not in self._awaited and id not in self._put:
            self._awaited[id] = ToolUse(id, name, input)

    @property
    def new_calls(self) -> frozenset[str]:
        """The ids of the calls that were not yet put to the client."""
        return frozenset(self._awaited)

    def suspend(self) -> list[Piece]:
        """The end of an answer after which the client runs its tools, and the turn goes on with the next request."""
        calls: list[Piece] = list(self._awaited.values())
        self._put.update(self._awaited)
        self._awaited.clear()
        usage, self._used = self._used, TurnUsage()
        self._told.add(usage)
        return [*calls, End("tool_use", usage)]

    def _note_usage(self, event: Usage) -> list[Piece]:
        self.message_ended = True
        counts = {name: getattr(event, name) for name in TurnUsage.__struct_fields__}
        self._used.add(TurnUsage(**counts))
        return []

    def _show_tool(self, event: ToolCallStarted | ToolCallInput | ToolCallOutput) -> list[Piece]:
        id = event.tool_call_id
        if isinstance(event, ToolCallStarted):
            self._start_tool(event)
            return []
        name = self._tools.get(id, "tool")
        if (ours := self._name_of_client(name)) is not None:
            self._await(id, ours, event)
            return []
        if self._visibility == "hidden" or id in self._inner or self._structured:
            return []
        if self._visibility == "text":
            note = _note(name, event)
            return [Break(), Text(note), Break()] if note else []
        return [Whole(_block(id, name, event))]

    def _start_tool(self, event: ToolCallStarted) -> None:
        self._tools[event.tool_call_id] = event.name
        if self._name_of_client(event.name) is None:
            self.ran_tools = True
        if event.parent_tool_call_id is not None:
            self._inner.add(event.tool_call_id)
        else:
            self.message_ended = False

    def _await(self, id: str, name: str, event: ToolCallInput | ToolCallOutput) -> None:
        if isinstance(event, ToolCallOutput):
            self._awaited.pop(id, None)
        elif id not in self._inner:
            self.call(id, name, event.input)

    def _name_of_client(self, name: str) -> str | None:
        """The client's name of a tool that the CLI calls by this name; None for another's."""
        own = name.removeprefix(PARENT_PREFIX)
        return own if own != name and own in self._client_tools else None

    def _finish(self, event: TurnCompleted, now: float) -> list[Piece]:
        if event.error is not None:
            wait = None if self._resets_at is None else max(0.0, self._resets_at - now)
            return [failed_turn(event.error, wait)]
        if event.stop_reason not in STOP_REASONS:
            return [INTERRUPTED]
        pieces: list[Piece] = []
        if self._structured:
            has_value = event.structured_output is not UNSET and event.structured_output is not None
            text = json.encode(event.structured_output).decode() if has_value else event.result or ""
            pieces = [Text(text)]
        return [*pieces, End(STOP_REASONS[event.stop_reason], self._rest(event.usage))]

    def _rest(self, total: TurnUsage | None) -> TurnUsage:
        """What of the turn's usage has not been told with an earlier part of it."""
        if total is None:
            return self._used
        names = TurnUsage.__struct_fields__
        return TurnUsage(**{name: max(0, getattr(total, name) - getattr(self._told, name)) for name in names})


def _note(name: str, event: ToolCallInput | ToolCallOutput) -> str:
    if isinstance(event, ToolCallOutput):
        return f"[{name} failed]" if event.is_error else ""
    text = json.encode(event.input).decode()
    return f"[{name} {text if len(text) <= NOTE_LENGTH else text[:NOTE_LENGTH] + '…'}]"


def _block(id: str, name: str, event: ToolCallInput | ToolCallOutput) -> dict[str, Any]:
    """As the API shows tools that its own server runs: both official client libraries pass such blocks on as they are
    (measured with anthropic 2.11 for Python and 1.11 for TypeScript)."""
    if isinstance(event, ToolCallInput):
        return {"type": "server_tool_use", "id": id, "name": name, "input": event.input}
    return {"type": "tool_result", "tool_use_id": id, "is_error": event.is_error, "content": event.content}
