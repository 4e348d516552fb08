"""`python -m benchmarks`: bring the peers, measure, print the table, write RESULTS.md and its picture.

Exit code 0 when everything could be measured (whether or not the goals are met), 1 when something failed; the written
results are then left as they are.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks import acp, crowd, latency, memory, peers, plan, plot, report, startup, throughput
from benchmarks.link import Failed
from benchmarks.machine import describe, newest_real_cli
from benchmarks.peers import CACHE
from benchmarks.targets import Place

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.peers import Peer
    from benchmarks.plan import Plan

HERE = Path(__file__).parent
RESULTS, PICTURE, RAW = HERE / "RESULTS.md", HERE / "results.svg", CACHE / "results.json"


SHOWN = 300
"""Characters of a failure in a cell of the table."""


def measurements(place: Place, size: Plan, found: dict[str, Peer]) -> dict[str, Callable[[], Any]]:
    """What is measured, by name, in this order: what is sensitive to a warm machine first."""
    cli = newest_real_cli()
    real = str(cli) if cli else None
    made: dict[str, Callable[[], Any]] = {
        "initialize": lambda: startup.measure_initialize(place, size, found),
        "sessions_mock": lambda: startup.measure_sessions(place, size, found, None),
    }
    if real:
        made["sessions_real"] = lambda: startup.measure_sessions(place, size, found, real)
    return made | {
        "warm": lambda: startup.measure_warm(place, size, real),
        "latency": lambda: latency.measure(place, size, found),
        "throughput": lambda: throughput.measure(place, size, found),
        "scaling": lambda: throughput.measure_scaling(place, size),
        "memory_idle": lambda: memory.measure_idle(place, found),
        "memory_sessions": lambda: memory.measure_sessions(place, size, found),
        "stall": lambda: {"runs": [memory.measure_stall(place, size, count) for count in size.stall_sessions]},
        "crowd": lambda: crowd.measure(place, size),
        "acp": lambda: acp.measure(place, size, found, real),
    }


def main(argv: list[str] | None = None) -> int:
    """Run the benchmarks; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller sizes, about 90 seconds; writes no RESULTS.md")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these measurements alone; writes no RESULTS.md")
    given = parser.parse_args(argv)
    say("bringing the peers")
    found = peers.bring()
    machine = describe(found)
    place = Place()
    try:
        made = measurements(place, plan.QUICK if given.quick else plan.FULL, found)
        unknown = set(given.only or ()) - made.keys()
        if unknown:
            parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(made)}")
        results = {name: run(name, measure) for name, measure in made.items() if not given.only or name in given.only}
    finally:
        place.close()
    print(report.goals_table(results))
    RAW.write_text(json.dumps({"machine": machine, "results": results}, indent=1), "utf-8")
    failed = any(isinstance(part, dict) and "failed" in part for part in results.values())
    if not (given.quick or given.only or failed):
        RESULTS.write_text(report.results_page(results, machine, PICTURE.name), "utf-8")
        PICTURE.write_text(plot.draw(results), "utf-8")
        say(f"written: {RESULTS.name}, {PICTURE.name}")
    return int(failed)


def run(name: str, measure: Callable[[], Any]) -> Any:
    """One measurement; one that fails says so in the table and does not cost the others."""
    began = time.perf_counter()
    try:
        return measure()
    except Exception as error:
        what = str(error) if isinstance(error, Failed) else repr(error)
        return {"failed": " ".join(what.split())[:SHOWN]}
    finally:
        say(f"{name}: {time.perf_counter() - began:.1f} s")


def say(text: str) -> None:
    """How far it is, for the one who waits."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
