"""Hooks (SPEC.md, "Hooks"): which of the agent's moments a parent can ask to be called at, the question `run_hook`,
and its answer.

Pure. Validated here, once, for every face. The names of the events and what `input` holds are the CLI ecosystem's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, JsonValue

from protocol.model import Params, Result, Text

if TYPE_CHECKING:
    from collections.abc import Mapping

HookEvent = Literal[
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "PermissionRequest",
    "UserPromptSubmit",
    "Stop",
    "StopFailure",
    "SubagentStart",
    "SubagentStop",
    "PreCompact",
    "PostCompact",
]
"""The events that reach a callback. Measured with claude 2.1.197 and 2.1.329: `SessionStart`, `SessionEnd` and
`Notification` do not, or not when a session starts and ends."""

HookDecision = Literal["allow", "deny", "ask", "block"]

HOOK_TIMEOUT_S = 60.0
"""How long an answer to a hook may take where the subscription names no time: the CLI's own for hooks that are
programs. The agent waits meanwhile."""

MAX_HOOK_TIMEOUT_S = 86_400.0
"""The longest time that a subscription may name: a day."""

GUARDS = frozenset({"PreToolUse", "PermissionRequest"})
"""Events at which something may be stopped: an answer that cannot be used counts as deny."""

DECISIONS: Mapping[str, frozenset[str]] = {
    "PreToolUse": frozenset({"allow", "deny", "ask"}),
    "PermissionRequest": frozenset({"allow", "deny"}),
    "PostToolUse": frozenset({"block"}),
    "PostToolBatch": frozenset({"block"}),
    "UserPromptSubmit": frozenset({"block"}),
    "Stop": frozenset({"block"}),
    "SubagentStop": frozenset({"block"}),
    "PreCompact": frozenset({"block"}),
}
"""What may be decided at an event; nothing at those that are not here."""

WITH_CONTEXT = frozenset(
    {"PreToolUse", "PostToolUse", "PostToolUseFailure", "PostToolBatch", "UserPromptSubmit", "SubagentStart"}
)
"""Events whose answer may hold text for the model (measured with both: it reads it)."""

DENIED_BY_HOOK = "A hook denied this."
HOOK_FAILED = "The hook could not be asked, so this was denied."


class HookSubscription(Params):
    """The parent wants to be called at an event."""

    hook_id: Text = Field(description="The parent's own name for it.")
    event: HookEvent
    matcher: str | None = Field(None, description="At which tools, in the CLI's own pattern; null for all.")
    timeout: float | None = Field(None, gt=0, le=MAX_HOOK_TIMEOUT_S, description="Seconds that an answer may take.")


def check_hooks(hooks: list[HookSubscription]) -> list[HookSubscription]:
    """The same subscriptions.

    Raises:
        ValueError: two of them have one id.
    """
    ids = [hook.hook_id for hook in hooks]
    twice = sorted({id for id in ids if ids.count(id) > 1})
    if twice:
        raise ValueError(f"two hooks have the id {twice[0]!r}")
    return hooks


class HookParams(Result):
    """Params of the daemon's request `run_hook`."""

    session_id: str
    turn_id: str | None
    tool_call_id: str | None
    hook_id: str
    event: str
    input: dict[str, Any]


class HookAnswerModel(Params):
    """The parent's answer to `run_hook`; an empty one has no opinion."""

    decision: HookDecision | None = None
    reason: str | None = None
    updated_input: dict[str, JsonValue] | None = None
    additional_context: str | None = None
    continue_: bool | None = Field(None, alias="continue")
    stop_reason: str | None = None


@dataclass(frozen=True, slots=True)
class HookAnswer:
    """What a hook has decided; the default is no opinion.

    Attributes:
        decision: one of `DECISIONS` of the event.
        reason: told to the agent with `deny` and `block`.
        updated_input: replaces the tool's input.
        additional_context: text that the model gets to read.
        go_on: False ends the turn.
        stop_reason: why it ends.
    """

    decision: HookDecision | None = None
    reason: str | None = None
    updated_input: dict[str, Any] | None = None
    additional_context: str | None = None
    go_on: bool = True
    stop_reason: str | None = None


def failed_hook(event: str) -> HookAnswer:
    """What an answer that cannot be used, or that never came, counts as."""
    return HookAnswer("deny", reason=HOOK_FAILED) if event in GUARDS else HookAnswer()


def parse_hook_answer(answer: Any, event: str) -> HookAnswer:
    """The parent's answer to `run_hook`.

    Raises:
        ValueError: it is not of the contract's form, or decides what this event does not decide; the message says
            where.
    """
    if not isinstance(answer, dict):
        raise ValueError("the answer must be an object")
    types: dict[str, tuple[type, str]] = {
        "decision": (str, "a string"),
        "reason": (str, "a string"),
        "updated_input": (dict, "an object"),
        "additional_context": (str, "a string"),
        "continue": (bool, "true or false"),
        "stop_reason": (str, "a string"),
    }
    unknown = set(answer) - set(types)
    if unknown:
        raise ValueError(f"unknown members: {', '.join(sorted(unknown))}")
    for name, (type_, what) in types.items():
        if answer.get(name) is not None and not isinstance(answer[name], type_):
            raise ValueError(f"{name} must be {what}")
    decision, updated = answer.get("decision"), answer.get("updated_input")
    if decision is not None and decision not in DECISIONS.get(event, ()):
        known = ", ".join(sorted(DECISIONS.get(event, ()))) or "nothing"
        raise ValueError(f"decision {decision!r} does not fit {event}: it decides {known}")
    if updated is not None and event not in GUARDS:
        raise ValueError(f"updated_input does not fit {event}")
    if answer.get("additional_context") is not None and event not in WITH_CONTEXT:
        raise ValueError(f"additional_context does not fit {event}")
    return HookAnswer(
        decision,
        answer.get("reason"),
        updated,
        answer.get("additional_context"),
        answer.get("continue") is not False,
        answer.get("stop_reason"),
    )
