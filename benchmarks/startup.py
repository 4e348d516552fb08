"""From the spawn to the first answer, and what a session's start costs on top of its CLI's own.

The CLI alone is started in the same round, by the same handshake; what an adapter adds is the median of the rounds'
differences. A start is "cold" as far as one that follows another can be: nothing of ours runs, the files are in memory.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from adapter.config import Settings
from benchmarks.link import ended_together
from benchmarks.stats import summarise
from benchmarks.targets import Acp, Cli, Ours

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from benchmarks.peers import Peer
    from benchmarks.plan import Plan
    from benchmarks.targets import Place, Target

MILLI = 1e3
GONE_S, POLL_S = 5.0, 0.02
"""A real CLI has gone 0.1 s after it was asked to (measured); only then is the next one's start looked at."""

WARM_SETTLE_S = 3.0
"""For a pool to be filled again: longer than the CLI's own start, several times."""


def measure_initialize(place: Place, plan: Plan, peers: dict[str, Peer]) -> dict[str, Any]:
    """What `time_initialize` gives, of the native face and the peer."""
    makers: list[Callable[[], Target]] = [lambda: Ours(place)]
    if peers["acp"].command:
        makers.append(lambda: Acp(place, peers["acp"]))
    return time_initialize(makers, plan)


def time_initialize(makers: Sequence[Callable[[], Target]], plan: Plan) -> dict[str, Any]:
    """Milliseconds from the spawn to the answer of `initialize`, by target."""
    taken: dict[str, list[float]] = {}
    for _ in range(plan.starts):
        for make in makers:
            target = make()
            with target.link:
                target.initialize()
                taken.setdefault(target.name, []).append((time.perf_counter() - target.link.started) * MILLI)
    return {name: summarise(values).as_json() for name, values in taken.items()}


def measure_sessions(place: Place, plan: Plan, peers: dict[str, Peer], cli: str | None) -> dict[str, Any]:
    """What `time_sessions` gives, of the native face and the peer.

    Args:
        place: where to run.
        plan: how often.
        peers: those that are there are measured too.
        cli: the real CLI; None for the mock.
    """
    targets: list[Target] = [Ours(place, cli=cli)]
    targets += [Acp(place, peers["acp"], cli=cli)] if peers["acp"].command else []
    return time_sessions(targets, place, plan, cli)


def time_sessions(targets: Sequence[Target], place: Place, plan: Plan, cli: str | None) -> dict[str, Any]:
    """Milliseconds to a session, by target, and what it takes longer than the CLI alone. Ends the targets."""
    taken: dict[str, list[float]] = {}
    with ended_together([target.link for target in targets]):
        for target in targets:
            target.initialize()
            _timed_open(target)
        starts: list[tuple[str, Callable[[], float]]] = [(Cli.name, lambda: _timed_alone(place, cli))]
        starts += [(target.name, partial(_timed_open, target)) for target in targets]
        for number in range(plan.real_starts if cli else plan.sessions_started):
            # Each comes first as often as the others: what one leaves behind must not always cost the same next one.
            turn = number % len(starts)
            for name, start in starts[turn:] + starts[:turn]:
                taken.setdefault(name, []).append(start())
    alone = taken[Cli.name]
    return {
        name: {
            "all": summarise(values).as_json(),
            "added": summarise([value - bare for value, bare in zip(values, alone, strict=True)]).as_json(),
        }
        for name, values in taken.items()
    }


def measure_warm(place: Place, plan: Plan, cli: str | None) -> dict[str, Any]:
    """Milliseconds to a session that finds a warm CLI in the pool, beside one that does not; None without a pool."""
    if "warm" not in Settings.model_fields:
        return {"warm": None, "cold": None}
    taken: dict[str, list[float]] = {"cold": [], "warm": []}
    for name, flags in (("cold", ()), ("warm", ("--warm", "1"))):
        target = Ours(place, *flags, cli=cli)
        with target.link:
            target.initialize()
            target.shut(target.open())
            for _ in range(plan.real_starts):
                time.sleep(WARM_SETTLE_S if flags else 0)
                taken[name].append(_timed_open(target))
    return {name: summarise(values).as_json() for name, values in taken.items()}


def _timed_open(target: Target) -> float:
    """Milliseconds to a session. Returns when it is gone again, with its processes."""
    running = target.link.children()
    before = time.perf_counter()
    session = target.open()
    taken = (time.perf_counter() - before) * MILLI
    target.shut(session)
    deadline = time.perf_counter() + GONE_S
    while target.link.children() > running and time.perf_counter() < deadline:
        time.sleep(POLL_S)
    return taken


def _timed_alone(place: Place, cli: str | None) -> float:
    """Milliseconds to the answer of the CLI's handshake."""
    before = time.perf_counter()
    alone = Cli(place, cli)
    with alone.link:
        alone.initialize()
        return (time.perf_counter() - before) * MILLI
