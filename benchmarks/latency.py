"""How long a single delta takes from the CLI's write to the parent's read, while the machine has nothing else to do.

The mock puts its monotonic clock into each delta's text, and the parent compares it with the same clock when it has
read. A bare pipe is measured in the same way, and what an adapter adds is the difference.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

from benchmarks.link import ended_together
from benchmarks.stats import percentile
from benchmarks.targets import Acp, Cli, Ours

if TYPE_CHECKING:
    from benchmarks.peers import Peer
    from benchmarks.plan import Plan
    from benchmarks.targets import Place, Target

STAMP = re.compile(rb"@(\d+):(\d+);")
ROUNDS = 3


def measure(place: Place, plan: Plan, peers: dict[str, Peer]) -> dict[str, Any]:
    """Milliseconds at p50 and p99, by target."""
    targets: list[Target] = [Ours(place), Cli(place)]
    targets += [Acp(place, peers["acp"])] if peers["acp"].command else []
    taken: dict[str, list[float]] = {target.name: [] for target in targets}
    with ended_together([target.link for target in targets]):
        sessions = {}
        for target in targets:
            target.initialize()
            sessions[target.name] = target.open()
        for _ in range(ROUNDS):
            for target in targets:
                taken[target.name] += _stream(target, sessions[target.name], plan)
    return {
        name: {"p50": percentile(values, 0.5), "p99": percentile(values, 0.99), "count": len(values)}
        for name, values in taken.items()
    }


def _stream(target: Target, session: str, plan: Plan) -> list[float]:
    count = int(plan.latency_rate * plan.latency_seconds / ROUNDS)
    target.prompt(session, {"deltas": count, "rate": plan.latency_rate})
    taken: list[float] = []
    while True:
        lines = target.link.lines()
        now = time.monotonic_ns()
        for line in lines:
            if target.delta in line:
                taken += [(now - int(stamp)) / 1e6 for _, stamp in STAMP.findall(line)]
            elif target.end in line:
                return taken
