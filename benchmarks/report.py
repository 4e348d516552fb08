"""Turns the results into what a person reads: the table on the terminal, and RESULTS.md beside its picture. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from benchmarks.goals import rows, spread

if TYPE_CHECKING:
    from collections.abc import Sequence

VERDICT = {True: "met", False: "NOT met", None: "?"}

INTRO = """# Results

Made by `make bench`, which measures the daemon beside its peers on the same mock CLI, in one run, taking turns.
Compare the ratios; the absolute figures are those of one machine. Where a cell says "median (a to b)", a and b are the
quartiles (the extremes, for fewer than four values). "?" is a goal that this run cannot judge, or no goal.
"""

HOW = """## How it was measured

- **CPU per delta** is that of the adapter's own process, from its CPU clock, without the CLI's. Two floods of different
  length are subtracted, so that what a turn costs whatever its length falls out; a first flood warms everything up. The
  parent counts marks in large chunks, and its pipe is wide, so no adapter could save work by joining deltas: the column
  "unjoined" is the share of deltas that came as they were.
- **The bare loop** (`benchmarks/bare.py`) reads what the pipe holds, splits, decodes each line once, encodes one
  notification for each delta and writes once per chunk. It keeps no promise; it is the limit.
- **claude-agent-sdk** is a library: its deltas end in the program that uses it. It was measured without writing
  anything to a parent, which is less work than an adapter's.
- **A session's start** is compared with the CLI started alone by the same handshake in the same round.
- **Latency**: the mock writes its monotonic clock into the delta, the parent compares when it has read.
- **At once**: every delta carries its number; a gap, a loss, a failed turn or a skipped `seq` fails the run. From all
  sessions streaming to the first one's end, the middle 60 % is looked at.
- **ACP** rows are of both adapters on the same wire, by the same client. `session/new` is with the real CLI where one
  is installed. For the last of them each adapter has a turn whose tool runs in a session of its own, deaf to signals,
  as the real CLI's shell does; the adapter is killed by SIGKILL, and what it had started is looked at.
- **A parent that stops reading**: the daemon's memory is sampled every 20 ms; then the parent reads on, and every
  character and every `seq` must be there.
"""


def table(headings: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    parts = [list(headings), ["---"] * len(headings), *map(list, lines)]
    return "\n".join("| " + " | ".join(part) + " |" for part in parts)


def goals_table(results: dict[str, Any]) -> str:
    """The goals and what was measured."""
    lines = [[row.what, row.goal, row.ours, row.others, row.ratio, VERDICT[row.met]] for row in rows(results)]
    return table(["what", "goal", "ours", "others", "ratio", "goal met"], lines)


def results_page(results: dict[str, Any], machine: dict[str, str], picture: str) -> str:
    """The whole of RESULTS.md."""
    about = table(["", ""], [[name, value] for name, value in machine.items()])
    parts = [INTRO, goals_table(results), f"![the results as a picture]({picture})", "## Measured with", about]
    throughput = results.get("throughput", {})
    if "ours" in throughput:
        parts += ["## The streaming path", _throughput(throughput), _mock_is_no_bottleneck(throughput)]
    parts += ["## Whether the cost stays flat", _by_sessions(results), _by_count(results), _by_size(results), HOW]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _throughput(part: dict[str, Any]) -> str:
    lines = []
    for name, of in part.items():
        unjoined = f"{of['unjoined']:.0%}" if name != "claude-agent-sdk" else "-"
        lines.append([name, spread(of["cpu_us"], 2), spread(of["rate"], 0), unjoined])
    return table(["", "µs of CPU per delta", "deltas a second", "unjoined"], lines)


def _mock_is_no_bottleneck(part: dict[str, Any]) -> str:
    alone, fastest = part["CLI alone"]["rate"]["median"], part["bare loop"]["rate"]["median"]
    verdict = "is not what limits the others" if alone > fastest else "LIMITS the fastest of the others in this run"
    return (
        f"The mock {verdict}: read by a parent that throws its lines away, it gives {alone:,.0f} deltas a second, "
        f"{alone / fastest:.1f} times what the fastest that does anything with them takes."
    )


def _by_sessions(results: dict[str, Any]) -> str:
    steps = results.get("crowd", {}).get("steps")
    if not steps:
        return ""
    lines = [[str(step["sessions"]), f"{step['cpu_us']:.2f}", f"{step['unjoined']:.0%}"] for step in steps]
    note = "All sessions flood at once. One parent cannot keep up with many, so neighbouring deltas are joined."
    return note + "\n\n" + table(["sessions at once", "µs of CPU per delta", "unjoined"], lines)


def _by_count(results: dict[str, Any]) -> str:
    steps = results.get("scaling", {}).get("by_count")
    if not steps:
        return ""
    lines = [[f"{step['deltas']:,}", f"{step['cpu_us']:.2f}"] for step in steps]
    note = "Here what a turn costs whatever its length is in, which shows in the shortest."
    return note + "\n\n" + table(["deltas in a turn", "µs of CPU per delta"], lines)


def _by_size(results: dict[str, Any]) -> str:
    steps = results.get("scaling", {}).get("by_size")
    if not steps:
        return ""
    lines = [[f"{step['size']:,}", f"{step['cpu_us']:,.1f}", f"{step['ns_per_byte']:.1f}"] for step in steps]
    note = "The CLI repeats a delta's text in the finished message, so each byte passes at least twice."
    return note + "\n\n" + table(["bytes of text in a delta", "µs of CPU per delta", "ns of CPU per byte"], lines)
