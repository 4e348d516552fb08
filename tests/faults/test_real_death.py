"""What of the fault matrix fits into the tests, with the real CLI: the daemon's death."""

from __future__ import annotations

import pytest

from tests.faults import clis, table
from tests.faults.covering import SLOW_S, death_cells, run
from tests.support.model_server import ModelServer
from tests.support.real_cli import installed_versions

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(SLOW_S)]


@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_is_left_whatever_was_going_on(version: str) -> None:
    with ModelServer() as server:
        outcomes = await run(clis.real(server.url)[version], death_cells(version))
    assert table.failures(outcomes) == ""
