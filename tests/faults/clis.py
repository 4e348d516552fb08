"""The CLIs that the matrix runs with: the mock, and the real one in every installed version.

Owns what differs between them: how the daemon is pointed at one, and how a session is put to work.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.columns import Column, scenario
from tests.support.daemon import ROOT
from tests.support.real_cli import cli_environment, installed_versions

if TYPE_CHECKING:
    from collections.abc import Mapping

MOCK = "mock"
MCP_SERVER = Path(__file__).with_name("mcp_server.py")


@dataclass(frozen=True)
class Cli:
    """One CLI. `url`: the model server that a real one talks to."""

    name: str
    path: Path
    url: str = ""

    @property
    def is_real(self) -> bool:
        """Whether it is the real one, which ends at SIGTERM, keeps transcripts and can resume."""
        return self.name != MOCK

    def environment(self, home: Path) -> dict[str, str]:
        """The daemon's whole environment, with a home of its own."""
        own = {f"XDG_{kind}_HOME": str(home / kind.lower()) for kind in ("CONFIG", "STATE", "CACHE", "DATA")}
        if self.is_real:
            return cli_environment(home, self.url) | own
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home), "LANG": "C.UTF-8", **own}

    def config(self, column: Column, folder: Path, variables: Mapping[str, str], *, deaf: bool) -> dict[str, Any]:
        """The `config` of a session that is to do what the column says.

        Args:
            column: what it will do.
            folder: where files for it may be put.
            variables: what its environment gets.
            deaf: whether the mock ignores SIGTERM, SIGINT and the interrupt request.
        """
        env = dict(variables)
        config: dict[str, Any] = {"env": env, "allowed_tools": ["Bash"]}
        if not self.is_real:
            file = folder / f"{column.name}{'-deaf' if deaf else ''}.json"
            file.write_text(json.dumps(scenario(column, deaf=deaf)))
            env["MOCK_CLAUDE_SCENARIO"] = str(file)
        elif column.mcp:
            server = {"command": sys.executable, "args": ["-I", "-S", str(MCP_SERVER), column.sleeps[-1]]}
            config["mcp_servers"] = {"faults": server}
        return config


def mock() -> Cli:
    """The mock CLI."""
    return Cli(MOCK, ROOT / "mock_clis" / "claude")


def real(url: str) -> dict[str, Cli]:
    """The installed versions of the real CLI, oldest first."""
    return {version: Cli(version, path, url) for version, path in installed_versions().items()}
