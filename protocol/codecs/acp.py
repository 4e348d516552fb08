"""Where an event of a session becomes updates of the Agent Client Protocol: `UpdateWriter.write(event)`.

One writer per session, for replayed history and for what is live, because tool calls and costs go on from one to the
other. Gives the `update` objects of `session/update`, in order. Never gives an update about a tool call that it has not
announced, and announces none twice. Modes, models and commands are not here (`acp_options.py`), and neither are
questions (`acp_questions.py`). Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

from protocol.codecs import acp_tools
from protocol.codecs.acp_size import split_text
from protocol.events import (
    Event,
    Message,
    Notice,
    PermissionResolved,
    Plan,
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

ENDED_KEPT: Final = 256
"""Ended tool calls that are remembered, for output that comes late, of work that went on in the background."""

NOTES_LIMIT: Final = 16 * 1024
"""Characters of a subagent's text that are shown while it works: the newest. Its report comes as its output."""


@dataclass(slots=True)
class _Call:
    """A tool call that the client knows of, or will know of when there is something to show."""

    name: str
    kind: str
    parent: str | None
    announced: bool = False
    in_terminal: bool = False
    has_streamed: bool = False
    input: Any = None
    content: list[Json] = field(default_factory=list)
    notes: str = ""


class UpdateWriter:
    """The updates of one session.

    Args:
        client: what the client can show.
        cwd: the session's working folder, against which titles are shortened.
    """

    def __init__(self, client: Client, cwd: str) -> None:
        self.replaying = False
        """Whether the events are history: then the user's own messages are shown, too."""
        self._client = client
        self._cwd = cwd
        self._message = 1
        self._calls: dict[str, _Call] = {}
        self._ended: OrderedDict[str, _Call] = OrderedDict()
        self._used: int | None = None
        self._window: int | None = None
        self._cost = 0.0
        self._writers: dict[type, Callable[[Any], list[Json]]] = {
            TextDelta: self._write_text,
            ThinkingDelta: self._write_thinking,
            Message: self._write_message,
            ToolCallStarted: self._write_started,
            ToolCallInput: self._write_input,
            ToolCallProgress: self._write_progress,
            ToolCallOutput: self._write_output,
            PermissionResolved: self._write_resolved,
            Plan: _write_plan,
            Usage: self._write_usage,
            Notice: self._write_notice,
            TurnStarted: self._write_turn_started,
            TurnCompleted: self._write_turn_completed,
        }

    def write(self, event: Event) -> list[Json]:
        """The updates that an event becomes; none where it is nothing for an editor."""
        writer = self._writers.get(type(event))
        return writer(event) if writer is not None else []

    def announce(self, id: str, name: str, kind: str, given: Json) -> list[Json]:
        """The updates after which the client knows this call: nothing may refer to one that it does not know."""
        call = self._calls.get(id)
        if call is None:
            call = self._calls[id] = _Call(name, acp_tools.tool_kind(name, kind), None)
        return [] if call.announced else [self._announcement(id, call), *self._input_update(id, call, given)]

    def describe(self, id: str, given: Json) -> Json:
        """A call as the `toolCall` of a permission request."""
        call = self._calls[id]
        return {
            "toolCallId": id,
            "name": call.name,
            "status": "pending",
            "kind": call.kind,
            "title": acp_tools.title(call.name, call.kind, given, self._cwd),
            "rawInput": given,
            "content": self._shown_input(id, call, given),
            "locations": acp_tools.locations(given),
        }

    # What the agent says

    def _chunk(self, kind: str, text: str) -> Json:
        content = {"type": "text", "text": text}
        return {"sessionUpdate": kind, "content": content, "messageId": f"message-{self._message}"}

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
            return self._note(event) if event.role == "assistant" else []
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
        id = f"message-{self._message}"
        blocks = [shown for block in event.content if (shown := _shown_block(block)) is not None]
        return [{"sessionUpdate": "user_message_chunk", "content": block, "messageId": id} for block in blocks]

    def _note(self, event: Message) -> list[Json]:
        call = self._calls.get(event.parent_tool_call_id or "")
        text = acp_tools.text_of([block for block in event.content if _type_of(block) == "text"])
        if call is None or not call.announced or not text:
            return []
        call.notes = f"{call.notes}\n\n{text}".strip()[-NOTES_LIMIT:]
        return [_update(event.parent_tool_call_id or "", content=[acp_tools.text_content(call.notes)])]

    # Tool calls

    def _write_started(self, event: ToolCallStarted) -> list[Json]:
        call = _Call(event.name, acp_tools.tool_kind(event.name, event.kind), event.parent_tool_call_id)
        self._calls[event.tool_call_id] = call
        self._ended.pop(event.tool_call_id, None)
        self._message += 1
        return [] if event.name in acp_tools.PLANNING_TOOLS else [self._announcement(event.tool_call_id, call)]

    def _announcement(self, id: str, call: _Call) -> Json:
        call.announced = True
        about: Json = {"toolName": call.name}
        if call.parent is not None:
            about["parentToolUseId"] = call.parent
        meta: Json = {"claudeCode": about}
        update: Json = {
            "sessionUpdate": "tool_call",
            "toolCallId": id,
            "title": acp_tools.first_title(call.name),
            "name": call.name,
            "kind": call.kind,
            "status": "pending",
            "rawInput": {},
        }
        if call.kind == "execute" and self._client.terminal_output:
            call.in_terminal = True
            meta["terminal_info"] = {"terminal_id": id, "cwd": self._cwd}
            update["content"] = [{"type": "terminal", "terminalId": id}]
        return update | {"_meta": meta}

    def _write_input(self, event: ToolCallInput) -> list[Json]:
        call = self._calls.get(event.tool_call_id)
        if call is None:
            return []
        if not call.announced:
            call.input = event.input
            return []
        return self._input_update(event.tool_call_id, call, event.input)

    def _input_update(self, id: str, call: _Call, given: Any) -> list[Json]:
        call.input = given
        call.content = self._shown_input(id, call, given)
        update = _update(
            id,
            title=acp_tools.title(call.name, call.kind, given, self._cwd),
            status="in_progress",
            rawInput=given,
            locations=acp_tools.locations(given),
        )
        if call.content and not call.in_terminal:
            update["content"] = call.content
        return [update]

    def _shown_input(self, id: str, call: _Call, given: Any) -> list[Json]:
        if call.in_terminal:
            return [{"type": "terminal", "terminalId": id}]
        return acp_tools.input_content(call.name, call.kind, given)

    def _write_progress(self, event: ToolCallProgress) -> list[Json]:
        id = event.tool_call_id
        call = self._calls.get(id) or self._ended.get(id)
        if call is None or not call.announced:
            return []
        status = {"status": "in_progress"} if id in self._calls else {}
        text = acp_tools.text_of(event.content) if event.content is not UNSET else ""
        if not text:
            return [_update(id, **status)] if status else []
        return [self._live_output(id, call, text, status)]

    def _live_output(self, id: str, call: _Call, text: str, status: Json) -> Json:
        if call.in_terminal:
            call.has_streamed = True
            return _update(id, **status, _meta={"terminal_output": {"terminal_id": id, "data": text}})
        if call.kind == "execute":
            call.notes = (call.notes + text)[-NOTES_LIMIT:]
            return _update(id, **status, content=[acp_tools.text_content(acp_tools.fenced(call.notes, "console"))])
        return _update(id, **status, content=[*call.content, acp_tools.text_content(text)])

    def _write_resolved(self, event: PermissionResolved) -> list[Json]:
        call = self._calls.get(event.tool_call_id)
        if call is None or not call.announced or event.outcome != "allow":
            return []
        return [_update(event.tool_call_id, status="in_progress")]

    def _write_output(self, event: ToolCallOutput) -> list[Json]:
        id = event.tool_call_id
        call = self._calls.pop(id, None)
        if call is None:
            return []
        updates: list[Json] = []
        if not call.announced:
            if not event.is_error:
                return []
            updates = [self._announcement(id, call), *self._input_update(id, call, call.input or {})]
        self._ended[id] = call
        while len(self._ended) > ENDED_KEPT:
            self._ended.popitem(last=False)
        if call.in_terminal:
            return [*updates, *self._terminal_end(id, call, event)]
        update = _update(id, status="failed" if event.is_error else "completed", rawOutput=event.content)
        if event.changes is not UNSET:
            update["content"] = acp_tools.change_content(event.changes)
            update["locations"] = acp_tools.change_locations(event.changes)
        elif call.kind != "edit" or event.is_error:
            content = acp_tools.output_content(call.kind, event.content, is_error=event.is_error)
            update |= {"content": content} if content else {}
        return [*updates, update]

    def _terminal_end(self, id: str, call: _Call, event: ToolCallOutput) -> list[Json]:
        """Its output, where the terminal has not shown it live, then its end. The CLI tells no exit code: 1 stands for
        any failure."""
        text = "" if call.has_streamed and not event.is_error else acp_tools.text_of(event.content)
        ended = {"terminal_id": id, "exit_code": 1 if event.is_error else 0, "signal": None}
        status = "failed" if event.is_error else "completed"
        updates = [_update(id, _meta={"terminal_output": {"terminal_id": id, "data": text}})] if text else []
        return [*updates, _update(id, status=status, rawOutput=event.content, _meta={"terminal_exit": ended})]

    # What is known of the session

    def _write_usage(self, event: Usage) -> list[Json]:
        self._used = (
            event.input_tokens + event.output_tokens + event.cache_read_input_tokens + event.cache_creation_input_tokens
        )
        if event.context_window is not UNSET:
            self._window = event.context_window
        return self._usage()

    def _usage(self) -> list[Json]:
        """Nothing until the size of the context is known: a guess would be wrong for some models by five times."""
        if self._used is None or not self._window:
            return []
        cost = {"amount": round(self._cost, 6), "currency": "USD"}
        return [{"sessionUpdate": "usage_update", "used": self._used, "size": self._window, "cost": cost}]

    def _write_notice(self, event: Notice) -> list[Json]:
        if event.level == "debug" or not event.message:
            return []
        if self._client.notices:
            severity = event.level
            return [{"sessionUpdate": "notice", "severity": severity, "title": event.message}]
        # What a client without notices should still tell its user goes where it is no part of the answer.
        return [self._chunk("agent_thought_chunk", f"{event.message}\n")] if event.level == "warning" else []

    def _write_turn_started(self, event: TurnStarted) -> list[Json]:
        self._message += 1
        return []

    def _write_turn_completed(self, event: TurnCompleted) -> list[Json]:
        self._cost += event.cost_usd or 0.0
        return self._usage() if event.cost_usd else []


def _write_plan(event: Plan) -> list[Json]:
    entries = [
        {"content": entry.content, "priority": entry.priority, "status": entry.status} for entry in event.entries
    ]
    return [{"sessionUpdate": "plan", "entries": entries}]


def _update(id: str, **fields: Any) -> Json:
    return {"sessionUpdate": "tool_call_update", "toolCallId": id, **fields}


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
