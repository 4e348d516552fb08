"""The settings of sessions and of their registry, as they need them. Times in seconds, 0 for never."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SilenceLimits:
    """Seconds of silence that end a turn: while the model works, a tool runs, the context is compacted."""

    model: float
    tool: float
    compaction: float


@dataclass(frozen=True, slots=True)
class SessionLimits:
    """What one session may take: times, and a number of waiting messages."""

    silence: SilenceLimits
    permission_timeout: float
    interrupt_grace: float
    max_queue: int


@dataclass(frozen=True, slots=True)
class RegistryLimits:
    """What all sessions together may take."""

    max_sessions: int
    idle_timeout: float
    session: SessionLimits
