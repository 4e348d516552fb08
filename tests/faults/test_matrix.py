"""What of the fault matrix fits into the tests: all of it with the mock, a covering part with each real CLI.

Holds SPEC.md's promises about the end. `make faults` runs the rest. Each test runs one row; its columns run side by
side.
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

COVERING = {
    "eof": ("background",),
    "sigterm": ("foreground",),
    "sigint": ("mcp",),
    "sigkill-parent": ("trap",),
    "sigkill-cli": ("setsid",),
    "sigstop-cli": ("streaming",),
    "sigterm-cli": ("foreground",),
    "closed-stdout": ("double-fork",),
    "full-stdout-eof": ("streaming",),
    "full-stdout-stop": ("background",),
    "full-stdout-kill": ("setsid",),
    "stop": ("trap",),
    "idle": ("mcp",),
    "evict": ("background",),
}
"""Each row but the death of the daemon once, over all columns; that row is run with every column."""

RESUMED = ("eof", "sigterm")
"""The rows after which a conversation is resumed here; `make faults` does it after all."""


async def run(cli: Cli, row: str, columns: Iterable[str], *, resume: bool) -> list[Outcome]:
    """Run a row's cells side by side. One that was too late, and nothing else, is run once more by itself: beside other
    tests the two seconds may have been the machine's."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(column: str) -> None:
        async with limiter:
            outcomes.append(await run_cell(cli, ROWS[row], COLUMNS[column], resume=resume))

    async with anyio.create_task_group() as tasks:
        for column in columns:
            tasks.start_soon(one, column)
    return [
        await run_cell(cli, ROWS[row], COLUMNS[each.column], resume=resume) if each.is_late else each
        for each in outcomes
    ]


def wrong(outcomes: list[Outcome]) -> str:
    """What fails a test: anything left, any promise broken. Only how long it took is not for a test beside others to
    judge, within `TIME_S`; `make faults` holds it to two seconds."""
    return table.failures([each for each in outcomes if not (each.is_late and each.seconds and each.seconds < TIME_S)])


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.mark.parametrize("row", ROWS)
async def test_nothing_is_left_and_every_promise_kept_after(row: str) -> None:
    outcomes = await run(clis.mock(), row, [column.name for column in SINGLE], resume=False)
    assert len(outcomes) == len(SINGLE)
    assert wrong(outcomes) == ""


@pytest.mark.parametrize("row", ["eof", "sigkill", "sigkill-cli", "stop"])
async def test_nothing_of_twenty_sessions_is_left_after(row: str) -> None:
    assert wrong(await run(clis.mock(), row, ["twenty"], resume=False)) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_of_the_real_cli_is_left_after_the_death_of_the_daemon(server: ModelServer, version: str) -> None:
    cli = clis.real(server.url)[version]
    assert wrong(await run(cli, "sigkill", [column.name for column in SINGLE], resume=False)) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_of_twenty_real_clis_is_left_after_the_death_of_the_daemon(
    server: ModelServer, version: str
) -> None:
    assert wrong(await run(clis.real(server.url)[version], "sigkill", ["twenty"], resume=False)) == ""


@pytest.mark.real_cli
@pytest.mark.slow
@pytest.mark.parametrize("row", COVERING)
@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_of_the_real_cli_is_left_after(server: ModelServer, version: str, row: str) -> None:
    cli = clis.real(server.url)[version]
    assert wrong(await run(cli, row, COVERING[row], resume=row in RESUMED)) == ""


def test_the_covering_part_has_every_row_and_every_column() -> None:
    assert set(COVERING) | {"sigkill"} == set(ROWS)
    used = {column for columns in COVERING.values() for column in columns}
    assert used | {"idle"} == {column.name for column in SINGLE}
