"""Claude Code's questions to a person: may this tool run (`can_use_tool`), and an MCP server's own (`elicitation`).

Pure.
What must never be sent (measured with claude 2.1.197): an allow without `updatedInput`, a deny without `message`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.codecs.claude_open import Asked
from protocol.permissions import DENIED_BY_ERROR, DENIED_BY_PARENT, DENIED_BY_TIMEOUT, Decision
from protocol.signals import PermissionAsked
from protocol.wire.claude import PLAN_TOOL, QUESTION_TOOL, tool_kind

if TYPE_CHECKING:
    from protocol.tools import ParentTool

_WRITTEN_DOWN = ("localSettings", "projectSettings", "userSettings")
"""Destinations of a suggestion that are files."""

_KINDS = {QUESTION_TOOL: "question", PLAN_TOOL: "plan"}


def ask_permission(request_id: str, body: dict[str, Any], own: ParentTool | None) -> Asked:
    """The question of `can_use_tool`.

    Args:
        request_id: the CLI's.
        body: the control request.
        own: the parent's tool that it is about, if it is one.
    """
    name = body["tool_name"]
    kind = _KINDS.get(name) or tool_kind(name)
    suggestions = list(body.get("permission_suggestions") or ())
    if name == PLAN_TOOL and not suggestions:
        # The CLI suggests nothing for a plan, but takes the mode that it is to be carried out in (claude 2.1.x).
        suggestions = [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]
    asked = PermissionAsked(
        request_id=request_id,
        tool_call_id=body.get("tool_use_id") or request_id,
        tool_name=name,
        kind="read" if own is not None and own.read_only else kind,
        input=body["input"],
        title=body.get("title") or body.get("description") or body.get("display_name"),
        suggestions=suggestions,
        by_mode=body.get("decision_reason_type") == "mode",
        # A hook or a rule that wants a question gets one.
        owned=own is not None and body.get("decision_reason_type") not in ("hook", "rule"),
    )
    return Asked(asked, lambda decision: _permission_answer(body, decision))


def ask_elicitation(request_id: str, body: dict[str, Any]) -> Asked:
    """The question of `elicitation`."""
    given: dict[str, Any] = {name: value for name, value in body.items() if name not in ("subtype", "mcp_server_name")}
    asked = PermissionAsked(
        request_id=request_id,
        tool_call_id=request_id,
        tool_name=str(body.get("mcp_server_name") or "mcp"),
        kind="question",
        input=given,
        title=body.get("message"),
        suggestions=[],
    )
    return Asked(asked, lambda decision: _elicitation_answer(body, decision))


def _permission_answer(body: dict[str, Any], decision: Decision) -> dict[str, Any]:
    if decision.outcome == "deny":
        message = decision.message or DENIED_BY_PARENT
        return {"behavior": "deny", "message": message, "interrupt": decision.interrupt}
    response: dict[str, Any] = {
        "behavior": "allow",
        "updatedInput": body.get("input", {}) if decision.updated_input is None else decision.updated_input,
    }
    if decision.remember is not None:
        response["updatedPermissions"] = _remembered(decision.remember)
    elif body.get("tool_name") == PLAN_TOOL:
        # Without a mode to go to, the CLI would stay in plan mode and ask for every step of the approved plan.
        response["updatedPermissions"] = [{"type": "setMode", "mode": "default", "destination": "session"}]
    return response


def _remembered(suggestion: Any) -> list[Any]:
    """A rule that is written down holds for this session, too: 2.1.197 obeys the file only in trusted folders."""
    if isinstance(suggestion, dict) and suggestion.get("destination") in _WRITTEN_DOWN:
        return [suggestion, {**suggestion, "destination": "session"}]
    return [suggestion]


def _elicitation_answer(body: dict[str, Any], decision: Decision) -> dict[str, Any]:
    if decision.outcome == "deny":
        # MCP tells a no from nobody's having answered.
        nobody = decision.interrupt or decision.message in (DENIED_BY_TIMEOUT, DENIED_BY_ERROR)
        return {"action": "cancel" if nobody else "decline"}
    if body.get("mode") == "url":
        return {"action": "accept"}
    return {"action": "accept", "content": decision.updated_input or {}}
