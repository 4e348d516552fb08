"""CPU per streamed delta, deltas a second, and how both grow: with the number of deltas, with the size of a delta.

The CPU is that of the adapter's own process, not of the CLI. Two floods of different size are subtracted, so that
what a turn costs whatever its length falls out. All sides take turns within each round.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from benchmarks.link import Failed, ended_together
from benchmarks.stats import summarise
from benchmarks.targets import Acp, Bare, Cli, Ours, Sdk

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.peers import Peer
    from benchmarks.plan import Plan
    from benchmarks.targets import Place, Target

MICRO = 1e6


def measure(place: Place, plan: Plan, peers: dict[str, Peer]) -> dict[str, Any]:
    """What `compare` gives, of the native face, the bare loop, the CLI alone, and the peers."""
    targets: list[Target] = [Ours(place, wide=True), Bare(place, wide=True), Cli(place, wide=True)]
    targets += [Acp(place, peers["acp"], wide=True)] if peers["acp"].command else []
    targets += [Sdk(place, peers["sdk"], wide=True)] if peers["sdk"].command else []
    return compare(targets, plan)


def compare(targets: Sequence[Target], plan: Plan) -> dict[str, Any]:
    """By target: µs of CPU per delta, deltas a second, and the share of deltas that came unjoined. Ends them."""
    cpu: dict[str, list[float]] = {target.name: [] for target in targets}
    rate: dict[str, list[float]] = {target.name: [] for target in targets}
    unjoined: dict[str, float] = {}
    with ended_together([target.link for target in targets]):
        sessions = {target.name: _ready(target, plan.small) for target in targets}
        for _ in range(plan.rounds):
            for target in targets:
                large = plan.large.get(target.name, plan.large["ours"])
                few, _, _ = _flood(target, sessions[target.name], plan.small)
                much, seconds, came = _flood(target, sessions[target.name], large)
                cpu[target.name].append((much - few) / (large - plan.small) * MICRO)
                rate[target.name].append(large / seconds)
                unjoined[target.name] = came / large
    return {
        name: {
            "cpu_us": summarise(cpu[name]).as_json(),
            "rate": summarise(rate[name]).as_json(),
            "unjoined": unjoined[name],
        }
        for name in cpu
    }


def _ready(target: Target, warm_up: int) -> str:
    """A session that has had a turn: code is loaded, compiled where a target compiles, and memory is grown."""
    target.initialize()
    session = target.open()
    _flood(target, session, warm_up)
    return session


def _flood(target: Target, session: str, deltas: int, size: int = 24) -> tuple[float, float, int]:
    """One turn: seconds of CPU, seconds it took from the order to the end, and deltas as they came."""
    before, began = target.link.cpu(), time.perf_counter()
    target.prompt(session, {"deltas": deltas, "size": size})
    counted = target.link.count(target.delta, target.end)
    if not counted.deltas:
        raise Failed(f"{target.name} brought none of {deltas} deltas")
    return target.link.cpu() - before, time.perf_counter() - began, counted.deltas


def measure_scaling(place: Place, plan: Plan) -> dict[str, Any]:
    """Our cost per delta for more deltas in a turn, and our cost per byte for larger deltas."""
    by_count, by_size = [], []
    target = Ours(place, wide=True)
    with target.link:
        session = _ready(target, plan.small)
        for count in plan.delta_counts:
            turns = max(1, min(100, 100_000 // count))
            spent = sum(_flood(target, session, count)[0] for _ in range(turns))
            by_count.append({"deltas": count, "cpu_us": spent / turns / count * MICRO})
        for size in plan.text_sizes:
            count = max(1, min(plan.small, plan.size_budget // size))
            spent, _, _ = _flood(target, session, count, size)
            each = spent / count
            by_size.append({"size": size, "deltas": count, "cpu_us": each * MICRO, "ns_per_byte": each / size * 1e9})
    return {"by_count": by_count, "by_size": by_size}
