"""Tells real silence of a CLI from quiet work: a running tool, a question that a person has to answer, compaction,
a slow parent.

The clock is the loop's monotonic one, which stands still while the machine sleeps, so a laptop's lid fires
nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from adapter.session.limits import SilenceLimits


class Activity(NamedTuple):
    """What a session is at. `waiting` is on somebody else than the CLI: a person, or a parent that does not read."""

    waiting: bool
    compacting: bool
    tools: list[str]


class Watchdog:
    """Measures the silence of one session's CLI.

    Args:
        limits: how much is too much.
        activity: what the session is at, asked anew each time.
        clock: the loop's time.
    """

    def __init__(self, limits: SilenceLimits, activity: Callable[[], Activity], clock: Callable[[], float]) -> None:
        self._limits = limits
        self._activity = activity
        self._clock = clock
        self._last = clock()

    def touch(self) -> None:
        """The CLI gave a sign of life, or a wait for somebody else is over."""
        self._last = self._clock()

    def remaining(self) -> float:
        """Seconds after which to look again; infinite where there is no limit at all.

        What the session is at can change meanwhile, also to something with a shorter limit: so nobody looks away for
        longer than the shortest. Since the change is a sign of life itself, that look never comes too late.
        """
        limit, _ = self._limit()
        left = math.inf if limit is None else max(0.0, self._last + limit - self._clock())
        return min(left, self.shortest)

    @property
    def shortest(self) -> float:
        """The shortest limit there is."""
        return min(
            (limit for limit in (self._limits.model, self._limits.tool, self._limits.compaction) if limit),
            default=math.inf,
        )

    def fired(self) -> str | None:
        """Where the silence has been too long: which limit it was and what was running, for the error message."""
        limit, what = self._limit()
        if limit is None or self._clock() - self._last < limit:
            return None
        return f"{what} (no sign of life for {limit:g} s)"

    def _limit(self) -> tuple[float | None, str]:
        waiting, compacting, tools = self._activity()
        if waiting:
            return None, ""
        if compacting:
            return self._limits.compaction or None, "compaction_timeout, while the context was being compacted"
        if tools:
            return self._limits.tool or None, f"tool_silence_timeout, while these tools ran: {', '.join(tools)}"
        return self._limits.model or None, "silence_timeout, while the model was working"
