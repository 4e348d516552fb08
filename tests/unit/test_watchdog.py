"""The silence watchdog under a clock of the test's own."""

from __future__ import annotations

import math
from unittest.mock import Mock

import anyio
import pytest

from adapter.session.enforcer import Enforcer
from adapter.session.limits import SilenceLimits
from adapter.session.turn import Turn
from adapter.session.watchdog import Activity, Watchdog

LIMITS = SilenceLimits(model=120, tool=1800, compaction=600)
WORKING = Activity(waiting=False, compacting=False, tools=[])
COMPACTING = WORKING._replace(compacting=True)
TOOL = WORKING._replace(tools=["Bash", "Read"])
WAITING = WORKING._replace(waiting=True)


class Bench:
    """A watchdog whose clock and session are in the test's hands."""

    def __init__(self, limits: SilenceLimits = LIMITS) -> None:
        self.now = 1000.0
        self.activity = WORKING
        self.watchdog = Watchdog(limits, lambda: self.activity, lambda: self.now)


@pytest.mark.parametrize(
    ("activity", "limit", "named"),
    [
        (WORKING, 120, "silence_timeout"),
        (TOOL, 1800, "tool_silence_timeout, while these tools ran: Bash, Read"),
        (COMPACTING, 600, "compaction_timeout"),
        (COMPACTING._replace(tools=["Bash"]), 600, "compaction_timeout"),
    ],
)
def test_it_fires_at_the_limit_of_what_the_session_is_at_and_names_it(
    activity: Activity, limit: float, named: str
) -> None:
    bench = Bench()
    bench.activity = activity
    bench.now += limit - 0.5
    assert bench.watchdog.fired() is None
    assert bench.watchdog.remaining() == 0.5
    bench.now += 0.5
    reason = bench.watchdog.fired()
    assert reason is not None
    assert reason.startswith(named)
    assert f"{limit:g} s" in reason
    assert bench.watchdog.remaining() == 0.0


def test_a_sign_of_life_puts_the_limit_off() -> None:
    bench = Bench()
    bench.now += 119
    bench.watchdog.touch()
    bench.now += 119
    assert bench.watchdog.fired() is None
    assert bench.watchdog.remaining() == 1
    bench.now += 1
    assert bench.watchdog.fired() is not None


@pytest.mark.parametrize("also", [WORKING, TOOL, COMPACTING])
def test_waiting_for_somebody_else_is_never_silence(also: Activity) -> None:
    bench = Bench()
    bench.activity = also._replace(waiting=True)
    bench.now += 1_000_000
    assert bench.watchdog.fired() is None
    assert bench.watchdog.remaining() == 120, "looks again in the shortest limit"


def test_what_the_session_is_at_decides_at_the_time_of_looking() -> None:
    bench = Bench()
    bench.activity = TOOL
    bench.now += 300
    assert bench.watchdog.fired() is None
    bench.activity = WORKING
    assert bench.watchdog.fired() is not None


@pytest.mark.parametrize(
    ("limits", "activity", "remaining"),
    [
        (SilenceLimits(model=0, tool=1800, compaction=600), WORKING, 600),
        (SilenceLimits(model=120, tool=0, compaction=600), TOOL, 120),
        (SilenceLimits(model=120, tool=1800, compaction=0), COMPACTING, 120),
        (SilenceLimits(model=0, tool=0, compaction=0), WORKING, math.inf),
        (SilenceLimits(model=0, tool=0, compaction=0), WAITING, math.inf),
    ],
)
def test_a_limit_of_zero_never_fires(limits: SilenceLimits, activity: Activity, remaining: float) -> None:
    bench = Bench(limits)
    bench.activity = activity
    bench.now += 1_000_000
    assert bench.watchdog.fired() is None
    assert bench.watchdog.remaining() == remaining


def test_looking_again_after_what_remained_never_comes_too_late() -> None:
    bench = Bench()
    for activity in (WORKING, TOOL, COMPACTING, WAITING):
        bench.activity = activity
        assert bench.watchdog.remaining() <= max(LIMITS.model, LIMITS.tool, LIMITS.compaction)
        assert bench.watchdog.shortest == 120


@pytest.mark.anyio
async def test_what_was_quiet_before_a_turn_does_not_count_against_it() -> None:
    bench = Bench()
    bench.now += 100_000
    assert bench.watchdog.fired() is not None
    turn = Turn("message", "hello", bench.now)
    enforcer = Enforcer("s", Mock(), Mock(), bench.watchdog, grace=1, warn=Mock())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(enforcer.watch, turn)
        await anyio.wait_all_tasks_blocked()
        assert bench.watchdog.fired() is None
        assert not turn.cut
        turn.done.set()
