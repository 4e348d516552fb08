"""How far a conversation has come, and what a request to it comes to. Plain values; the conversation makes them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapter.faces.http.setup import Setup, takes_new_setup
from protocol.history import ROOT

if TYPE_CHECKING:
    from protocol.turnrequest import Block


@dataclass(slots=True)
class Place:
    """How far a conversation has come.

    Attributes:
        digest: of all that was said; None while a turn runs and before the first.
        is_loose: the last turn ended before its end, so nobody knows how much of the answer the client has.
    """

    digest: bytes | None = None
    is_loose: bool = False

    def fits(self, digests: list[bytes]) -> bool:
        """Whether a request goes on from here; `digests` are those of its conversation."""
        before = [ROOT, *digests][-2]
        if self.digest is None:
            return False
        return before == self.digest or (self.is_loose and len(digests) > 2 and digests[-3] == self.digest)


@dataclass(slots=True)
class Origin:
    """Where a conversation branches off from another one."""

    session_id: str
    turn_id: str
    setup: Setup | None
    cli_version: str | None

    def can_become(self, setup: Setup) -> bool:
        """Whether the branch can have this setup."""
        return self.setup is None or self.setup.serves(setup) or takes_new_setup(self.cli_version)


@dataclass(slots=True)
class Plan:
    """What a request comes to: how its past was taken, and what the session is given."""

    history: str
    content: list[Block]
    more: dict[str, Any] = field(default_factory=dict)
    starts_anew: bool = False
    can_tell: bool = True
    """Whether the request holds its past, so that it can be told to another session."""
