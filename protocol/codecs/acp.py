"""Where an event of a session becomes updates of the Agent Client Protocol: `UpdateWriter.write(event)`.

One writer per session, for replayed history and for what is live, because tool calls and costs go on from one to the
other. Gives the `update` objects of `session/update`, in order. Never gives an update about a tool call that it has not
announced, and announces none twice. Modes, models and commands are not here (`acp_options.py`), and neither are
questions (`acp_questions.py`). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from protocol.codecs import acp_tools
from protocol.codecs.acp_calls import CallWriter
from protocol.codecs.acp_news import NewsWriter
from protocol.codecs.acp_size import split_text
from protocol.events import (
    Event,
    Message,
    Notice,
    PermissionResolved,
    Plan,
    Tasks,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
    TurnCompleted,
    TurnStarted,
    Usage,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from protocol.wire.acp import Client

Json = dict[str, Any]

HELD_LIMIT: Final = 20
"""Warnings from between two turns that the next one tells; of more, the newest."""


class UpdateWriter:
    """The updates of one session.

    Args:
        client: what the client can show.
        cwd: the session's working folder, against which titles are shortened.
        read_file: gives the text of a file, to show what a call is about to overwrite; None where it cannot be had.
        name: is in the ids of messages and compactions. One of its own for each writer keeps them apart in a client
            that has shown the session before.
    """

    def __init__(
        self, client: Client, cwd: str, read_file: Callable[[str], str | None] = lambda _: None, name: str = ""
    ) -> None:
        self.replaying = False
        """Whether the events are history: then the user's own messages are shown, too."""
        self._name = name
        self._message = 1
        calls = self.calls = CallWriter(client, cwd, lambda path: None if self.replaying else read_file(path))
        self._news = news = NewsWriter(client, name)
        self._in_turn = False
        self._held: list[Json] = []
        """What is told as the agent's thought and came outside of a turn: an editor expects chunks within a prompt."""
        self._writers: dict[type, Callable[[Any], list[Json]]] = {
            TextDelta: self._write_text,
            ThinkingDelta: self._write_thinking,
            Message: self._write_message,
            ToolCallStarted: self._write_started,
            ToolCallInput: calls.write_input,
            ToolCallProgress: calls.write_progress,
            ToolCallOutput: calls.write_output,
            PermissionResolved: calls.write_resolved,
            Plan: _write_plan,
            Tasks: calls.write_tasks,
            Usage: news.write_usage,
            Notice: self._write_notice,
            TurnStarted: self._write_turn_started,
            TurnCompleted: self._write_turn_completed,
        }

    def write(self, event: Event) -> list[Json]:
        """The updates that an event becomes; none where it is nothing for an editor."""
        writer = self._writers.get(type(event))
        return writer(event) if writer is not None else []

    # What the agent says

    @property
    def _message_id(self) -> str:
        return f"message-{self._name}{self._message}"

    def _chunk(self, kind: str, text: str) -> Json:
        content = {"type": "text", "text": text}
        return {"sessionUpdate": kind, "content": content, "messageId": self._message_id}

    def _write_text(self, event: TextDelta) -> list[Json]:
        if event.parent_tool_call_id is not None:
            return []
        return [self._chunk("agent_message_chunk", part) for part in split_text(event.text)]

    def _write_thinking(self, event: ThinkingDelta) -> list[Json]:
        if event.parent_tool_call_id is not None:
            return []
        return [self._chunk("agent_thought_chunk", part) for part in split_text(event.text)]

    def _write_message(self, event: Message) -> list[Json]:
        """Its text has been told by deltas; a subagent's belongs to the call that started it."""
        if event.parent_tool_call_id is not None:
            return self.calls.note(event) if event.role == "assistant" else []
        updates = self._replayed(event) if self.replaying else []
        self._message += 1
        return updates

    def _replayed(self, event: Message) -> list[Json]:
        """A message of the history, which has no deltas."""
        if event.role != "assistant":
            return self._user_message(event)
        kinds = {"text": "agent_message_chunk", "thinking": "agent_thought_chunk"}
        return [
            self._chunk(kind, part)
            for block in event.content
            if (kind := kinds.get(_type_of(block))) is not None and isinstance(text := block.get(block["type"]), str)
            for part in split_text(text)
        ]

    def _user_message(self, event: Message) -> list[Json]:
        id = self._message_id
        blocks = [shown for block in event.content if (shown := _shown_block(block)) is not None]
        return [{"sessionUpdate": "user_message_chunk", "content": block, "messageId": id} for block in blocks]

    def _write_started(self, event: ToolCallStarted) -> list[Json]:
        self._message += 1
        return self.calls.write_started(event)

    def _write_notice(self, event: Notice) -> list[Json]:
        updates = self._news.write_notice(event)
        if not self._in_turn and not self.replaying:
            self._held += [update for update in updates if update["sessionUpdate"] == "agent_thought_chunk"]
            self._held = self._held[-HELD_LIMIT:]
            updates = [update for update in updates if update["sessionUpdate"] != "agent_thought_chunk"]
        return updates

    def _write_turn_started(self, event: TurnStarted) -> list[Json]:
        self._message += 1
        self._in_turn = True
        held, self._held = self._held, []
        return held

    def _write_turn_completed(self, event: TurnCompleted) -> list[Json]:
        self._in_turn = False
        return self._news.write_turn_completed(event)


def _write_plan(event: Plan) -> list[Json]:
    entries = [
        {"content": entry.content, "priority": entry.priority, "status": entry.status} for entry in event.entries
    ]
    return [{"sessionUpdate": "plan", "entries": entries}]


def _type_of(block: Any) -> Any:
    return block.get("type") if isinstance(block, dict) else None


def _shown_block(block: Any) -> Json | None:
    """A block of a user's message in the protocol's form."""
    kind = _type_of(block)
    if kind == "text" and isinstance(block.get("text"), str) and block["text"]:
        return {"type": "text", "text": block["text"]}
    if kind in ("image", "document"):
        shown = acp_tools.shown_image(block.get("source")) if kind == "image" else None
        return shown or {"type": "text", "text": f"[{kind}]"}
    return None
