"""Which cells of the fault matrix fit into the tests, and how those of one test are run.

`make faults` runs all of them. The tests of this folder may import it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from tests.faults.cell import run_cell
from tests.faults.columns import COLUMNS, SINGLE
from tests.faults.rows import ROWS
from tests.support.real_cli import installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.faults.cell import Outcome
    from tests.faults.clis import Cli

AT_ONCE = 3
"""Cells side by side: one more than the cores of the smallest machine, for most of a cell is waiting."""

SLOW_S = 240
"""Seconds for a test with the real CLI: 10 to 30 on a quiet machine with two cores."""

BUSY_LIMIT_S = 10.0
"""Seconds after which nothing may be left here: beside other tests the two of the promise may be the machine's own."""

DEATH = "sigkill"
"""The row of the daemon's death, which is run with more columns than the others."""

REAL = {
    "eof": "background",
    "sigterm": "foreground",
    "sigint": "mcp",
    "sigkill-parent": "trap",
    "sigkill-cli": "setsid",
    "sigstop-cli": "streaming",
    "sigterm-cli": "foreground",
    "closed-stdout": "double-fork",
    "full-stdout-eof": "streaming",
    "full-stdout-stop": "background",
    "full-stdout-kill": "setsid",
    "stop": "trap",
    "idle": "mcp",
    "evict": "background",
}
"""Each other row once with a real CLI, over all columns."""

RESUMED = ("eof", "sigterm")
"""The rows after which a conversation is resumed here; `make faults` does it after all."""

EACH = [column.name for column in SINGLE]


def mock_columns(row: str) -> list[str]:
    """A column for a row, the next for the next row; all for the daemon's death. All 120 cells take
    more than a minute of two cores."""
    return EACH if row == DEATH else [EACH[list(ROWS).index(row) % len(EACH)]]


def real_cells(version: str) -> list[tuple[str, str]]:
    """The rows but the daemon's death, shared out among the versions."""
    versions = list(installed_versions())
    return list(REAL.items())[versions.index(version) :: len(versions)]


def death_cells(version: str) -> list[tuple[str, str]]:
    """The daemon's death: with all columns for the newest version, with every second for the others."""
    newest = version == list(installed_versions())[-1]
    return [(DEATH, column) for column in (EACH if newest else EACH[::2])]


async def run(cli: Cli, cells: Iterable[tuple[str, str]]) -> list[Outcome]:
    """Run cells, given by row and column, side by side."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(row: str, column: str) -> None:
        async with limiter:
            cell = ROWS[row], COLUMNS[column]
            outcomes.append(await run_cell(cli, *cell, resume=row in RESUMED, limit=BUSY_LIMIT_S))

    async with anyio.create_task_group() as tasks:
        for row, column in cells:
            tasks.start_soon(one, row, column)
    return outcomes
