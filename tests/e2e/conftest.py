"""The real CLI for every test here: for each version one daemon and one model server, for all tests of a worker."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support.real_cli import installed_versions
from tests.support.real_session import Stage, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

VERSIONS = installed_versions()
PARAMETERS: list[str | None] = [*VERSIONS] or [None]
HERE = Path(__file__).parent
ENDING_S = 3.0
NONE_INSTALLED = "no real Claude CLI is installed, so nothing here was run (it takes npm: `make real-cli`)"


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where there is no CLI, one skipped test stands for all of them, so that one line says so."""
    ours = [item for item in items if HERE in item.path.parents]
    if not VERSIONS and ours:
        ours[0].add_marker(pytest.mark.skip(NONE_INSTALLED))
        config.hook.pytest_deselected(items=ours[1:])
        items[:] = [item for item in items if item not in ours[1:]]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As in the other tests, for daemons that all tests here share."""
    return "asyncio"


@pytest.fixture(params=PARAMETERS)
def version(request: pytest.FixtureRequest) -> str:
    """Each installed version of the CLI."""
    return str(request.param)


@pytest.fixture(scope="session")
async def stages(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Stage]]:
    """For each version a daemon, the CLI, and the model that the CLI talks to: opened once, because starting a CLI for
    the first time in a home is what a test would spend most of its time on."""
    async with AsyncExitStack() as stack:
        found = {
            version: await stack.enter_async_context(open_stage(version, cli, tmp_path_factory.mktemp("home")))
            for version, cli in VERSIONS.items()
        }
        for stage in found.values():
            await stage.open_shared()
        yield found


@pytest.fixture
def stage(version: str, stages: dict[str, Stage]) -> Stage:
    """The stage of this version."""
    return stages[version]


@pytest.fixture(autouse=True)
def no_marked_process_left(stage: Stage) -> Iterator[None]:
    """Nothing that a session of this test started outlives it, wherever it went."""
    yield
    # The shared session's CLI may just run something for itself.
    _, left = psutil.wait_procs(stage.running(), timeout=ENDING_S)
    assert not left, f"left running: {[(process.pid, process.cmdline()) for process in left]}"
