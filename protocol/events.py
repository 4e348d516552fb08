"""The one vocabulary of events (SPEC.md, section 5): what every provider's dialect becomes and every face is made
from.

msgspec structs, because an event is built and encoded for every streamed delta. A field typed `… | UnsetType` is
left out where it is not known; every other field is always sent, null where there is nothing to say.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

Json = Any
ToolKind = Literal["read", "edit", "execute", "search", "fetch", "think", "other"]
RuntimeMode = Literal["supervised", "accept_edits", "plan", "full_access"]
TurnOrigin = Literal["message", "background"]
StopReason = Literal["end_turn", "max_tokens", "max_turns", "max_budget", "refusal", "interrupted", "error"]
EndReason = Literal["stopped", "idle_timeout", "evicted", "crashed", "shutdown"]
NoticeLevel = Literal["debug", "info", "warning", "error"]
PermissionOutcome = Literal["allow", "deny", "cancelled"]
TaskStatus = Literal["running", "completed", "failed", "stopped"]
CompactionStatus = Literal["started", "completed", "failed"]
ResolvedBy = Literal["parent", "timeout", "interrupt", "mode"]


def _tag(class_name: str) -> str:
    """`TextDelta` is sent as `text_delta`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in class_name).lstrip("_")


class Event(Struct, tag_field="type", tag=_tag, kw_only=True):
    """What every event is: `type` names it."""


class SessionStarted(Event):
    """The first event of a session. What the CLI's handshake does not tell is null."""

    provider_session_id: str | None = None
    model: str | None = None
    working_dir: str | None = None
    runtime_mode: str | None = None
    tools: list[str] | None = None
    slash_commands: list[str] | None = None
    mcp_servers: list[Json] | None = None
    cli_version: str | None = None
    api_key_source: str | None = None


class SessionUpdated(Event):
    """Those fields of `session_started` that became known or changed."""

    provider_session_id: str | UnsetType | None = UNSET
    model: str | UnsetType | None = UNSET
    working_dir: str | UnsetType | None = UNSET
    runtime_mode: str | UnsetType | None = UNSET
    tools: list[str] | UnsetType | None = UNSET
    slash_commands: list[str] | UnsetType | None = UNSET
    mcp_servers: list[Json] | UnsetType | None = UNSET
    cli_version: str | UnsetType | None = UNSET
    api_key_source: str | UnsetType | None = UNSET


class TurnStarted(Event):
    """The first event of a turn: of a `send_message`, or of one that the agent began by itself."""

    origin: TurnOrigin


class TextDelta(Event, gc=False):
    """A piece of the agent's answer."""

    text: str
    parent_tool_call_id: str | None = None


class ThinkingDelta(Event, gc=False):
    """A piece of the agent's thinking."""

    text: str
    parent_tool_call_id: str | None = None


class Message(Event):
    """Finished content, as whole blocks. The text of an agent's messages in a turn, joined, equals its text
    deltas, joined."""

    role: str
    content: list[Json]
    parent_tool_call_id: str | None = None


class ToolCallStarted(Event):
    """The agent begins to call a tool; its input follows as `tool_call_input`."""

    tool_call_id: str
    name: str
    kind: ToolKind
    parent_tool_call_id: str | None = None


class ToolCallInput(Event):
    """The complete input of a tool call."""

    tool_call_id: str
    input: Json


class ToolCallProgress(Event):
    """A sign of life of a running tool call, or more of its live output. `elapsed_ms` counts from the call's start.
    With `is_error` it is the whole output of a call that has been completed without it."""

    tool_call_id: str
    elapsed_ms: int | UnsetType = UNSET
    content: Json | UnsetType = UNSET
    is_error: bool | UnsetType = UNSET


class FileChange(Struct, kw_only=True):
    """A part of a file that a tool call has changed, with lines around it. `line` counts from 1 in the new file;
    `old_text` is null where the file is new."""

    path: str
    line: int
    old_text: str | None
    new_text: str


class ToolCallOutput(Event):
    """What a tool call gave: text or content blocks. Made up, with `is_error`, where the CLI gives none."""

    tool_call_id: str
    is_error: bool
    content: Json
    changes: list[FileChange] | UnsetType = UNSET


class PlanEntry(Struct, kw_only=True):
    """One step of the agent's plan."""

    content: str
    status: Literal["pending", "in_progress", "completed"] = "pending"
    priority: Literal["high", "medium", "low"] = "medium"


class Plan(Event):
    """The agent's plan, whole, each time it changes."""

    entries: list[PlanEntry]


class PermissionResolved(Event):
    """How a permission request ended, and who decided."""

    tool_call_id: str
    outcome: PermissionOutcome
    by: ResolvedBy


class RateLimit(Event):
    """The account's limits, as the CLI reports them; `resets_at` in seconds since 1970."""

    status: str
    limit_type: str | None = None
    resets_at: float | int | None = None


