"""What of the fault matrix fits into the tests: a covering part with the mock and with each real CLI.

Holds SPEC.md's promises about the end. `make faults` runs the rest. The cells of one test run side by side.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio
import pytest

from tests.faults import clis, table
from tests.faults.cell import run_cell
from tests.faults.columns import COLUMNS, SINGLE
from tests.faults.rows import ROWS
from tests.support.model_server import ModelServer
from tests.support.real_cli import installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.cell import Outcome
    from tests.faults.clis import Cli

pytestmark = pytest.mark.anyio

AT_ONCE = 3
"""Cells side by side: one more than the cores of the smallest machine, for most of a cell is waiting."""

TIME_S = 8.0
"""Seconds until nothing may be left, in a test: several times what was seen with four tests for each core."""

SLOW_S = 240
"""Seconds for a test with the real CLI: 10 to 30 on a quiet machine with two cores."""

COVERING = {
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
"""Each row but the death of the daemon once, over all columns; that row is run with every column."""

RESUMED = ("eof", "sigterm")
"""The rows after which a conversation is resumed here; `make faults` does it after all."""

EACH = [column.name for column in SINGLE]


MOCK_COLUMNS = 3
"""Columns that each row is run with on the mock. All of them are 135 cells, over a minute of two cores."""


def columns_for(row: str) -> list[str]:
    """Some columns for a row, others for the next, so that all are run equally often; all for the daemon's death."""
    first = list(ROWS).index(row) * MOCK_COLUMNS
    return EACH if row == "sigkill" else [EACH[(first + at) % len(EACH)] for at in range(MOCK_COLUMNS)]


async def run(cli: Cli, cells: Iterable[tuple[str, str]]) -> list[Outcome]:
    """Run cells, given by row and column, side by side. One that was too late, and nothing else, is run once more by
    itself: beside other tests the two seconds may have been the machine's."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(row: str, column: str) -> Outcome:
        return await run_cell(cli, ROWS[row], COLUMNS[column], resume=row in RESUMED)

    async def one_of_many(row: str, column: str) -> None:
        async with limiter:
            outcomes.append(await one(row, column))

    async with anyio.create_task_group() as tasks:
        for row, column in cells:
            tasks.start_soon(one_of_many, row, column)
    return [await one(each.row, each.column) if each.is_late else each for each in outcomes]


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.mark.parametrize("row", ROWS)
async def test_nothing_is_left_and_every_promise_kept_after(row: str) -> None:
    columns = columns_for(row)
    outcomes = await run(clis.mock(), [(row, column) for column in columns])
    assert len(outcomes) == len(columns)
    assert table.failures(outcomes) == ""


@pytest.mark.parametrize("row", ["eof", "sigkill"])
async def test_nothing_of_twenty_sessions_is_left_after(row: str) -> None:
    assert table.failures(await run(clis.mock(), [(row, "twenty")])) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_of_the_real_cli_is_left_after_the_death_of_the_daemon(server: ModelServer, version: str) -> None:
    outcomes = await run(clis.real(server.url)[version], [("sigkill", column) for column in EACH])
    assert table.failures(outcomes) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("version", list(installed_versions())[-1:])
async def test_nothing_of_twenty_real_clis_is_left_after_the_death_of_the_daemon(
    server: ModelServer, version: str
) -> None:
    assert table.failures(await run(clis.real(server.url)[version], [("sigkill", "twenty")])) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.timeout(SLOW_S)
@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_of_the_real_cli_is_left_and_every_promise_kept_after_each_fault(
    server: ModelServer, version: str
) -> None:
    outcomes = await run(clis.real(server.url)[version], COVERING.items())
    assert len(outcomes) == len(COVERING)
    assert table.failures(outcomes) == ""


def test_the_covering_part_has_every_row_and_every_column() -> None:
    assert set(COVERING) | {"sigkill"} == set(ROWS)
    assert set(COVERING.values()) | {"idle"} == set(EACH)
    assert {column for row in ROWS if row != "sigkill" for column in columns_for(row)} == set(EACH)
