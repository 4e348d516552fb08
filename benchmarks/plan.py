"""How much is measured: the sizes and repetitions of a full run (at most 8 minutes) and of a quick one (90 seconds)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Plan:
    """The sizes of one run. Times in seconds."""

    rounds: int
    """Times each side is measured, alternating."""
    small: int
    large: dict[str, int]
    """Deltas of the larger of two floods, by target; slow ones get fewer, so that the run ends. The smaller flood is
    subtracted, and with it everything that a turn costs whatever its length."""
    starts: int
    sessions_started: int
    real_starts: int
    latency_rate: float
    latency_seconds: float
    memory_steps: tuple[int, int]
    crowd_steps: tuple[int, ...]
    crowd_flood: int
    crowd_rate: float
    crowd_seconds: float
    stall_deltas: int
    stall_seconds: float
    stall_sessions: tuple[int, ...]
    delta_counts: tuple[int, ...]
    text_sizes: tuple[int, ...]
    size_budget: int
    """Bytes of text at each of `text_sizes`, at most `small` deltas."""


FULL = Plan(
    rounds=7,
    small=20_000,
    large={"ours": 320_000, "bare loop": 320_000, "claude-agent-acp": 60_000, "claude-agent-sdk": 120_000},
    starts=11,
    sessions_started=15,
    real_starts=9,
    latency_rate=50,
    latency_seconds=18,
    memory_steps=(10, 50),
    crowd_steps=(1, 10, 50, 100, 200),
    crowd_flood=400_000,
    crowd_rate=20,
    crowd_seconds=15,
    stall_deltas=400_000,
    stall_seconds=5,
    stall_sessions=(1, 20),
    delta_counts=(1_000, 10_000, 100_000, 1_000_000),
    text_sizes=(100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000),
    size_budget=200_000_000,
)

QUICK = Plan(
    rounds=3,
    small=10_000,
    large={"ours": 110_000, "bare loop": 110_000, "claude-agent-acp": 30_000, "claude-agent-sdk": 60_000},
    starts=5,
    sessions_started=5,
    real_starts=3,
    latency_rate=50,
    latency_seconds=2,
    memory_steps=(5, 25),
    crowd_steps=(1, 10, 50),
    crowd_flood=100_000,
    crowd_rate=20,
    crowd_seconds=5,
    stall_deltas=150_000,
    stall_seconds=2,
    stall_sessions=(1, 5),
    delta_counts=(1_000, 10_000, 100_000),
    text_sizes=(100, 10_000, 1_000_000, 10_000_000),
    size_budget=50_000_000,
)
