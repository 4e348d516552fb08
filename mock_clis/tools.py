"""The tool calls of one message: announced, asked about, run, answered.

Owns: permission questions and what the real CLI does with each answer to them, and the results of tools that only
pretend to run.
Refuses: running anything; a ``grandchild`` step stands in for a tool's processes.
May be imported by: ``content`` and ``turn``.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from mock_clis.dialect import Json, Session, fresh_id, tokens_of
from mock_clis.endings import TurnAborted

if TYPE_CHECKING:
    from mock_clis.player import Question
    from mock_clis.turn import Turn

EDITING_TOOLS = ("Edit", "MultiEdit", "NotebookEdit", "Write")
# The words of claude 2.1.329 for a call that was rejected together with the whole turn.
REJECTED = (
    "The user doesn't want to proceed with this tool use. The tool use was rejected (eg. if it was a file edit, the "
    "new_string was NOT written to the file). STOP what you are doing and wait for the user to tell you how to proceed."
)
INVALID_ANSWER = (
    "The canUseTool callback returned an invalid permission result. "
    "Expected {behavior: 'allow', updatedInput?: object} or {behavior: 'deny', message: string}."
)
NOBODY_TO_ASK = "Claude requested permissions to use {tool}, but you haven't granted it yet."
WITHDRAWN = "The permission question was withdrawn before it was answered."


class Call:
    """One tool call; ``verdict`` is None until it is known whether the tool may run."""

    def __init__(self, part: Json, place: str, tool_input: Json) -> None:
        self.part = part
        self.place = place
        self.name: str = part["tool"]
        self.id: str = part.get("id") or f"toolu_mock_{fresh_id()[:8]}"
        self.input = tool_input
        self.question: Question | None = None
        self.request_id = ""
        self.verdict: bool | None = None
        self.words = ""
        self.meta: Json = {"permission_decision": {"decision": "accept", "source": "config"}}

    def described(self) -> Json:
        """The call as a turn remembers it while it is unfinished."""
        return {"name": self.name, "id": self.id, "input": self.input}


class ToolRound:
    """The calls of one message. ``together``: all questions are open at once; else one after the other."""

    def __init__(self, turn: Turn, together: bool) -> None:
        self.turn = turn
        self.player = turn.player
        self.session = turn.session
        self.together = together
        self.calls: list[Call] = []

    @staticmethod
    def rejection(session: Session, tool_use_id: str) -> Json:
        """The result of a call that was cut short by an interrupt."""
        block = {"type": "tool_result", "content": REJECTED, "is_error": True, "tool_use_id": tool_use_id}
        meta = [{"id": tool_use_id, "non_execution_kind": "user-rejected"}]
        return session.user([block], tool_use_result="User rejected tool use", tool_result_meta=meta)

    def add(self, part: Json, place: str) -> None:
        """Announce a call: its block, its streamed input, its whole input."""
        call = Call(part, place, self.player.filled(part.get("input", {}), place))
        self.calls.append(call)
        self.turn.unfinished.append(call.described())
        index = self.turn.block({"type": "tool_use", "id": call.id, "name": call.name, "input": {}})
        text = json.dumps(call.input, ensure_ascii=False)
        self.turn.spent_out += tokens_of(text)
        for piece in (text[: len(text) // 2], text[len(text) // 2 :]):
            delta = {"type": "input_json_delta", "partial_json": piece}
            self.turn.stream({"type": "content_block_delta", "index": index, "delta": delta})
        whole = {"type": "tool_use", "id": call.id, "name": call.name, "input": call.input}
        self.turn.finish_block(index, whole, (lambda: self._ask(call)) if self.together else None)

    def run(self) -> None:
        """End the message, get every call decided and answered, and play what follows from the decisions."""
        first = self.calls[0]
        self.turn.close_message("tool_use", None if self.together else lambda: self._ask(first))
        waiting = list(self.calls)
        while waiting:
            call = self._next(waiting)
            waiting.remove(call)
            self._decide(call)
            self._answer(call)
        for call in self.calls:
            key = "if_allowed" if call.verdict else "if_denied"
            self.turn.run(call.part.get(key, []), f"{call.place}.{key}")

    def _next(self, waiting: list[Call]) -> Call:
        if not self.together:
            return waiting[0]
        ready: list[Call] = []

        def any_ready() -> bool:
            ready[:] = [call for call in waiting if call.question is None or call.question.answer is not None]
            return bool(ready) or self.player.streams.at_eof

        self.player.wait(any_ready)
        return ready[0] if ready else waiting[0]

    def _ask(self, call: Call) -> None:
        """Settle a call that needs no question, or put the question to the host."""
        wish, mode = call.part.get("ask", False), self.session.permission_mode
        free = mode == "bypassPermissions" or call.name in self.session.allowed_tools
        free = free or (mode == "acceptEdits" and call.name in EDITING_TOOLS)
        if wish is False or (free and wish != "always"):
            call.verdict = True
        elif mode == "dontAsk" or not self.session.asks_host:
            self._deny(call, NOBODY_TO_ASK.format(tool=call.name), "config")
            self.player.say(self.session.system(
                "permission_denied", tool_name=call.name, tool_use_id=call.id, decision_reason_type="mode",
                message=call.words))  # fmt: skip
        else:
            self.turn.state("requires_action")
            call.request_id, call.question = self.player.ask(self._request(call))

    def _request(self, call: Call) -> Json:
        telling = [str(call.input[key]) for key in ("description", "command", "file_path") if key in call.input]
        rule = {"type": "addRules", "rules": [{"toolName": call.name}], "behavior": "allow", "destination": "session"}
        return {
            "subtype": "can_use_tool", "tool_name": call.name, "display_name": call.name, "input": call.input,
            "description": telling[0] if telling else "", "permission_suggestions": [rule], "tool_use_id": call.id,
            **self.player.filled(call.part.get("request", {}), call.place),
        }  # fmt: skip

    def _decide(self, call: Call) -> None:
        if call.verdict is None and call.question is None:
            self._ask(call)
        if call.question is None:
            return
        patience = call.part.get("withdraw_after_ms")
        answer = self.player.wait_for_answer(call.question, None if patience is None else patience / 1000)
        if answer is None:
            self.player.withdraw(call.request_id)
            self._deny(call, WITHDRAWN, "config")
            return
        self.player.questions.pop(call.request_id, None)
        self.turn.state("running")
        self._judge(call, answer)

    def _judge(self, call: Call, answer: Json) -> None:
        body = answer.get("response")
        if answer.get("subtype") != "success":
            self._deny(call, f"Tool permission request failed: Error: {answer.get('error', '')}", "config")
        elif isinstance(body, dict) and body.get("behavior") == "allow":
            call.verdict = True
            call.meta["permission_decision"]["source"] = "user_temporary"
            if isinstance(body.get("updatedInput"), dict):
                call.input = body["updatedInput"]
            self._remember(body.get("updatedPermissions"))
        elif isinstance(body, dict) and body.get("behavior") == "deny" and isinstance(body.get("message"), str):
            if body.get("interrupt"):
                self.player.withdraw_questions()
                raise TurnAborted
            self._deny(call, body["message"], "user_reject")
        else:
            self._deny(call, INVALID_ANSWER, "config")

    def _remember(self, updates: Any) -> None:
        for update in updates if isinstance(updates, list) else []:
            if not isinstance(update, dict):
                continue
            if update.get("type") == "addRules" and update.get("behavior") == "allow":
                rules = update.get("rules", [])
                self.session.allowed_tools.update(rule["toolName"] for rule in rules if "ruleContent" not in rule)
            elif update.get("type") == "setMode" and isinstance(update.get("mode"), str):
                self.session.permission_mode = update["mode"]
                self.player.say(self.session.system("status", status=None, permissionMode=update["mode"]))

    def _deny(self, call: Call, words: str, source: str) -> None:
        call.verdict = False
        call.words = words
        call.meta = {"non_execution_kind": "permission-rule",
                     "permission_decision": {"decision": "reject", "source": source}}  # fmt: skip
        if source == "user_reject" or call.question is None:
            self.turn.denials.append({"tool_name": call.name, "tool_use_id": call.id, "tool_input": call.input})

    def _answer(self, call: Call) -> None:
        captures = self.player.captures
        captures.update(input=call.input, tool_use_id=call.id, tool_name=call.name, denial=call.words)
        if call.verdict:
            self._work(call)
            output = str(self.player.filled(call.part.get("output", ""), call.place))
            failed = bool(call.part.get("is_error", False))
        else:
            output, failed = call.words, True
        block = {"tool_use_id": call.id, "type": "tool_result", "content": output, "is_error": failed}
        details: Any = f"Error: {output}"
        if not failed:
            details = {"stdout": output, "stderr": "", "interrupted": False, "isImage": False}
        self.turn.unfinished[:] = [other for other in self.turn.unfinished if other["id"] != call.id]
        meta = [{"id": call.id, **call.meta}]
        self.player.say(self.session.user([block], tool_use_result=details, tool_result_meta=meta))

    def _work(self, call: Call) -> None:
        self.player.run(call.part.get("during", []), f"{call.place}.during")
        self.player.breathe(call.part.get("takes_ms", 0) / 1000)
