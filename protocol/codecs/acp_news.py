"""What is told of a session beside its conversation: how full the context is, what it has cost, notices, compaction, a
new title. Pure; used by `acp.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from msgspec import UNSET

if TYPE_CHECKING:
    from protocol.events import Compaction, Notice, TurnCompleted, Usage
    from protocol.wire.acp import Client

Json = dict[str, Any]

_COMPACTION: Final = {"started": "in_progress", "completed": "completed", "failed": "failed"}


class NewsWriter:
    """The updates about one session that belong to no message and no tool call.

    Args:
        client: what the client can show.
        name: is in the ids of compactions.
    """

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._name = name
        self._used: int | None = None
        self._window: int | None = None
        self._cost = 0.0
        self._compactions = 0
        self._is_compacting = False

    def write_usage(self, event: Usage) -> list[Json]:
        """The context after a call of the model."""
        if event.context_window is not UNSET:
            self._window = event.context_window
        used = event.input_tokens + event.cache_read_input_tokens + event.cache_creation_input_tokens
        if not used:
            return []  # a command of the CLI's own, which asked no model
        self._used = used + event.output_tokens
        return self._usage()

    def write_turn_completed(self, event: TurnCompleted) -> list[Json]:
        """What the turn has cost; its size is known at the latest now. A compaction that it has left open is over."""
        self._cost += event.cost_usd or 0.0
        if event.context_window is not UNSET:
            self._window = event.context_window
        cut = [self._compaction_update("cancelled")] if self._is_compacting else []
        self._is_compacting = False
        return [*cut, *self._usage()]

    def write_notice(self, event: Notice) -> list[Json]:
        """Something worth showing. A client that has no place for it is told where it is no part of the answer."""
        if event.title is not UNSET:
            return [{"sessionUpdate": "session_info_update", "title": event.title}]
        if event.compaction is not UNSET and event.compaction.post_tokens:
            self._used = event.compaction.post_tokens
            return [*self._notice(event), *self._usage()]
        return self._notice(event)

    def _notice(self, event: Notice) -> list[Json]:
        if event.compaction is not UNSET and self._client.compaction:
            return [self._compaction(event.compaction, event.message)]
        if event.level == "debug" or not event.message:
            return []
        if self._client.notices:
            return [{"sessionUpdate": "notice", "severity": event.level, "title": event.message}]
        if event.level == "info" and event.compaction is UNSET:
            return []
        if event.level == "error" and event.retry is UNSET and event.compaction is UNSET:
            # The prompt's answer says it again.
            return []
        return [{"sessionUpdate": "agent_thought_chunk", "content": {"type": "text", "text": f"{event.message}\n"}}]

    def _usage(self) -> list[Json]:
        """Nothing until the size of the context is known: a guess would be wrong for some models by five times."""
        if self._used is None or not self._window:
            return []
        cost = {"amount": round(self._cost, 6), "currency": "USD"}
        return [{"sessionUpdate": "usage_update", "used": self._used, "size": self._window, "cost": cost}]

    def _compaction(self, about: Compaction, message: str) -> Json:
        if about.status == "started" or not self._compactions:
            self._compactions += 1
        self._is_compacting = about.status == "started"
        update = self._compaction_update(_COMPACTION.get(about.status, about.status))
        return {**update, "error": message} if about.status == "failed" else update

    def _compaction_update(self, status: str) -> Json:
        id = f"compaction-{self._name}{self._compactions}"
        return {"sessionUpdate": "compaction_update", "compactionId": id, "status": status}
