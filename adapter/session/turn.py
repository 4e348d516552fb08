"""One turn: a message (or a beginning of the agent's own) until its one `turn_completed`."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import anyio

from protocol.lifecycle import TurnState, TurnTrigger, turn_machine
from protocol.turnrecord import TurnRecord

if TYPE_CHECKING:
    from adapter.session.record import TurnOutcome
    from protocol.events import TurnError, TurnOrigin


class Turn:
    """A turn and how far it has come.

    Args:
        origin: who began it.
        content: the message: text or content blocks; None for a turn of the agent's own.
        now: the loop's time, in seconds.
        urgent: whether it is to reach the turn that runs instead of waiting for its end.
    """

    def __init__(self, origin: TurnOrigin, content: Any, now: float, *, urgent: bool = False) -> None:
        self.id = str(uuid.uuid4())
        self.origin: TurnOrigin = origin
        self.content = content
        self.urgent = urgent
        self.accepted_at = now
        self.machine = turn_machine()
        self.record = TurnRecord()
        self.released = anyio.Event()
        """Set when the parent has been told that the message is accepted: nothing of the turn may be seen before."""
        self.done = anyio.Event()
        """Set when its `turn_completed` has gone out."""
        self.preparing = anyio.CancelScope()
        """Around what happens before delivery; cancelled to end a turn that has not reached the CLI."""
        self.cut = False
        """Whether somebody wants it ended: however it ends from now on, it was interrupted."""
        self.outcome: TurnOutcome = "accepted"
        """How far it has come, as the ledger is told."""
        self.verdict: TurnError | None = None
        """What it failed of, where we and not the CLI decided that it failed."""

    @property
    def is_delivered(self) -> bool:
        """Whether its message may have reached the CLI: then it is never sent again."""
        return self.machine.state is not TurnState.WAITING

    @property
    def is_running(self) -> bool:
        """Whether the CLI has begun it."""
        return self.machine.state is TurnState.RUNNING

    def fire(self, trigger: TurnTrigger) -> None:
        """Move its machine on."""
        self.machine.fire(trigger)
