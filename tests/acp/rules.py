"""What must hold of every conversation with an editor, whatever it was about: the rules of order, each line's form.

Takes all that both sides said, in the order in which it was said. Tests may import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.acp.schema import by_method, problems

Json = dict[str, Any]

MAX_LINE = 4 * 1024 * 1024
BEGINNING = ("session/new", "session/load", "session/resume", "session/fork")
OUTSIDE_OF_TURNS = {
    "available_commands_update",
    "current_mode_update",
    "config_option_update",
    "session_info_update",
    "usage_update",
    "notice",
}
"""Updates that belong to no turn."""


@dataclass(frozen=True)
class Said:
    """One message. `size` is its line's, of what the agent said."""

    by_agent: bool
    message: Json
    size: int = 0


class Rules:
    """Reads a conversation and notes what breaks a rule.

    Args:
        background: whether turns that nobody asked for may come, so that updates outside of prompts are fine.
        ended: whether the conversation came to an orderly end, so that nothing may be missing.
    """

    def __init__(self, *, background: bool = False, ended: bool = True) -> None:
        self.broken: list[str] = []
        self._background = background
        self._ended = ended
        self._asked: dict[Any, Json] = {}
        self._questions: dict[Any, Json] = {}
        self._known: set[str] = set()
        self._prompts: dict[str, int] = {}
        self._calls: dict[tuple[str, str], str] = {}
        self._cancelled: set[Any] = set()
        self._loading: set[str] = set()

    def check(self, talk: list[Said]) -> list[str]:
        """What is broken; empty where all is well."""
        for said in talk:
            if said.size > MAX_LINE:
                self._fail(f"a line of {said.size} bytes")
            (self._from_agent if said.by_agent else self._from_editor)(said.message)
        if self._ended:
            for id, request in self._asked.items():
                self._fail(f"{request['method']} (id {id}) was never answered")
        return self.broken

    def _fail(self, what: str) -> None:
        self.broken.append(what)

    def _from_editor(self, message: Any) -> None:
        if not isinstance(message, dict):
            return
        method, params = message.get("method"), message.get("params")
        if method is None:
            self._questions.pop(message.get("id"), None)
            return
        if "id" in message:
            self._asked[message["id"]] = message
        session = params.get("sessionId") if isinstance(params, dict) else None
        if method == "session/prompt" and isinstance(session, str):
            self._prompts[session] = self._prompts.get(session, 0) + 1
        elif method == "session/load" and isinstance(session, str):
            self._loading.add(session)
        elif method == "session/cancel":
            self._cancelled |= {
                id for id, asked in self._asked.items() if asked["method"] == "session/prompt" and _of(asked, session)
            }

    def _from_agent(self, message: Json) -> None:
        if message.get("jsonrpc") != "2.0":
            self._fail(f"no JSON-RPC: {str(message)[:200]}")
        elif "method" not in message:
            self._answered(message)
        elif "id" in message:
            self._question(message)
        else:
            self._notified(message)

    def _answered(self, message: Json) -> None:
        if ("result" in message) == ("error" in message):
            self._fail(f"neither result nor error, or both: {str(message)[:200]}")
        if "error" in message:
            self.broken += problems("Error", message["error"])
        request = self._asked.pop(message["id"], None)
        if request is None:
            if message["id"] is not None:
                self._fail(f"an answer to no open request: {str(message)[:200]}")
            return
        method, params = request["method"], request.get("params")
        given = params.get("sessionId") if isinstance(params, dict) else None
        session = given if isinstance(given, str) else None
        if method == "session/prompt" and session is not None:
            self._end_prompt(session, message)
        self._loading.discard(session or "")
        if "result" not in message:
            return
        if "response" in by_method().get(method, {}):
            self.broken += problems(by_method()[method]["response"], message["result"])
        if method in BEGINNING:
            self._known.add(message["result"].get("sessionId") or session or "")

    def _end_prompt(self, session: str, message: Json) -> None:
        self._prompts[session] -= 1
        if message["id"] in self._cancelled and message.get("result", {}).get("stopReason") != "cancelled":
            self._fail(f"a cancelled prompt was answered with {message}")
        if not self._prompts[session] and not self._background:
            left = [call for (of, call), status in self._calls.items() if of == session and status == "open"]
            if left:
                self._fail(f"tool calls open at the end of a prompt: {left}")

    def _question(self, message: Json) -> None:
        method, params = message["method"], message["params"]
        self._questions[message["id"]] = message
        if method in by_method():
            self.broken += problems(by_method()[method]["request"], params)
        else:
            self._fail(f"a request of an unknown method: {method}")
        if method == "session/request_permission":
            self._need_session(params["sessionId"], method)
            if (params["sessionId"], params["toolCall"]["toolCallId"]) not in self._calls:
                self._fail("a permission request about an unknown tool call")

    def _notified(self, message: Json) -> None:
        method, params = message["method"], message["params"]
        if method == "$/cancel_request":
            if params.get("requestId") not in self._questions:
                self._fail(f"took back what was not open: {params}")
            return
        if method not in by_method() and by_method():
            self._fail(f"a notification of an unknown method: {method}")
            return
        if method == "session/update":
            self.broken += problems("SessionNotification", params)
            self._updated(params["sessionId"], params["update"])

    def _updated(self, session: str, update: Json) -> None:
        kind = update["sessionUpdate"]
        self._need_session(session, kind)
        in_turn = self._prompts.get(session, 0) > 0 or session in self._loading or self._background
        if kind not in OUTSIDE_OF_TURNS and not in_turn:
            self._fail(f"{kind} outside of a prompt: {str(update)[:200]}")
        if kind == "user_message_chunk" and session not in self._loading:
            self._fail("the user's own words came back outside of a replay")
        if kind in ("tool_call", "tool_call_update"):
            self._tool_call(session, kind, update)

    def _tool_call(self, session: str, kind: str, update: Json) -> None:
        key = (session, update["toolCallId"])
        if kind == "tool_call":
            if self._calls.get(key) == "open":
                self._fail(f"a tool call was announced twice: {key}")
            self._calls[key] = "open"
        elif key not in self._calls:
            self._fail(f"an update about an unknown tool call: {key}")
        if update.get("status") in ("completed", "failed"):
            if self._calls.get(key) == "ended" and kind == "tool_call_update":
                self._fail(f"a tool call ended twice: {key}")
            self._calls[key] = "ended"

    def _need_session(self, session: str, what: str) -> None:
        if session not in self._known and session not in self._loading:
            self._fail(f"{what} before the editor knew the session {session}")


def _of(request: Json, session: Any) -> bool:
    params = request.get("params")
    return isinstance(params, dict) and params.get("sessionId") == session
