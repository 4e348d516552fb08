"""Memory: of the daemon when nothing happens, per further session, and under a parent that stops reading."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.link import Failed
from benchmarks.stats import summarise
from benchmarks.targets import Acp, Ours
from benchmarks.wire import Ear

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers import Peer
    from benchmarks.plan import Plan
    from benchmarks.targets import Place, Target

MB, KB = 1e6, 1e3
SETTLE_S = 2.0
"""After the start: the look at the CLI's health is over and its processes are gone."""

SAMPLE_S = 0.02
DRAIN_S = 120.0
TURN = {"deltas": 50}
IDLE_ROUNDS = 3
HELD_SHARE = 0.02
"""A CLI counts as held back when less than this share of what was read of it came in the last quarter of the stall."""


def measure_idle(place: Place, peers: dict[str, Peer]) -> dict[str, Any]:
    """What `weigh_idle` gives, of the native face and the peer."""
    makers: list[Callable[[], Target]] = [lambda: Ours(place)]
    if peers["acp"].command:
        makers.append(lambda: Acp(place, peers["acp"]))
    return weigh_idle(makers)


def weigh_idle(makers: Sequence[Callable[[], Target]]) -> dict[str, Any]:
    """MB of an adapter that has answered `initialize` and has no session: alone, with the helpers it keeps, and what
    is its own alone."""
    taken: dict[str, dict[str, list[float]]] = {}
    for _ in range(IDLE_ROUNDS):
        for make in makers:
            target = make()
            with target.link:
                target.initialize()
                time.sleep(SETTLE_S)
                alone = target.link.rss()
                found = {"alone": alone, "all": alone + target.link.helpers_rss(), "uss": target.link.uss()}
                for what, value in found.items():
                    taken.setdefault(target.name, {}).setdefault(what, []).append(value / MB)
    return {name: {what: summarise(values).as_json() for what, values in of.items()} for name, of in taken.items()}


def measure_sessions(place: Place, plan: Plan, peers: dict[str, Peer]) -> dict[str, Any]:
    """KB of the adapter's own memory for each session more, each of which has had a short turn."""
    few, many = plan.memory_steps
    targets: list[Target] = [Ours(place)]
    targets += [Acp(place, peers["acp"])] if peers["acp"].command else []
    found = {}
    for target in targets:
        with target.link:
            target.initialize()
            sizes = []
            for count in (few, many - few):
                for _ in range(count):
                    target.prompt(target.open(), TURN)
                    target.link.count(target.delta, target.end)
                sizes.append(target.link.rss())
            found[target.name] = (sizes[1] - sizes[0]) / (many - few) / KB
    return {"from": few, "to": many, "kb": found}


def measure_stall(place: Place, plan: Plan, sessions: int) -> dict[str, Any]:
    """A parent that stops reading while every session's CLI floods: growth, whether the CLIs are held back, and whether
    everything comes once the parent reads again."""
    target = Ours(place)
    deltas = plan.stall_deltas // sessions
    with target.link as link:
        target.initialize()
        ids = target.open_many(sessions)
        ear = Ear(link, ids)
        for id in ids:
            target.prompt(id, TURN)
        ear.listen(1, DRAIN_S)
        before, read_before = link.rss(), link.bytes_read() or 0
        for id in ids:
            target.prompt(id, {"deltas": deltas})
        peak, read = _watch(target, plan.stall_seconds, read_before)
        if any(heard.completed > 1 for heard in ear.heard.values()):
            raise Failed("the turns were over before the parent could fall behind")
        ear.listen(2, DRAIN_S)
        expected = 24 * (deltas + TURN["deltas"])
        lost = [heard.characters for heard in ear.heard.values() if heard.characters != expected]
        if lost:
            raise Failed(f"{len(lost)} of {sessions} sessions did not get the {expected} characters: {lost[:3]}")
        held = None if read is None else read[1] <= HELD_SHARE * read[0]
        return {
            "sessions": sessions,
            "offered_mb": sessions * deltas * 300 / MB,
            "read_mb": None if read is None else read[0] / MB,
            "held_back": held,
            "growth_mb": (peak - before) / MB,
            "growth_to_the_end_mb": (max(peak, link.rss()) - before) / MB,
        }


def _watch(target: Ours, seconds: float, read_before: int) -> tuple[int, tuple[int, int] | None]:
    """Read nothing for a while: the largest memory, and what was read of the CLIs: in all, and in the last quarter."""
    peak, reads = 0, []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        time.sleep(SAMPLE_S)
        peak = max(peak, target.link.rss())
        reads.append(target.link.bytes_read())
    last, late = reads[-1], reads[len(reads) * 3 // 4]
    return peak, None if last is None or late is None else (last - read_before, last - late)
