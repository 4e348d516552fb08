"""The permission requests of a session: put to the parent, answered in any order, denied when anything goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from adapter.session.sink import QuestionFailed, Sink
from protocol.events import PermissionOutcome, PermissionResolved, ResolvedBy
from protocol.permissions import (
    DENIED_BY_ERROR,
    DENIED_BY_PLAN_MODE,
    DENIED_BY_TIMEOUT,
    Decision,
    deny,
    parse_decision,
)

if TYPE_CHECKING:
    from adapter.guard import GuardedTasks
    from adapter.session.questions import QuestionTable
    from protocol.signals import PermissionAsked

log = logging.getLogger(__name__)

HARMLESS_KINDS = frozenset({"read", "search", "fetch", "think", "question", "plan"})
"""What may be asked in `plan` mode. Everything else could change something, so the daemon denies it: the CLI only
asks, and runs what a host allows, plan mode or not (measured with claude 2.1.x)."""

Decide = Callable[[str, Decision], Awaitable[None]]


class PermissionDesk:
    """The permission requests of one session.

    Args:
        session_id: whose.
        sink: who answers.
        questions: where each request waits.
        timeout: seconds that an answer may take; 0 for no limit.
        tasks: where the daemon's own decisions are handed on.
        decide: hands a decision to the CLI.
        resolved: tells how a request ended.
        planning: whether the session is in plan mode.
    """

    def __init__(
        self,
        session_id: str,
        sink: Sink,
        questions: QuestionTable,
        *,
        timeout: float,
        tasks: GuardedTasks,
        decide: Decide,
        resolved: Callable[[PermissionResolved], None],
        planning: Callable[[], bool],
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._questions = questions
        self._timeout = timeout or None
        self._tasks = tasks
        self._decide = decide
        self._resolved = resolved
        self._planning = planning

    def ask(self, asked: PermissionAsked, turn_id: str | None) -> None:
        """Take a question of the CLI in hand; returns at once."""
        plan_mode = self._planning()
        if asked.owned and (not plan_mode or asked.kind in HARMLESS_KINDS):
            # The parent decides by running its own tool, or not: it is not asked twice.
            self._tasks.start_soon(self._decide, asked.request_id, Decision("allow"))
        elif plan_mode and (asked.by_mode or asked.kind not in HARMLESS_KINDS):
            self._decide_now(asked, deny(DENIED_BY_PLAN_MODE), "mode")
        elif self._questions.is_full:
            self._decide_now(asked, deny(DENIED_BY_ERROR), "parent")
        else:
            self._put(asked, turn_id)

    def _put(self, asked: PermissionAsked, turn_id: str | None) -> None:
        async def ask() -> tuple[Decision, ResolvedBy]:
            return await self._ask_parent(asked, turn_id)

        async def settle(answer: tuple[Decision, ResolvedBy]) -> None:
            decision, by = answer
            if decision.outcome == "allow" and asked.kind not in HARMLESS_KINDS and self._planning():
                # The plan mode began while the question was open.
                decision, by = deny(DENIED_BY_PLAN_MODE), "mode"
            await self._answer(asked, decision, by)

        self._questions.put(asked.request_id, ask, settle, lambda: self._tell(asked, "cancelled", "interrupt"))

    async def _ask_parent(self, asked: PermissionAsked, turn_id: str | None) -> tuple[Decision, ResolvedBy]:
        try:
            with anyio.fail_after(self._timeout):
                return parse_decision(await self._sink.ask(self._session_id, turn_id, asked), asked), "parent"
        except TimeoutError:
            return deny(DENIED_BY_TIMEOUT), "timeout"
        except (QuestionFailed, ValueError) as error:
            log.warning("session %s: an answer to request_permission counts as deny: %s", self._session_id, error)
            return deny(DENIED_BY_ERROR), "parent"

    def _decide_now(self, asked: PermissionAsked, decision: Decision, by: ResolvedBy) -> None:
        """Told at once, while the turn is open that the question is of; the CLI hears it in its own time."""
        self._tell(asked, decision.outcome, by)
        self._tasks.start_soon(self._decide, asked.request_id, decision)

    async def _answer(self, asked: PermissionAsked, decision: Decision, by: ResolvedBy) -> None:
        self._tell(asked, decision.outcome, by)
        await self._decide(asked.request_id, decision)

    def _tell(self, asked: PermissionAsked, outcome: PermissionOutcome, by: ResolvedBy) -> None:
        self._resolved(PermissionResolved(tool_call_id=asked.tool_call_id, outcome=outcome, by=by))
