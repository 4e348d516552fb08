"""Many sessions at once in one daemon: the cost of a delta as their number grows, and all of them streaming together
at a person's reading pace, with every promise kept."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.link import Failed
from benchmarks.stats import percentile
from benchmarks.targets import Ours
from benchmarks.wire import Ear

if TYPE_CHECKING:
    from benchmarks.plan import Plan
    from benchmarks.targets import Place

MICRO, MILLI = 1e6, 1e3
SLACK_S = 60.0
WINDOW = (0.2, 0.8)
"""The part of the common stretch that is looked at: all sessions are under way, none is at its end."""


def measure(place: Place, plan: Plan) -> dict[str, Any]:
    """µs per delta by number of sessions, then latency and fairness with the largest number."""
    target = Ours(place, wide=True)
    sessions: list[str] = []
    steps = []
    with target.link:
        target.initialize()
        for count in plan.crowd_steps:
            before = time.perf_counter()
            sessions += target.open_many(count - len(sessions))
            opened = time.perf_counter() - before
            steps.append({"sessions": count, "opened_s": opened} | _flood(target, sessions, plan.crowd_flood))
        return {"steps": steps, "paced": _pace(target, sessions, plan)}


def _flood(target: Ours, sessions: list[str], deltas: int) -> dict[str, Any]:
    each = deltas // len(sessions)
    before = target.link.cpu()
    for session in sessions:
        target.prompt(session, {"deltas": each})
    counted = target.link.count(target.delta, target.end, len(sessions))
    spent = (target.link.cpu() - before) / (each * len(sessions))
    return {"cpu_us": spent * MICRO, "unjoined": counted.deltas / (each * len(sessions))}


def _pace(target: Ours, sessions: list[str], plan: Plan) -> dict[str, Any]:
    """All at once at `crowd_rate`: nothing lost or out of order, every turn completed, latency, fairness."""
    count = int(plan.crowd_rate * plan.crowd_seconds)
    ear = Ear(target.link, sessions)
    before, began = target.link.cpu(), time.perf_counter()
    for session in sessions:
        target.prompt(session, {"deltas": count, "rate": plan.crowd_rate})
    ear.listen(1, plan.crowd_seconds + SLACK_S)
    busy = (target.link.cpu() - before) / (time.perf_counter() - began)
    lost = [heard.stamps for heard in ear.heard.values() if heard.stamps != count]
    if lost:
        raise Failed(f"{len(lost)} sessions got {lost[:3]} of {count} deltas")
    first = max(heard.at[0][0] for heard in ear.heard.values())
    last = min(heard.at[-1][0] for heard in ear.heard.values())
    begin, end = (first + share * (last - first) for share in WINDOW)
    if end - begin < 1:
        raise Failed("the sessions did not stream at the same time")
    within = [[way for at, way in heard.at if begin <= at < end] for heard in ear.heard.values()]
    ways = [way * MILLI for each in within for way in each]
    counts = [len(each) for each in within]
    return {
        "sessions": len(sessions),
        "rate": plan.crowd_rate,
        "window_s": end - begin,
        "p50_ms": percentile(ways, 0.5),
        "p99_ms": percentile(ways, 0.99),
        "max_ms": max(ways),
        "fairness": max(counts) / max(1, min(counts)),
        "cpu_share": busy,
    }
