"""What is written down of a session, a turn and a process: in the ledger, and in the list that the parent gets."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from protocol.events import TurnUsage

TurnOutcome = Literal["accepted", "delivered", "completed", "interrupted", "failed", "unknown"]
"""How far a turn came. `unknown`: its daemon died after the message may have reached the CLI."""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A session at one moment. Times in seconds since 1970."""

    session_id: str
    provider: str
    provider_session_id: str | None
    pid: int | None
    state: str
    working_dir: str
    model: str | None
    created_at: float
    last_used_at: float
    turns: int = 0
    cost_usd: float = 0.0
    usage: TurnUsage = field(default_factory=TurnUsage)
    reason: str | None = None
    """Why it ended."""


@dataclass(frozen=True, slots=True)
class TurnEntry:
    """A turn at one moment. `digest` is that of the message, to tell a repeated request from a different one."""

    turn_id: str
    session_id: str
    outcome: TurnOutcome
    idempotency_key: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class DaemonRecord:
    """A daemon that has not said goodbye to the ledger. `started` and `boot_id` tell it from a later process with
    its PID."""

    daemon_id: str
    pid: int
    started: float
    boot_id: str


@dataclass(frozen=True, slots=True)
class KeyedTurn:
    """A message that was accepted with an idempotency key, in an earlier life of its session."""

    key: str
    digest: str
    id: str
    outcome: TurnOutcome
