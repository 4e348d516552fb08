"""The Agent Client Protocol, ours beside claude-agent-acp's: the same client, wire, CLI and orders in one run.

What is left after `kill -9` is looked at as well: each adapter has one session whose tool runs, and is killed.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import psutil

from benchmarks import memory, startup, throughput
from benchmarks.targets import Acp, OursAcp

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers import Peer
    from benchmarks.plan import Plan
    from benchmarks.targets import Place, Target

LEFT_S = 5.0
"""How long after its death an adapter's processes may still be there before they count as left behind."""

POLL_S = 0.05
TOOL = {"deltas": 6000, "rate": 20, "child": 600}
"""A turn of five minutes with a tool that takes ten."""


def measure(place: Place, plan: Plan, peers: dict[str, Peer], cli: str | None) -> dict[str, Any]:
    """All of it, by measurement and adapter.

    Args:
        place: where to run.
        plan: how often and how much.
        peers: the peer is measured where it is there.
        cli: the real CLI, for the time to a session; None for the mock.
    """
    makers: list[Callable[[], Target]] = [lambda: OursAcp(place)]
    if peers["acp"].command:
        makers.append(lambda: Acp(place, peers["acp"]))
    return {
        "initialize": startup.time_initialize(makers, plan),
        "new": startup.time_sessions(_all(place, peers, cli=cli), place, plan, cli),
        "throughput": throughput.compare(_all(place, peers, wide=True), plan),
        "memory": memory.weigh_idle(makers),
        "left": {target.name: _left_after_kill(target) for target in [make() for make in makers]},
    }


def _all(place: Place, peers: dict[str, Peer], *, cli: str | None = None, wide: bool = False) -> list[Target]:
    targets: list[Target] = [OursAcp(place, cli=cli, wide=wide)]
    return [*targets, Acp(place, peers["acp"], cli=cli, wide=wide)] if peers["acp"].command else targets


def _left_after_kill(target: Target) -> dict[str, Any]:
    """How many processes an adapter had when it was killed, how many were left, and for how long any were."""
    with target.link:
        target.initialize()
        target.prompt(target.open(), TOOL)
        target.link.wait_line(lambda line: target.delta in line)
        started = psutil.Process(target.link.process.pid).children(recursive=True)
        target.link.process.kill()
        began = time.perf_counter()
        left = _alive(started)
        while left and time.perf_counter() - began < LEFT_S:
            time.sleep(POLL_S)
            left = _alive(started)
        seconds = time.perf_counter() - began
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        return {"had": len(started), "left": len(left), "seconds": seconds}


def _alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    found = []
    for process in processes:
        with contextlib.suppress(psutil.Error):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found