class Usage(Event):
    """Tokens of one call of the model. `context_window` in tokens, once the CLI has told it."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    context_window: int | UnsetType = UNSET


class Compaction(Struct, kw_only=True):
    """How far a compaction of the context has come. `trigger` in the CLI's words (`manual`, `auto`)."""

    status: CompactionStatus
    trigger: str | None = None
    pre_tokens: int | None = None
    post_tokens: int | None = None


class Retry(Struct, kw_only=True):
    """A call of the model's API that is tried again. `status` is that of HTTP, null where there was no answer."""

    attempt: int
    max_attempts: int
    delay_ms: int
    status: int | None = None


class Notice(Event):
    """Something worth showing that is no part of the answer: retries, compaction, a restart of the CLI. What a program
    may want to know of it stands beside the text."""

    level: NoticeLevel
    message: str
    compaction: Compaction | UnsetType = UNSET
    retry: Retry | UnsetType = UNSET
    title: str | UnsetType = UNSET


class TaskUsage(Struct, kw_only=True):
    """What a subagent has used so far, as the CLI counts it."""

    total_tokens: int = 0
    tool_uses: int = 0
    duration_ms: int = 0


class Task(Struct, kw_only=True):
    """Something that runs beside the conversation, or has ended just now. `background`: it outlives its turn; `usage`:
    a subagent's, as last told."""

    task_id: str
    kind: str
    status: TaskStatus
    description: str = ""
    tool_call_id: str | None = None
    background: bool = False
    usage: TaskUsage | None = None


class Tasks(Event):
    """The commands and agents that run, whole, each time that changes; one that has ended is in it once more."""

    tasks: list[Task]


class Raw(Event):
    """A line of the CLI that the adapter could not interpret, whole."""

    content: str


class TurnUsage(Struct, kw_only=True):
    """Tokens of a turn (in `turn_completed`) or of a session (in `list_sessions`): the sum of all its model calls."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0

    def add(self, other: TurnUsage | None) -> None:
        """Add another count to this one."""
        if other is not None:
            self.input_tokens += other.input_tokens
            self.output_tokens += other.output_tokens
            self.cache_read_input_tokens += other.cache_read_input_tokens
            self.cache_creation_input_tokens += other.cache_creation_input_tokens


class TurnError(Struct, kw_only=True):
    """Why a turn ended with `stop_reason` `error`. `kind` as in the error table, or `api_error`."""

    kind: str
    message: str
    api_status: int | UnsetType | None = UNSET
    hint: str | UnsetType = UNSET


class TurnCompleted(Event):
    """The last event of a turn. `is_error` is true exactly where `error` is set. `duration_ms` is the CLI's, else
    ours; `context_window` in tokens, once the CLI has told it."""

    stop_reason: StopReason
    is_error: bool = False
    context_window: int | UnsetType = UNSET
    result: str | None = None
    structured_output: Json | UnsetType = UNSET
    error: TurnError | None = None
    usage: TurnUsage | None = None
    cost_usd: float | None = None
    duration_ms: int | None = None
    num_turns: int | None = None


class SessionEnded(Event):
    """The last event of a session."""

    reason: EndReason
    exit_code: int | None = None
    signal: str | None = None
    stderr_tail: str | None = None


AnyEvent = (
    SessionStarted
    | SessionUpdated
    | TurnStarted
    | TextDelta
    | ThinkingDelta
    | Message
    | ToolCallStarted
    | ToolCallInput
    | ToolCallProgress
    | ToolCallOutput
    | Plan
    | PermissionResolved
    | RateLimit
    | Usage
    | Notice
    | Tasks
    | Raw
    | TurnCompleted
    | SessionEnded
)


class EventParams(Struct):
    """The params of the notification `event`: `seq` counts 1, 2, 3, … per session; `turn_id` is null outside a turn."""

    session_id: str
    seq: int
    turn_id: str | None
    event: AnyEvent


def join_deltas(events: list[Event]) -> list[Event]:
    """Join neighbouring deltas of one kind and one agent into one; nothing else moves. For a parent that is behind."""
    joined: list[Event] = []
    texts: list[str] = []
    for event in events:
        last = joined[-1] if joined else None
        if isinstance(event, TextDelta | ThinkingDelta) and type(last) is type(event) and _same_agent(last, event):
            texts.append(event.text)
            continue
        _close(joined, texts)
        joined.append(event)
    _close(joined, texts)
    return joined


def _same_agent(last: Event | None, event: TextDelta | ThinkingDelta) -> bool:
    return isinstance(last, TextDelta | ThinkingDelta) and last.parent_tool_call_id == event.parent_tool_call_id


def _close(joined: list[Event], texts: list[str]) -> None:
    if texts and isinstance(last := joined[-1], TextDelta | ThinkingDelta):
        joined[-1] = type(last)(text=last.text + "".join(texts), parent_tool_call_id=last.parent_tool_call_id)
        texts.clear()
