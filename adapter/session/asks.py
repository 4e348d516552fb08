"""All that a session's CLI asks of the parent: each question goes to its desk, each answer back to the CLI."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from adapter.session.hookcalls import HookDesk
from adapter.session.permissions import PermissionDesk
from adapter.session.questions import QuestionTable
from adapter.session.toolcalls import ToolDesk
from protocol import signals
from protocol.errors import AdapterError
from protocol.events import Notice
from protocol.permissions import Decision

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.guard import GuardedTasks
    from adapter.providers.base import ProviderAdapter
    from adapter.session.sink import Sink
    from adapter.session.timeline import Timeline
    from adapter.session.turns import Turns
    from protocol.answers import Answer

log = logging.getLogger(__name__)


class Asks:
    """The questions of one session.

    Args:
        session_id: whose.
        adapter: takes the answers.
        sink: who answers.
        timeline: where it is told how a question ended.
        turns: which turn a question belongs to.
        timeout: seconds that an answer to a permission request may take; 0 for no limit.
        tasks: where each question waits.
        changed: called when a question has been answered or withdrawn.
        decided: called with each decision that goes to the CLI.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        sink: Sink,
        *,
        timeline: Timeline,
        turns: Turns,
        timeout: float,
        tasks: GuardedTasks,
        changed: Callable[[], None],
        decided: Callable[[Decision], None],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._timeline = timeline
        self._turns = turns
        self._decided = decided
        self._questions = QuestionTable(tasks, changed)
        self._permissions = PermissionDesk(
            session_id,
            sink,
            self._questions,
            timeout=timeout,
            tasks=tasks,
            decide=self._answer,
            resolved=timeline.add_own,
            planning=lambda: self._is_planning,
        )
        self._tools = ToolDesk(session_id, sink, self._questions, self._answer)
        self._hooks = HookDesk(session_id, sink, self._questions, self._answer, self._warn)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has to answer before the CLI can go on."""
        return self._questions.is_waiting

    @property
    def handlers(self) -> dict[type, Callable[[Any], object]]:
        """What to call for each signal that is about a question."""
        return {
            signals.PermissionAsked: self._on_permission_asked,
            signals.ToolCalled: self._on_tool_called,
            signals.HookFired: self._on_hook_fired,
            signals.QuestionWithdrawn: lambda signal: self._questions.withdraw(signal.request_id),
        }

    async def settle(self) -> None:
        """Wait until the parent knows of every question that was taken back: before the turn ends that it was of."""
        await self._questions.settle()

    async def withdraw_all(self) -> None:
        """The process has gone: no answer can be used any more. Returns when the parent knows."""
        self._questions.withdraw_all()
        await self._questions.settle()

    def _on_permission_asked(self, asked: signals.PermissionAsked) -> None:
        self._timeline.flush()
        self._permissions.ask(asked, self._turn_id)

    def _on_tool_called(self, called: signals.ToolCalled) -> None:
        self._timeline.flush()
        self._tools.call(called, self._turn_id, plan_mode=self._is_planning)

    def _on_hook_fired(self, fired: signals.HookFired) -> None:
        self._timeline.flush()
        self._hooks.run(fired, self._turn_id)

    @property
    def _turn_id(self) -> str | None:
        """The turn that the CLI is in, or that of the message it has just been given."""
        turn, current = self._turns.open, self._turns.current
        if turn is None and current is not None and current.is_delivered:
            turn = current
        return turn.id if turn is not None else None

    @property
    def _is_planning(self) -> bool:
        return self._timeline.known.runtime_mode == "plan"

    def _warn(self, message: str) -> None:
        self._timeline.add_own(Notice(level="warning", message=message))

    async def _answer(self, request_id: str, answer: Answer) -> None:
        if isinstance(answer, Decision):
            self._decided(answer)
        try:
            await self._adapter.answer(self._session_id, request_id, answer)
        except AdapterError as error:
            log.info("session %s: an answer came too late: %s", self._session_id, error.message)
