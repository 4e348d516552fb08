"""Claude Code's stream-json dialect: the shapes that are decoded for every streamed delta, and the names in it.

Measured with claude 2.1.197 and 2.1.329. Only the hot path is typed (`Line`): a delta is the one thing that comes
by the hundred thousand. Every other line is decoded to plain values and read with care by the codec, because its
shape changes from version to version.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from msgspec import Struct


class Delta(Struct, gc=False):
    """`stream_event.event.delta`, of any kind."""

    type: str = ""
    text: str = ""
    thinking: str = ""


class StreamEvent(Struct, gc=False):
    """`stream_event.event`: an event of the Messages API's stream, passed through by the CLI."""

    type: str = ""
    delta: Delta | None = None


class Line(Struct, gc=False):
    """A line of the CLI, as far as the hot path needs it. Unknown fields are skipped."""

    type: str = ""
    event: StreamEvent | None = None
    parent_tool_use_id: str | None = None


decode_line: Final = msgspec.json.Decoder(Line).decode

RUNTIME_MODES: Final[dict[str, str]] = {
    "supervised": "default",
    "accept_edits": "acceptEdits",
    "plan": "plan",
    "full_access": "bypassPermissions",
}
"""The contract's runtime modes and the CLI's permission modes."""

RUNTIME_MODE_OF: Final[dict[str, str]] = {theirs: ours for ours, theirs in RUNTIME_MODES.items()}

QUESTION_TOOL: Final = "AskUserQuestion"
PLAN_TOOL: Final = "ExitPlanMode"

TOOL_KINDS: Final[dict[str, str]] = {
    "Read": "read",
    "NotebookRead": "read",
    "ListMcpResourcesTool": "read",
    "ReadMcpResourceTool": "read",
    "Edit": "edit",
    "MultiEdit": "edit",
    "Write": "edit",
    "NotebookEdit": "edit",
    "Bash": "execute",
    "BashOutput": "execute",
    "KillShell": "execute",
    "Monitor": "execute",
    "Grep": "search",
    "Glob": "search",
    "WebSearch": "search",
    "ToolSearch": "search",
    "WebFetch": "fetch",
    "Agent": "think",
    "Task": "think",
    "TodoWrite": "think",
    "TaskCreate": "think",
    "TaskUpdate": "think",
    "TaskList": "think",
    "TaskGet": "think",
    "EnterPlanMode": "think",
    PLAN_TOOL: "think",
    QUESTION_TOOL: "think",
}
"""Tool name to the contract's kind; what is not here is `other`."""

STOP_REASONS: Final[dict[str, str]] = {
    "max_tokens": "max_tokens",
    "model_context_window_exceeded": "max_tokens",
    "refusal": "refusal",
}
"""`result.stop_reason` to the contract's; every other one of a successful turn is `end_turn`."""

RESULT_SUBTYPES: Final[dict[str, str]] = {
    "error_max_turns": "max_turns",
    "error_max_budget_usd": "max_budget",
}

STREAM_EVENTS: Final = frozenset(
    {
        "message_start",
        "message_delta",
        "message_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "ping",
    }
)
"""The Messages API's stream events that are known; most of them hold no news that the whole blocks do not repeat."""

SILENT_TYPES: Final = frozenset({"keep_alive", "command_lifecycle", "ui_invalidate", "worker_shutting_down"})
SILENT_SUBTYPES: Final = frozenset({"thinking_tokens", "session_state_changed", "ui_invalidate", "hook_started"})
"""Lines that are understood and hold no news for a parent: signs of life and the CLI's own book-keeping."""


def usage_fields(usage: Any) -> dict[str, int]:
    """The four token counts of a Messages API usage object; what is missing or no number is left out."""
    if not isinstance(usage, dict):
        return {}
    names = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    return {name: value for name in names if type(value := usage.get(name)) is int}  # true is an int to isinstance


def tool_kind(name: str) -> str:
    """The contract's kind of a tool."""
    return TOOL_KINDS.get(name, "other")
