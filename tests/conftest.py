"""What every test gets: asyncio under anyio, settings and state of its own, and a look that no process is left."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

OWN_TASKS = Path("/proc/self/task")


def pytest_configure() -> None:
    """The mocks' `python3` is the one that runs the tests. A version manager's stand-in for it can take six times the
    CPU of a mock (measured: 0.17 and 0.03 s), at each of many starts."""
    first, _, others = os.environ.get("PATH", os.defpath).partition(os.pathsep)
    own = str(Path(sys.executable).parent)
    if first != own:
        os.environ["PATH"] = os.pathsep.join((own, first, others))


@pytest.fixture
def anyio_backend() -> str:
    """jsonrpcserver works under asyncio only."""
    return "asyncio"


@pytest.fixture(autouse=True)
def own_folders(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the user's settings nor a daemon's state reach a test, and nothing of a test reaches the user's."""
    folder = tmp_path_factory.mktemp("own")
    for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(folder / name.lower()))
    for name in list(os.environ):
        if name.startswith(("AGENT_ADAPTER_", "MOCK_CLAUDE_", "CLAUDE", "ANTHROPIC_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def no_process_left() -> Iterator[None]:
    """A test leaves no child behind."""
    before = {child.pid for child in _descendants()}
    yield
    left = [child for child in _descendants() if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=3)
    assert not alive, f"left running: {[(child.pid, child.name()) for child in alive]}"


def _descendants() -> list[psutil.Process]:
    """All that comes from this process."""
    return [] if _is_childless() else psutil.Process().children(recursive=True)


def _is_childless() -> bool:
    """Whether Linux tells at once that there are no children: so it is after most tests, and a look at all processes
    takes a hundred times as long."""
    if not (OWN_TASKS / str(os.getpid()) / "children").is_file():
        return False
    for task in OWN_TASKS.iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            if (task / "children").read_bytes():
                return False
    return True


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty working folder for a session."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder
