"""What a codec tells its session besides events: facts that drive the machines and are never sent to a parent as
they are."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from protocol.events import AnyEvent, TurnError, TurnOrigin, TurnUsage

PermissionKind = str
"""A tool kind of `protocol.events`, or `question`, `plan` (and later `trust`)."""


class TurnBegan(Struct, kw_only=True):
    """The CLI begins a turn: that of the message we gave it, or one of its own."""

    origin: TurnOrigin


class MessageBegan(Struct, kw_only=True):
    """The model begins a new message: deltas that no message has followed belong to one that was cut off."""

    parent_tool_call_id: str | None = None


class TurnEnded(Struct, kw_only=True):
    """The CLI's own end of a turn, with everything it says about it. `cost_usd` is the turn's."""

    stop_reason: str
    result: str | None = None
    structured_output: Any = None
    has_structured_output: bool = False
    error: TurnError | None = None
    usage: TurnUsage | None = None
    cost_usd: float | None = None
    duration_ms: int | None = None
    num_turns: int | None = None
    context_window: int | None = None


class PermissionAsked(Struct, kw_only=True):
    """The CLI waits for a decision. `request_id` is the CLI's; the tool call's start has gone out before."""

    request_id: str
    tool_call_id: str
    tool_name: str
    kind: PermissionKind
    input: dict[str, Any]
    title: str | None
    suggestions: list[Any]
    by_mode: bool = False
    """The CLI asks only because of the runtime mode (`plan`): the daemon decides, not a person."""
    owned: bool = False
    """The tool is the parent's own: by running it, or not, the parent decides."""


class ToolCalled(Struct, kw_only=True):
    """The CLI waits for the result of one of the parent's tools; `name` is the parent's."""

    request_id: str
    tool_call_id: str | None
    name: str
    input: dict[str, Any]
    read_only: bool = False


class HookFired(Struct, kw_only=True):
    """The CLI waits at an event that the parent has subscribed to; `input` is what the CLI tells of it."""

    request_id: str
    hook_id: str
    event: str
    tool_call_id: str | None
    input: dict[str, Any]
    timeout: float
    """Seconds that the answer may take."""


class QuestionWithdrawn(Struct, kw_only=True):
    """The CLI no longer waits for this answer: to a permission request, a tool call or a hook."""

    request_id: str


class Compacting(Struct, kw_only=True):
    """The CLI is compacting its context (or has finished): long silence is normal."""

    active: bool


class ProcessExited(Struct, kw_only=True):
    """The end of the process and of its output. The last item of every stream."""

    exit_code: int | None
    signal: str | None
    stderr_tail: str

    @property
    def how(self) -> str:
        """How it ended, in words. A process that closes its output and lives on has no exit code of its own."""
        if self.signal is None and self.exit_code is None:
            return "its output was closed"
        return self.signal or f"exit code {self.exit_code}"


Question = PermissionAsked | ToolCalled | HookFired
Signal = TurnBegan | MessageBegan | TurnEnded | Question | QuestionWithdrawn | Compacting | ProcessExited
ProviderEvent = AnyEvent | Signal
DecisionOutcome = Literal["allow", "deny"]
