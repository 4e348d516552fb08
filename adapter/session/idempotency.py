"""Messages that were sent with an idempotency key: sent again, they are the same turn, not a second one."""

from __future__ import annotations

from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from protocol import jsontext
from protocol.errors import invalid_param

if TYPE_CHECKING:
    from adapter.session.record import TurnOutcome

KEPT = 1024
"""Keys that a session remembers. A parent repeats a request within seconds or after a restart, not after a thousand
others."""


def digest(content: Any) -> str:
    """What tells one message from another, without keeping it."""
    return sha256(jsontext.dumps(content)).hexdigest()


class KnownTurn(Protocol):
    """A turn that a message became: one of ours, or one that the ledger tells of."""

    @property
    def id(self) -> str: ...

    @property
    def outcome(self) -> TurnOutcome: ...


class IdempotencyKeys:
    """The keys that one session has seen."""

    def __init__(self) -> None:
        self._turns: OrderedDict[str, tuple[str, KnownTurn]] = OrderedDict()

    def remember(self, key: str, content_digest: str, turn: KnownTurn) -> None:
        """A message has been accepted under this key."""
        self._turns[key] = (content_digest, turn)
        while len(self._turns) > KEPT:
            self._turns.popitem(last=False)

    def find(self, key: str, content_digest: str) -> KnownTurn | None:
        """The turn that this message became, None where the key is new.

        Raises:
            AdapterError: `invalid_params`: the key was used for another message.
        """
        known = self._turns.get(key)
        if known is None:
            return None
        if known[0] != content_digest:
            raise invalid_param("idempotency_key", "was used for another message of this session")
        return known[1]
