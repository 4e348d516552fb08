"""For tests with clients that nobody here wrote: the real CLI in each installed version, and its model server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import ROOT
from tests.support.model_server import ModelServer
from tests.support.real_cli import cli_environment, installed_versions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSIONS = installed_versions()
NONE = pytest.mark.skip("no real Claude CLI is installed (it takes npm: `make real-cli`)")
PARAMETERS: list[Any] = [*VERSIONS] or [pytest.param("", marks=NONE)]


@dataclass(frozen=True)
class Backstage:
    """What stands behind the daemon that a foreign client starts."""

    version: str
    cli: Path
    home: Path
    server: ModelServer

    @property
    def environment(self) -> dict[str, str]:
        """The daemon's whole environment."""
        own = {f"XDG_{name}_HOME": str(self.home / name.lower()) for name in ("CONFIG", "STATE", "CACHE", "DATA")}
        return {**cli_environment(self.home, self.server.url), **own, "PYTHONPATH": str(ROOT)}


@pytest.fixture(params=PARAMETERS)
def backstage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backstage]:
    """The real CLI of each version, in a home of its own."""
    home = tmp_path / "home"
    home.mkdir()
    with ModelServer() as server:
        yield Backstage(request.param, VERSIONS[request.param], home, server)
