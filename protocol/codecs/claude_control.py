"""Claude Code's control channel, both ways: our requests to the CLI, its questions to us, and the answers. Pure.

A question that nobody here knows is refused at once, so that the CLI never waits for ever. What must never be sent
(facts measured with claude 2.1.197): an allow without `updatedInput`, a deny without `message`, a model that is no
string.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from protocol import jsontext
from protocol.permissions import DENIED_BY_PARENT, Decision
from protocol.signals import PermissionAsked
from protocol.wire.claude import PLAN_TOOL, QUESTION_TOOL, tool_kind


class ControlAnswered(Struct, kw_only=True):
    """The CLI answered a control request of ours; `error` is set where it refused."""

    request_id: str
    response: dict[str, Any] | None = None
    error: str | None = None


class ControlChannel:
    """Knows the questions that the CLI has open, and how each of them is answered."""

    def __init__(self) -> None:
        self._open: dict[str, dict[str, Any]] = {}
        self._replies = bytearray()
        self._answers: list[ControlAnswered] = []

    def request(self, request_id: str, subtype: str, **fields: Any) -> bytes:
        """The line of a control request of ours; the answer comes by `take_answers` with the same id."""
        body = {"subtype": subtype, **fields}
        return jsontext.dumps({"type": "control_request", "request_id": request_id, "request": body}) + b"\n"

    def take_replies(self) -> bytes:
        """The refusals that are due."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def take_answers(self) -> list[ControlAnswered]:
        """The CLI's answers to requests of ours since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def receive_request(self, line: dict[str, Any]) -> PermissionAsked | None:
        """A question of the CLI; None where it was refused (see `take_replies`)."""
        request_id, body = line["request_id"], line["request"]
        subtype = body["subtype"]
        if subtype == "can_use_tool":
            asked = _tool_question(request_id, body)
        elif subtype == "elicitation":
            asked = _elicitation(request_id, body)
        else:
            self._replies += _answer(request_id, error=f"Unsupported control request subtype: {subtype}")
            return None
        self._open[request_id] = body
        return asked

    def receive_response(self, line: dict[str, Any]) -> None:
        """An answer of the CLI to a request of ours."""
        body = line["response"]
        answer = ControlAnswered(request_id=body["request_id"], response=body.get("response") or {})
        if body["subtype"] != "success":
            answer.error = str(body.get("error") or "refused without a reason")
        self._answers.append(answer)

    def withdraw(self, request_id: str) -> bool:
        """The CLI takes a question back; False where it was not open."""
        return self._open.pop(request_id, None) is not None

    def decide(self, request_id: str, decision: Decision) -> bytes:
        """The line that answers a question; empty where it is no longer open."""
        body = self._open.pop(request_id, None)
        if body is None:
            return b""
        if body["subtype"] == "elicitation":
            return _answer(request_id, response=_elicitation_answer(decision))
        if decision.outcome == "deny":
            message = decision.message or DENIED_BY_PARENT
            return _answer(
                request_id, response={"behavior": "deny", "message": message, "interrupt": decision.interrupt}
            )
        response: dict[str, Any] = {
            "behavior": "allow",
            "updatedInput": body.get("input", {}) if decision.updated_input is None else decision.updated_input,
        }
        if decision.remember is not None:
            response["updatedPermissions"] = [decision.remember]
        elif body.get("tool_name") == PLAN_TOOL:
            # Without a mode to go to, the CLI would stay in plan mode and ask for every step of the approved plan.
            response["updatedPermissions"] = [{"type": "setMode", "mode": "default", "destination": "session"}]
        return _answer(request_id, response=response)


def _tool_question(request_id: str, body: dict[str, Any]) -> PermissionAsked:
    name = body["tool_name"]
    kinds = {QUESTION_TOOL: "question", PLAN_TOOL: "plan"}
    return PermissionAsked(
        request_id=request_id,
        tool_call_id=body.get("tool_use_id") or request_id,
        tool_name=name,
        kind=kinds.get(name) or tool_kind(name),
        input=body["input"],
        title=body.get("title") or body.get("description") or body.get("display_name"),
        suggestions=list(body.get("permission_suggestions") or ()),
        by_mode=body.get("decision_reason_type") == "mode",
    )


def _elicitation(request_id: str, body: dict[str, Any]) -> PermissionAsked:
    given: dict[str, Any] = {
        name: body[name] for name in ("message", "mode", "requested_schema", "url") if name in body
    }
    return PermissionAsked(
        request_id=request_id,
        tool_call_id=request_id,
        tool_name=str(body.get("mcp_server_name") or "mcp"),
        kind="question",
        input=given,
        title=body.get("message"),
        suggestions=[],
    )


def _elicitation_answer(decision: Decision) -> dict[str, Any]:
    if decision.outcome == "deny":
        return {"action": "decline"}
    return {"action": "accept", "content": decision.updated_input or {}}


def _answer(request_id: str, *, response: dict[str, Any] | None = None, error: str | None = None) -> bytes:
    if error is not None:
        body: dict[str, Any] = {"subtype": "error", "request_id": request_id, "error": error}
    else:
        body = {"subtype": "success", "request_id": request_id, "response": response}
    return jsontext.dumps({"type": "control_response", "response": body}) + b"\n"
