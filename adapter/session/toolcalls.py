"""The parent's tools, as a session's CLI calls them: run by the parent; a failure is told to the agent as the tool's
own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from adapter.session.sink import QuestionFailed, Sink
from protocol.tools import TOOL_FAILED, TOOL_WITHHELD, ToolResult, failed_tool, parse_tool_result

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.session.questions import QuestionTable
    from protocol.answers import Answer
    from protocol.signals import ToolCalled

log = logging.getLogger(__name__)


class ToolDesk:
    """The calls of one session.

    Args:
        session_id: whose.
        sink: who runs the tools. There is no limit to how long that takes: an interrupt takes the call back, and the
            CLI waits, too (measured with claude 2.1.197 and 2.1.329: 400 s; its own limit, MCP_TOOL_TIMEOUT, is a day).
        questions: where each call waits.
        answer: hands a result to the CLI.
    """

    def __init__(
        self,
        session_id: str,
        sink: Sink,
        questions: QuestionTable,
        answer: Callable[[str, Answer], Awaitable[None]],
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._questions = questions
        self._answer = answer

    def call(self, called: ToolCalled, turn_id: str | None, *, plan_mode: bool) -> None:
        """Take a call in hand; returns at once."""
        full = self._questions.is_full

        async def run() -> ToolResult:
            if plan_mode and not called.read_only:
                return failed_tool(TOOL_WITHHELD)
            if full:
                return failed_tool(f"{TOOL_FAILED}too much waits for an answer.")
            return await self._run(called, turn_id)

        async def settle(result: ToolResult) -> None:
            await self._answer(called.request_id, result)

        self._questions.put(called.request_id, run, settle)

    async def _run(self, called: ToolCalled, turn_id: str | None) -> ToolResult:
        try:
            return parse_tool_result(await self._sink.call_tool(self._session_id, turn_id, called))
        except QuestionFailed as error:
            log.info("session %s: call_tool %s failed: %s", self._session_id, called.name, error)
            return failed_tool(f"{TOOL_FAILED}{error}")
        except ValueError as error:
            log.warning("session %s: an answer to call_tool %s is not valid: %s", self._session_id, called.name, error)
            return failed_tool(f"{TOOL_FAILED}its result is not valid: {error}")
