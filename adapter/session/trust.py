"""Whether a session may have what its folder brings along: hooks, MCP servers and whatever else runs or is allowed
without a question.

Passed by every process before it starts. What was trusted before is not asked about again; what is denied, or not
answered, the session does without. Which files matter the provider knows.
"""

from __future__ import annotations

import logging
import uuid
from typing import TYPE_CHECKING

import anyio

from adapter.session.sink import QuestionFailed, Sink
from protocol.events import Event, Notice, PermissionOutcome, PermissionResolved, ResolvedBy
from protocol.permissions import parse_decision
from protocol.trust import trust_question, untrusted_notice

if TYPE_CHECKING:
    from adapter.providers.base import ProviderAdapter, SessionConfig
    from adapter.session.ledger import Ledger
    from protocol.permissions import Decision
    from protocol.trust import Finding

log = logging.getLogger(__name__)

TRUST_S = 60.0
"""How long an answer may take where `permission_timeout` is off: a parent waits for its `start_session` meanwhile, and
one that does not know the question must get its session all the same, without what it did not answer for."""

MAX_QUESTIONS = 3
"""How often in a row a parent is asked because the files have changed meanwhile: once for an editor that saved one of
them; a folder that never comes to rest is not trusted."""


def takes_project(config: SessionConfig) -> bool:
    """Whether the parent wants the project's settings at all; one that does not is asked nothing about it."""
    return config.setting_sources is None or not {"project", "local"}.isdisjoint(config.setting_sources)


class TrustGate:
    """The gate of one session.

    Args:
        session_id: whose.
        adapter: knows what a folder brings.
        sink: who answers.
        ledger: remembers what is trusted.
        timeout: seconds that an answer may take; 0 for `TRUST_S`.
    """

    def __init__(
        self, session_id: str, adapter: ProviderAdapter, sink: Sink, ledger: Ledger, *, timeout: float
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._sink = sink
        self._ledger = ledger
        self._timeout = timeout or TRUST_S
        self._told: list[Event] = []

    def take_told(self) -> list[Event]:
        """What the parent is to be told, once it knows the session."""
        told, self._told = self._told, []
        return told

    async def admit(self, config: SessionConfig, *, may_ask: bool) -> SessionConfig:
        """The config that a process may be started with: the same, or one that does without what is not trusted.

        Args:
            config: the session's.
            may_ask: whether the parent is asked; otherwise what is not trusted yet is left out.
        """
        if config.trust == "always":
            return config
        found = await self._find_new(config)
        if may_ask and config.trust == "ask" and takes_project(config):
            for _ in range(MAX_QUESTIONS):
                if not found or not await self._is_granted(config.working_dir, found):
                    break
                self._ledger.note_trust(finding.key for finding in found)
                # People take their time, and meanwhile the files may have become others than those they were shown.
                granted = {finding.key for finding in found}
                found = [finding for finding in await self._find_new(config) if finding.key not in granted]
        if not found:
            return config
        without = self._adapter.without(config, found)
        if without != config:  # otherwise it has been done without them, and told of it, before
            self._told.append(Notice(level="warning", message=untrusted_notice(found)))
        return without

    async def _find_new(self, config: SessionConfig) -> list[Finding]:
        """What the folder brings that is not trusted yet."""
        found = await self._adapter.find_untrusted(config)
        if config.trust == "ask" and found:
            trusted = await self._ledger.trusted({finding.file for finding in found})
            found = [finding for finding in found if finding.key not in trusted]
        return found

    def note_remembered(self, config: SessionConfig, decision: Decision) -> None:
        """The parent has had a rule remembered: what the CLI writes down of it is trusted."""
        if decision.outcome == "allow" and decision.remember is not None:
            self._ledger.note_trust(finding.key for finding in self._adapter.written_by(config, decision.remember))

    async def _is_granted(self, working_dir: str, found: list[Finding]) -> bool:
        asked = trust_question(f"trust-{uuid.uuid4()}", working_dir, found)
        outcome: PermissionOutcome = "deny"
        by: ResolvedBy = "parent"
        try:
            with anyio.fail_after(self._timeout):
                outcome = parse_decision(await self._sink.ask(self._session_id, None, asked), asked).outcome
        except TimeoutError:
            by = "timeout"
        except (QuestionFailed, ValueError) as error:
            log.warning("session %s: an answer about trust counts as deny: %s", self._session_id, error)
        self._told.append(PermissionResolved(tool_call_id=asked.tool_call_id, outcome=outcome, by=by))
        return outcome == "allow"
