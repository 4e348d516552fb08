"""What of the fault matrix fits into the tests, with the real CLI: every fault but the daemon's death."""

from __future__ import annotations

import pytest

from tests.faults import clis, table
from tests.faults.covering import SLOW_S, real_cells, run
from tests.support.model_server import ModelServer
from tests.support.real_cli import installed_versions

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.slow, pytest.mark.timeout(SLOW_S)]


@pytest.mark.parametrize("version", installed_versions())
async def test_nothing_is_left_and_every_promise_kept_after_each_fault(version: str) -> None:
    with ModelServer() as server:
        outcomes = await run(clis.real(server.url)[version], real_cells(version))
    assert table.failures(outcomes) == ""
