"""Messages that were sent with an idempotency key: sent again, they are the same turn, not a second one."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from protocol import jsontext
from protocol.errors import invalid_param

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapter.session.record import KeyedTurn

KEPT = 1024
"""Keys that a session remembers; a parent repeats a request within seconds or after a restart, not after a
thousand others."""


def digest(content: Any) -> str:
    """What tells one message from another, without keeping it."""
    return sha256(jsontext.dumps(content)).hexdigest()


class IdempotencyKeys:
    """The keys that one session has seen."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, KeyedTurn] = OrderedDict()

    def load(self, turns: Iterable[KeyedTurn]) -> None:
        """Take over what an earlier life of the session has accepted."""
        for turn in turns:
            self.remember(turn)

    def remember(self, turn: KeyedTurn) -> None:
        """A message has been accepted under this key."""
        self._turns[turn.key] = turn
        while len(self._turns) > KEPT:
            self._turns.popitem(last=False)

    def find(self, key: str, content_digest: str) -> str | None:
        """The id of the turn that this message became, None where the key is new.

        Raises:
            AdapterError: `invalid_params`: the key was used for another message.
        """
        turn = self._turns.get(key)
        if turn is None:
            return None
        if turn.digest != content_digest:
            raise invalid_param("idempotency_key", "was used for another message of this session")
        return turn.turn_id
