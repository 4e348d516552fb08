"""The permission requests that a session has open: put to the parent, answered in any order, denied when anything
goes wrong."""

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
    from protocol.signals import PermissionAsked

log = logging.getLogger(__name__)

HARMLESS_KINDS = frozenset({"read", "search", "fetch", "think", "question", "plan"})
"""What may be asked in `plan` mode. Everything else could change something, so the daemon denies it: the CLI only
asks, and runs what a host allows, plan mode or not (measured with claude 2.1.x)."""

Decide = Callable[[str, Decision], Awaitable[None]]


class PermissionDesk:
    """The open questions of one session.

    Args:
        session_id: whose.
        sink: who answers.
        timeout: seconds that an answer may take; 0 for no limit.
        tasks: where each question waits.
        decide: hands a decision to the CLI.
        resolved: tells how a question ended.
        changed: called when a question has been answered or withdrawn.
    """

    def __init__(
        self,
        session_id: str,
        sink: Sink,
        *,
        timeout: float,
        tasks: GuardedTasks,
        decide: Decide,
        resolved: Callable[[PermissionResolved], None],
        changed: Callable[[], None],
    ) -> None:
        self._session_id = session_id
        self._sink = sink
        self._timeout = timeout or None
        self._tasks = tasks
        self._decide = decide
        self._resolved = resolved
        self._changed = changed
        self._open: dict[str, tuple[PermissionAsked, anyio.CancelScope]] = {}

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has to answer before the CLI can go on."""
        return bool(self._open)

    def ask(self, asked: PermissionAsked, turn_id: str | None, *, plan_mode: bool) -> None:
        """Take a question of the CLI in hand; returns at once."""
        if plan_mode and (asked.by_mode or asked.kind not in HARMLESS_KINDS):
            self._tasks.start_soon(self._answer, asked, deny(DENIED_BY_PLAN_MODE), "mode")
            return
        self._open[asked.request_id] = (asked, anyio.CancelScope())
        self._tasks.start_soon(self._put, asked, turn_id)

    def withdraw(self, request_id: str) -> None:
        """The CLI no longer waits: take the question back from the parent."""
        if (entry := self._open.pop(request_id, None)) is not None:
            asked, scope = entry
            self._tell(asked, "cancelled", "interrupt")
            scope.cancel()
            self._changed()

    def withdraw_all(self) -> None:
        """The turn or the process has ended: no answer can be used any more."""
        for request_id in list(self._open):
            self.withdraw(request_id)

    async def _put(self, asked: PermissionAsked, turn_id: str | None) -> None:
        entry = self._open.get(asked.request_id)
        if entry is None:
            return
        with entry[1]:
            decision, by = await self._ask_parent(asked, turn_id)
            if self._open.pop(asked.request_id, None) is not None:
                self._changed()
                await self._answer(asked, decision, by)

    async def _ask_parent(self, asked: PermissionAsked, turn_id: str | None) -> tuple[Decision, ResolvedBy]:
        try:
            with anyio.fail_after(self._timeout):
                return parse_decision(await self._sink.ask(self._session_id, turn_id, asked), asked), "parent"
        except TimeoutError:
            return deny(DENIED_BY_TIMEOUT), "timeout"
        except (QuestionFailed, ValueError) as error:
            log.warning("session %s: an answer to request_permission counts as deny: %s", self._session_id, error)
            return deny(DENIED_BY_ERROR), "parent"

    async def _answer(self, asked: PermissionAsked, decision: Decision, by: ResolvedBy) -> None:
        self._tell(asked, decision.outcome, by)
        await self._decide(asked.request_id, decision)

    def _tell(self, asked: PermissionAsked, outcome: PermissionOutcome, by: ResolvedBy) -> None:
        self._resolved(PermissionResolved(tool_call_id=asked.tool_call_id, outcome=outcome, by=by))
