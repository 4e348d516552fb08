"""What every test gets: asyncio under anyio, settings and state of its own, and a look that no process is left."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
    me = psutil.Process()
    before = {child.pid for child in me.children(recursive=True)}
    yield
    left = [child for child in me.children(recursive=True) if child.pid not in before]
    _, alive = psutil.wait_procs(left, timeout=3)
    assert not alive, f"left running: {[(child.pid, child.name()) for child in alive]}"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty working folder for a session."""
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder
