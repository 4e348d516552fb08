"""The matrix as text: a table for each CLI, and what went wrong below it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.faults.columns import COLUMNS
from tests.faults.rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.cell import Outcome

FAILED = "✗"
KEPT = "kept"


def short(outcome: Outcome) -> str:
    """A cell in a few characters: seconds until nothing was left; `kept` where nothing had to go; a cross and the
    number of processes left after the limit, or the promise that broke."""
    if outcome.left:
        return f"{FAILED} {len(outcome.left)} left" + (f", {outcome.seconds:.1f} s" if outcome.seconds else "")
    if outcome.broken:
        return f"{FAILED} {outcome.broken[0][:40]}"
    text = KEPT if outcome.seconds is None else f"{outcome.seconds:.2f}"
    return text + ("" if outcome.resumed is None else " ↻")


def render(outcomes: Sequence[Outcome]) -> str:
    """The table of one CLI's outcomes in Markdown, cells that were not run left empty."""
    rows = [row for row in ROWS.values() if any(each.row == row.name for each in outcomes)]
    columns = [column for column in COLUMNS.values() if any(each.column == column.name for each in outcomes)]
    found = {(each.row, each.column): short(each) for each in outcomes}
    lines = [
        "| | " + " | ".join(column.title for column in columns) + " |",
        "| --- |" + " --- |" * len(columns),
    ]
    for row in rows:
        cells = [found.get((row.name, column.name), "").replace("|", "\\|") for column in columns]
        lines.append(f"| {row.title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def failures(outcomes: Sequence[Outcome]) -> str:
    """Everything that went wrong, cell by cell; empty if nothing did."""
    lines = []
    for each in outcomes:
        if not each.is_good:
            seconds = "never clean" if each.seconds is None else f"clean after {each.seconds:.2f} s"
            lines.append(f"{each.cli}, {each.row} / {each.column}: {seconds}")
            lines += [f"    left: {process}" for process in each.left] + [f"    {text}" for text in each.broken]
    return "\n".join(lines)


def summary(outcomes: Sequence[Outcome]) -> str:
    """How many cells, how many good, and the slowest."""
    timed = [each for each in outcomes if each.seconds is not None]
    slowest = max(timed, key=lambda each: each.seconds or 0, default=None)
    text = f"{sum(each.is_good for each in outcomes)} of {len(outcomes)} cells hold"
    if slowest is not None:
        text += f"; slowest: {slowest.seconds:.2f} s ({slowest.row} / {slowest.column})"
    return text
