"""Claude Code's control channel, both ways: our requests to the CLI, its questions to us, and the answers. Pure.

What each question means is its own module's: permissions and elicitation in `claude_questions`, the parent's tools in
`claude_tools`, hooks in `claude_hooks`. A question that nobody here knows is refused at once, so that the CLI never
waits for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from protocol import jsontext
from protocol.codecs.claude_hooks import HookReader
from protocol.codecs.claude_open import Asked, Render, Replied
from protocol.codecs.claude_questions import ask_elicitation, ask_permission
from protocol.codecs.claude_tools import ToolReader
from protocol.fitting import fits
from protocol.permissions import Decision
from protocol.signals import QuestionWithdrawn

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from protocol.answers import Answer
    from protocol.hooks import HookSubscription
    from protocol.signals import Question
    from protocol.tools import ParentTool


INTERRUPT_ID: Final = "agent-adapter-deny-interrupt"


class ControlAnswered(Struct, kw_only=True):
    """The CLI answered a control request of ours; `error` is set where it refused."""

    request_id: str
    response: dict[str, Any] | None = None
    error: str | None = None


class ControlChannel:
    """Knows the questions that the CLI has open, and how each of them is answered.

    Args:
        tools: the parent's, served to the CLI.
        hooks: what the parent has subscribed to.
        forbids: whether a tool call, given as a hook's input, may not be made now.
    """

    def __init__(
        self,
        tools: Sequence[ParentTool] = (),
        hooks: Sequence[HookSubscription] = (),
        forbids: Callable[[Any], bool] = lambda call: False,
    ) -> None:
        self.tools = ToolReader(tools)
        self._open: dict[str, Render] = {}
        self._of_agents: set[str] = set()
        self._replies = bytearray()
        self._answers: list[ControlAnswered] = []
        self._readers: dict[str, Callable[[str, dict[str, Any]], Asked | Replied]] = {
            "can_use_tool": lambda id, body: ask_permission(id, body, self.tools.find(body["tool_name"])),
            "elicitation": ask_elicitation,
            "hook_callback": HookReader(hooks, forbids).read,
            "mcp_message": self.tools.read,
        }

    def request(self, request_id: str, subtype: str, **fields: Any) -> bytes:
        """The line of a control request of ours; the answer comes by `take_answers` with the same id."""
        body = {"subtype": subtype, **fields}
        return jsontext.dumps({"type": "control_request", "request_id": request_id, "request": body}) + b"\n"

    def tell(self, request_id: str, subtype: str, **fields: Any) -> None:
        """Let a control request of ours go out with the next replies."""
        self._replies += self.request(request_id, subtype, **fields)

    def reply(self, request_id: str, response: dict[str, Any]) -> None:
        """Answer a question of the CLI at once."""
        self._replies += _reply(request_id, response=response)

    def take_replies(self) -> bytes:
        """What the CLI has to be told at once: refusals, and what needs nobody's opinion."""
        replies = bytes(self._replies)
        self._replies.clear()
        return replies

    def take_answers(self) -> list[ControlAnswered]:
        """The CLI's answers to requests of ours since the last call."""
        answers, self._answers = self._answers, []
        return answers

    def receive_request(self, line: dict[str, Any]) -> Question | QuestionWithdrawn | None:
        """A question of the CLI; None where it has been answered already (see `take_replies`).

        Raises:
            LookupError, TypeError, AttributeError: it is of a shape that is not known; it has been refused.
        """
        request_id, body = line["request_id"], line["request"]
        subtype = body.get("subtype")
        reader = self._readers.get(subtype) if isinstance(subtype, str) else None
        if reader is None:
            text = f"Unsupported control request subtype: {subtype}"
            self._replies += _reply(request_id, error=text)
            return None
        try:
            found = reader(request_id, body)
            if isinstance(found, Asked) and not fits(found.question):
                raise TypeError(subtype)
        except (LookupError, TypeError, AttributeError):
            self._replies += _reply(request_id, error=f"A {subtype} of an unknown shape")
            raise
        if isinstance(found, Asked):
            self._open[request_id] = found.render
            if body.get("agent_id") is not None:
                self._of_agents.add(request_id)
            return found.question
        self._replies += _reply(request_id, response=found.response, error=found.error)
        return None if found.withdrawn is None else self.withdraw(found.withdrawn)

    def receive_response(self, line: dict[str, Any]) -> None:
        """An answer of the CLI to a request of ours."""
        body = line["response"]
        answer = ControlAnswered(request_id=body["request_id"], response=body.get("response") or {})
        if body["subtype"] != "success":
            answer.error = str(body.get("error") or "refused without a reason")
        self._answers.append(answer)

    def withdraw(self, request_id: str) -> QuestionWithdrawn | None:
        """The CLI takes a question back; None where it was not open."""
        self._of_agents.discard(request_id)
        return None if self._open.pop(request_id, None) is None else QuestionWithdrawn(request_id=request_id)

    def answer(self, request_id: str, answer: Answer) -> bytes:
        """The line that answers a question; empty where it is no longer open."""
        render = self._open.pop(request_id, None)
        if render is None:
            return b""
        line = _reply(request_id, response=render(answer))
        if request_id in self._of_agents and isinstance(answer, Decision) and answer.interrupt:
            # By itself the CLI ends only the agent then (measured with claude 2.1.197 and 2.1.329).
            line += self.request(f"{INTERRUPT_ID}-{request_id}", "interrupt")
        self._of_agents.discard(request_id)
        return line


def _reply(request_id: str, *, response: dict[str, Any] | None = None, error: str | None = None) -> bytes:
    if error is not None:
        body: dict[str, Any] = {"subtype": "error", "request_id": request_id, "error": error}
    else:
        body = {"subtype": "success", "request_id": request_id, "response": response}
    return jsontext.dumps({"type": "control_response", "response": body}) + b"\n"
