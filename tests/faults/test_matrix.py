"""What of the fault matrix fits into the tests, with the mock CLI. Holds SPEC.md's promises about the end.

The real CLI's part is in modules of its own, so that they can be run side by side.
"""

from __future__ import annotations

import pytest

from tests.faults import clis, table
from tests.faults.covering import DEATH, EACH, REAL, mock_columns, run
from tests.faults.rows import ROWS

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("row", ROWS)
async def test_nothing_is_left_and_every_promise_kept_after(row: str) -> None:
    columns = mock_columns(row)
    outcomes = await run(clis.mock(), [(row, column) for column in columns])
    assert len(outcomes) == len(columns)
    assert table.failures(outcomes) == ""


@pytest.mark.parametrize("row", ["eof", DEATH])
async def test_nothing_of_twenty_sessions_is_left_after(row: str) -> None:
    assert table.failures(await run(clis.mock(), [(row, "twenty")])) == ""


def test_the_part_that_is_run_has_every_row_and_every_column() -> None:
    assert {*REAL, DEATH} == set(ROWS)
    assert {*REAL.values(), "idle"} == set(EACH)
    assert {column for row in ROWS if row != DEATH for column in mock_columns(row)} == set(EACH)
