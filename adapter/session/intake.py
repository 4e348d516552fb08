"""Where messages are accepted: within the queue's limit, once per idempotency key, written down."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from adapter.session.idempotency import IdempotencyKeys, digest
from adapter.session.record import TurnEntry
from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.session.ledger import Ledger
    from adapter.session.record import TurnOutcome
    from adapter.session.turns import Turns


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that was accepted. `ahead` counts the turns before it; `repeated`: it had been accepted already."""

    turn_id: str
    ahead: int
    repeated: bool
    outcome: TurnOutcome
    """How far the turn has come, of a repeated message: whether a `turn_completed` is still to be expected."""
    release: Callable[[], None]
    """To be called when the parent has been told: the turn may begin."""


class Intake:
    """Accepts the messages of one session.

    Args:
        session_id: whose.
        turns: where they wait.
        ledger: where they are written down.
        max_queue: how many may wait.
    """

    def __init__(self, session_id: str, turns: Turns, ledger: Ledger, *, max_queue: int) -> None:
        self._session_id = session_id
        self._turns = turns
        self._ledger = ledger
        self._max_queue = max_queue
        self._keys = IdempotencyKeys()

    async def open(self) -> None:
        """Learn what an earlier life of the session has accepted."""
        for turn in await self._ledger.keyed_turns(self._session_id):
            self._keys.remember(turn.key, turn.digest, turn)

    def accept(self, content: Any, key: str | None, *, urgent: bool = False) -> Accepted:
        """Accept a message: text or content blocks. See `Session.submit` for what it raises."""
        content_digest = None if key is None else digest(content)
        if key is not None and content_digest is not None:
            known = self._keys.find(key, content_digest)
            if known is not None:
                return Accepted(known.id, 0, repeated=True, outcome=known.outcome, release=lambda: None)
        ahead = self._turns.ahead_of_urgent() if urgent else self._turns.ahead
        if self._turns.ahead > self._max_queue:
            hint = "Wait for a turn_completed, or raise max_queue."
            text = f"{self._turns.waiting} messages wait already."
            raise AdapterError(ErrorKind.BUSY, text, hint=hint, session_id=self._session_id)
        turn = self._turns.add(content, urgent=urgent)
        if key is not None and content_digest is not None:
            self._keys.remember(key, content_digest, turn)
        self._ledger.note_turn(TurnEntry(turn.id, self._session_id, "accepted", key, content_digest))
        release = partial(self._turns.release, turn)
        return Accepted(turn.id, ahead, repeated=False, outcome="accepted", release=release)
