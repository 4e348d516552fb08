"""The parent's hooks as Claude Code sees them: callbacks over the control channel. Pure.

`initialize.hooks` names for each event the callbacks to be called; the CLI sends a control request `hook_callback` and
waits. Shapes measured with claude 2.1.197 and 2.1.329.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.codecs.claude_open import Asked, Replied
from protocol.hooks import DENIED_BY_HOOK, HOOK_TIMEOUT_S, HookAnswer
from protocol.permissions import DENIED_BY_PLAN_MODE
from protocol.signals import HookFired

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocol.hooks import HookSubscription

PREFIX = "parent:"
"""Before the parent's hook ids, so that a callback of our own can never meet one of them."""

SLACK_S = 5.0
"""What the CLI is told beyond a hook's time: it is we who count an answer as missing, alike with every version."""


def hook_fields(hooks: Sequence[HookSubscription]) -> dict[str, list[dict[str, Any]]] | None:
    """The field `hooks` of the `initialize` request; None where there are none."""
    fields: dict[str, list[dict[str, Any]]] = {}
    for hook in hooks:
        matcher: dict[str, Any] = {"hookCallbackIds": [PREFIX + hook.hook_id], "timeout": _seconds(hook) + SLACK_S}
        if hook.matcher is not None:
            matcher["matcher"] = hook.matcher
        fields.setdefault(hook.event, []).append(matcher)
    return fields or None


class HookReader:
    """Reads the callbacks of the parent's hooks.

    Args:
        hooks: as subscribed.
        forbids: whether a tool call, given as a hook's input, may not be made now.
    """

    def __init__(self, hooks: Sequence[HookSubscription], forbids: Callable[[Any], bool]) -> None:
        self._forbids = forbids
        self._hooks = {PREFIX + hook.hook_id: hook for hook in hooks}

    def read(self, request_id: str, body: dict[str, Any]) -> Asked | Replied:
        """One `hook_callback`."""
        hook = self._hooks.get(body["callback_id"])
        if hook is None:
            return Replied(error=f"No hook of this id: {body['callback_id']}")
        given = body["input"]
        fired = HookFired(
            request_id=request_id,
            hook_id=hook.hook_id,
            event=hook.event,
            # At other events the field holds an id of the CLI's own making.
            tool_call_id=body.get("tool_use_id") if "tool_name" in given else None,
            input=given,
            timeout=_seconds(hook),
        )
        return Asked(fired, lambda answer: render_answer(hook.event, self._held(given, answer)))

    def _held(self, given: dict[str, Any], answer: HookAnswer) -> HookAnswer:
        """The answer, unless it makes of a harmless call one that plan mode forbids."""
        if answer.updated_input is None or not self._forbids({**given, "tool_input": answer.updated_input}):
            return answer
        return HookAnswer("deny", reason=DENIED_BY_PLAN_MODE)


def render_answer(event: str, answer: HookAnswer) -> dict[str, Any]:
    """The CLI's `response` to a hook at `event`."""
    response: dict[str, Any] = {"continue": answer.go_on}
    if answer.stop_reason is not None:
        response["stopReason"] = answer.stop_reason
    if answer.decision == "block":
        response |= {"decision": "block", "reason": answer.reason or DENIED_BY_HOOK}
    specific: dict[str, Any] = {}
    if event == "PreToolUse" and answer.decision is not None:
        reason = answer.reason or (DENIED_BY_HOOK if answer.decision == "deny" else "")
        specific |= {"permissionDecision": answer.decision, "permissionDecisionReason": reason}
    if event == "PreToolUse" and answer.updated_input is not None:
        specific["updatedInput"] = answer.updated_input
    if event == "PermissionRequest" and answer.decision is not None:
        specific["decision"] = _permission(answer)
    if answer.additional_context is not None:
        specific["additionalContext"] = answer.additional_context
    if specific:
        response["hookSpecificOutput"] = {"hookEventName": event, **specific}
    return response


def _permission(answer: HookAnswer) -> dict[str, Any]:
    if answer.decision == "deny":
        return {"behavior": "deny", "message": answer.reason or DENIED_BY_HOOK}
    return {"behavior": "allow", **({} if answer.updated_input is None else {"updatedInput": answer.updated_input})}


def _seconds(hook: HookSubscription) -> float:
    return HOOK_TIMEOUT_S if hook.timeout is None else hook.timeout
