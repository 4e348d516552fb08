"""The machines of a session and of a turn, as tables. A pair that is missing from a table is the protocol error.

All transitions of the program live here; nothing else assigns a state. `python -m tests.support.diagrams` draws them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Generic, TypeVar

from protocol.errors import LocalProtocolError


class SessionState(StrEnum):
    """As the parent sees it in `list_sessions`."""

    STARTING = "starting"
    IDLE = "idle"
    BUSY = "busy"
    STOPPING = "stopping"
    ENDED = "ended"


class SessionTrigger(StrEnum):
    """What moves a session on."""

    READY = "ready"
    """the CLI has answered its handshake"""
    TURN = "turn"
    """a turn is taken in hand: a message's, or one that the agent began"""
    REST = "rest"
    """no turn is left running"""
    STOP = "stop"
    """somebody wants it to end: the parent, a limit, the daemon"""
    END = "end"
    """its process is gone and will not come back"""


SESSION_TRANSITIONS: dict[tuple[SessionState, SessionTrigger], SessionState] = {
    (SessionState.STARTING, SessionTrigger.READY): SessionState.IDLE,
    (SessionState.STARTING, SessionTrigger.STOP): SessionState.STOPPING,
    (SessionState.STARTING, SessionTrigger.END): SessionState.ENDED,
    (SessionState.IDLE, SessionTrigger.TURN): SessionState.BUSY,
    (SessionState.IDLE, SessionTrigger.STOP): SessionState.STOPPING,
    (SessionState.IDLE, SessionTrigger.END): SessionState.ENDED,
    (SessionState.BUSY, SessionTrigger.TURN): SessionState.BUSY,
    (SessionState.BUSY, SessionTrigger.REST): SessionState.IDLE,
    (SessionState.BUSY, SessionTrigger.STOP): SessionState.STOPPING,
    (SessionState.STOPPING, SessionTrigger.REST): SessionState.STOPPING,
    (SessionState.STOPPING, SessionTrigger.TURN): SessionState.STOPPING,
    (SessionState.STOPPING, SessionTrigger.END): SessionState.ENDED,
}


class TurnState(StrEnum):
    """How far a turn has come. `delivered` is the point of no return: from there on it is never sent again."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    RUNNING = "running"
    COMPLETED = "completed"


class TurnTrigger(StrEnum):
    """What moves a turn on."""

    DELIVER = "deliver"
    """its message is about to be written to the CLI"""
    BEGIN = "begin"
    """the CLI began it"""
    COMPLETE = "complete"
    """its one `turn_completed` goes out"""


TURN_TRANSITIONS: dict[tuple[TurnState, TurnTrigger], TurnState] = {
    (TurnState.WAITING, TurnTrigger.DELIVER): TurnState.DELIVERED,
    (TurnState.WAITING, TurnTrigger.BEGIN): TurnState.RUNNING,
    (TurnState.DELIVERED, TurnTrigger.BEGIN): TurnState.RUNNING,
    (TurnState.RUNNING, TurnTrigger.COMPLETE): TurnState.COMPLETED,
}

S = TypeVar("S", bound=StrEnum)
T = TypeVar("T", bound=StrEnum)


class Machine(Generic[S, T]):
    """A state that only a table can change.

    Args:
        table: every legal (state, trigger) and where it leads.
        state: where it begins.
    """

    def __init__(self, table: dict[tuple[S, T], S], state: S) -> None:
        self._table = table
        self.state = state

    def fire(self, trigger: T) -> S:
        """Move on.

        Raises:
            LocalProtocolError: the table has no such transition.
        """
        following = self._table.get((self.state, trigger))
        if following is None:
            raise LocalProtocolError(f"no transition from {self.state} by {trigger}")
        self.state = following
        return following

    def allows(self, trigger: T) -> bool:
        """Whether the table has a transition from here by this trigger."""
        return (self.state, trigger) in self._table


def session_machine() -> Machine[SessionState, SessionTrigger]:
    """The machine of a new session."""
    return Machine(SESSION_TRANSITIONS, SessionState.STARTING)


def turn_machine() -> Machine[TurnState, TurnTrigger]:
    """The machine of a new turn."""
    return Machine(TURN_TRANSITIONS, TurnState.WAITING)
