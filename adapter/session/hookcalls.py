"""The parent's hooks, as a session's CLI calls them: answered by the parent within their time, and by the safe answer
when anything goes wrong."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import anyio

from adapter.session.sink import QuestionFailed, Sink
from protocol.hooks import HookAnswer, failed_hook, parse_hook_answer

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.session.questions import QuestionTable
    from protocol.answers import Answer
    from protocol.signals import HookFired

log = logging.getLogger(__name__)


class HookDesk:
    """The hook calls of one session.

    Args:
        session_id: whose.
        sink: who answers.
        questions: where each call waits.
        answer: hands an answer to the CLI.
        warn: tells the parent what went wrong.
    """

    def __init__(
        self,
        session_id: str,
        sink: Sink,
        questions: QuestionTable,
        answer: Callable[[str, Answer], Awaitable[None]],
        warn: Callable[[str], None],
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._questions = questions
        self._answer = answer
        self._warn = warn

    def run(self, fired: HookFired, turn_id: str | None) -> None:
        """Take a call in hand; returns at once."""
        full = self._questions.is_full

        async def ask() -> HookAnswer:
            if full:
                return self._fail(fired, "too much waits for an answer")
            return await self._ask(fired, turn_id)

        async def settle(answer: HookAnswer) -> None:
            await self._answer(fired.request_id, answer)

        self._questions.put(fired.request_id, ask, settle)

    async def _ask(self, fired: HookFired, turn_id: str | None) -> HookAnswer:
        try:
            with anyio.fail_after(fired.timeout):
                answer = await self._sink.run_hook(self._session_id, turn_id, fired)
            return parse_hook_answer(answer, fired.event)
        except TimeoutError:
            return self._fail(fired, f"no answer within {fired.timeout:g} s")
        except QuestionFailed as error:
            return self._fail(fired, str(error))
        except ValueError as error:
            return self._fail(fired, f"the answer is not valid: {error}")

    def _fail(self, fired: HookFired, why: str) -> HookAnswer:
        answer = failed_hook(fired.event)
        counts = "counts as deny" if answer.decision == "deny" else "has no effect"
        self._warn(f"Hook {fired.hook_id} at {fired.event} {counts}: {why}.")
        return answer
