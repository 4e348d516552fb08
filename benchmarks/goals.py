"""The goals, and what was measured against each: rows of a table. Pure; the report prints them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Results = dict[str, Any]

MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Row:
    """One goal. `met` is None where something is missing that it is measured against."""

    what: str
    goal: str
    ours: str
    others: str
    ratio: str
    met: bool | None


def rows(results: Results) -> list[Row]:
    """The table. A measurement that failed gives a row that says so, and a goal that is not met."""
    made: list[Row] = []
    for name, make in _TABLE:
        part = results.get(name)
        if isinstance(part, dict) and "failed" in part:
            made.append(Row(name, "", f"failed: {part['failed']}", "", "", met=False))
        elif part is not None:
            made += make(part)
    return made


def spread(summary: dict[str, Any] | None, digits: int = 1) -> str:
    """`12.3 (11.0 to 14.1)`; "missing" for what was not measured."""
    if summary is None:
        return MISSING
    return f"{summary['median']:.{digits}f} ({summary['low']:.{digits}f} to {summary['high']:.{digits}f})"


def _throughput(part: Results) -> list[Row]:
    ours, bare = part["ours"], part["bare loop"]
    acp, sdk = part.get("claude-agent-acp"), part.get("claude-agent-sdk")
    mine = f"{spread(ours['cpu_us'], 2)} µs, {ours['rate']['median']:,.0f}/s"
    rows = []
    for name, other, limit, goal in (
        ("claude-agent-acp", acp, 1 / 8, "at most 1/8 of claude-agent-acp"),
        ("bare loop", bare, 3.0, "at most 3 times the bare loop"),
        ("claude-agent-sdk", sdk, None, "(for comparison)"),
    ):
        if other is None:
            rows.append(Row("CPU per streamed delta", goal, mine, f"{name}: {MISSING}", MISSING, None))
            continue
        ratio = ours["cpu_us"]["median"] / other["cpu_us"]["median"]
        theirs = f"{name}: {spread(other['cpu_us'], 2)} µs, {other['rate']['median']:,.0f}/s"
        met = None if limit is None else ratio <= limit
        rows.append(Row("CPU per streamed delta", goal, mine, theirs, times(ratio), met))
    return rows


def _initialize(part: Results) -> list[Row]:
    ours, acp = part["ours"], part.get("claude-agent-acp")
    ratio = ours["median"] / acp["median"] if acp else None
    return [
        Row(
            "spawn to the answer of `initialize`", "at most 1/2 of claude-agent-acp", f"{spread(ours, 0)} ms",
            f"claude-agent-acp: {spread(acp, 0)}{' ms' if acp else ''}", times(ratio),
            None if ratio is None else ratio <= 1 / 2,
        )
    ]  # fmt: skip


def _sessions(with_what: str) -> Callable[[Results], list[Row]]:
    def make(part: Results) -> list[Row]:
        ours, acp = part["ours"], part.get("claude-agent-acp")
        theirs = f"claude-agent-acp adds {spread(acp['added'])} ms" if acp else f"claude-agent-acp: {MISSING}"
        mine = f"adds {spread(ours['added'])} ms"
        others = f"the CLI alone: {spread(part['CLI alone']['all'])} ms; {theirs}"
        met = ours["added"]["median"] <= 20
        return [Row(f"`start_session`, {with_what}", "adds at most 20 ms", mine, others, "", met)]

    return make


def _warm(part: Results) -> list[Row]:
    what, goal = "`start_session` with a warm CLI", "at most 1/10 of a cold start"
    if part["warm"] is None:
        return [Row(what, goal, "the daemon has no pool", "", MISSING, None)]
    ratio = part["warm"]["median"] / part["cold"]["median"]
    cold = f"cold: {spread(part['cold'])} ms"
    return [Row(what, goal, f"{spread(part['warm'])} ms", cold, times(ratio), ratio <= 1 / 10)]


def _latency(part: Results) -> list[Row]:
    ours, pipe, acp = part["ours"], part["CLI alone"], part.get("claude-agent-acp")
    rows = []
    for share, limit in (("p50", 1), ("p99", 5)):
        added = ours[share] - pipe[share]
        theirs = f"{acp[share] - pipe[share]:.2f} ms" if acp else MISSING
        others = f"bare pipe: {pipe[share]:.2f} ms; claude-agent-acp adds {theirs}"
        goal = f"at most {limit} ms over a bare pipe"
        rows.append(Row(f"latency of a delta, {share}", goal, f"adds {added:.2f} ms", others, "", added <= limit))
    return rows


def _memory_idle(part: Results) -> list[Row]:
    ours, acp = part["ours"], part.get("claude-agent-acp")
    size, everything = ours["alone"]["median"], ours["all"]["median"]
    mine = f"{size:.1f} MB ({ours['uss']['median']:.1f} unshared); with its guardian process {everything:.1f}"
    theirs = f"claude-agent-acp: {spread(acp['all']) if acp else MISSING}{' MB' if acp else ''}"
    ratio = everything / acp["all"]["median"] if acp else None
    return [Row("memory, idle", "at most 45 MB", mine, theirs, times(ratio), size <= 45)]


def _memory_sessions(part: Results) -> list[Row]:
    ours, acp = part["kb"]["ours"], part["kb"].get("claude-agent-acp")
    theirs = f"claude-agent-acp: {acp:.0f} KB" if acp is not None else f"claude-agent-acp: {MISSING}"
    what = f"memory per further session ({part['from']} to {part['to']})"
    return [Row(what, "at most 300 KB", f"{ours:.0f} KB", theirs, times(ours / acp) if acp else MISSING, ours <= 300)]


def _crowd(part: Results) -> list[Row]:
    paced = part["paced"]
    what = f"{paced['sessions']} sessions at once, {paced['rate']:g} deltas/s each"
    everything = f"nothing lost, all turns completed; {paced['cpu_share']:.0%} of a core"
    added = f"{paced['p99_ms']:.1f} ms (p50 {paced['p50_ms']:.1f}, worst {paced['max_ms']:.1f})"
    fair = f"most / least deltas of a session within {paced['window_s']:.0f} s: {paced['fairness']:.2f}"
    enough = paced["sessions"] >= 200
    return [
        Row(what, "p99 under 100 ms (200 sessions)", added, everything, "", _when(enough, paced["p99_ms"] < 100)),
        Row(what, "fair to within 2x (200 sessions)", fair, "", "", _when(enough, paced["fairness"] <= 2)),
    ]


def _stall(part: Results) -> list[Row]:
    rows = []
    for run in part["runs"]:
        held = {True: "the CLIs were held back", False: "NOT held back", None: "held back: cannot be told"}[
            run["held_back"]
        ]
        read = "" if run["read_mb"] is None else f", {run['read_mb']:.1f} of {run['offered_mb']:.0f} MB taken in"
        what = f"memory under a parent that stops reading, {run['sessions']} flooding"
        ours = f"{run['growth_mb']:.1f} MB more ({run['growth_to_the_end_mb']:.1f} when all was read)"
        met = run["growth_to_the_end_mb"] <= 16 and run["held_back"] is not False
        rows.append(Row(what, "at most 16 MB more, nothing lost", ours, f"{held}{read}; nothing lost", "", met))
    return rows


def _acp(part: Results) -> list[Row]:
    peer = "claude-agent-acp"
    rows = []
    for what, goal, limit, of, unit, digits in (
        ("CPU per update", "at most 1/8 of the peer", 1 / 8, lambda each: each["cpu_us"], "µs", 2),
        ("updates a second", "(for comparison)", None, lambda each: each["rate"], "/s", 0),
    ):
        rows.append(_beside(f"ACP: {what}", goal, limit, part["throughput"], of, unit, digits))
    rows.append(_beside("ACP: `initialize`", "at most 1/2 of the peer", 1 / 2, part["initialize"], _same, "ms", 0))
    rows.append(_beside("ACP: `session/new`", "less than the peer", 1, part["new"], lambda each: each["all"], "ms", 0))
    memory = {name: of["all"] for name, of in part["memory"].items()}
    rows.append(_beside("ACP: memory, idle, all processes", "less than the peer", 1, memory, _same, "MB", 1))
    ours, theirs = part["left"]["ours"], part["left"].get(peer)
    mine = f"{ours['left']} of {ours['had']} left, gone after {ours['seconds']:.1f} s"
    others = f"{peer}: {theirs['left']} of {theirs['had']} left" if theirs else f"{peer}: {MISSING}"
    rows.append(Row("ACP: left 5 s after kill -9 with a tool running", "nothing", mine, others, "", not ours["left"]))
    return rows


def _beside(
    what: str, goal: str, limit: float | None, part: Results, of: Callable[[Results], Results], unit: str, digits: int
) -> Row:
    """A row of the daemon beside the ACP peer."""
    ours, theirs = of(part["ours"]), part.get("claude-agent-acp")
    ratio = ours["median"] / of(theirs)["median"] if theirs else None
    others = f"claude-agent-acp: {spread(of(theirs) if theirs else None, digits)} {unit if theirs else ''}".strip()
    met = None if ratio is None or limit is None else ratio <= limit
    return Row(what, goal, f"{spread(ours, digits)} {unit}", others, times(ratio), met)


def _same(summary: Results) -> Results:
    return summary


def times(ratio: float | None) -> str:
    """A ratio as people say it."""
    if ratio is None:
        return MISSING
    return f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.2f}x"


def _when(enough: bool, met: bool) -> bool | None:
    return met if enough else None


_TABLE: tuple[tuple[str, Callable[[Results], list[Row]]], ...] = (
    ("throughput", _throughput),
    ("initialize", _initialize),
    ("sessions_mock", _sessions("mock CLI")),
    ("sessions_real", _sessions("real CLI")),
    ("warm", _warm),
    ("latency", _latency),
    ("memory_idle", _memory_idle),
    ("memory_sessions", _memory_sessions),
    ("crowd", _crowd),
    ("stall", _stall),
    ("acp", _acp),
)
