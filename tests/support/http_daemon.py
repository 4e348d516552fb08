"""A running `agent-adapter http` for tests: where it is, what it takes to get in, and nothing of it left at the end.

Owns how that daemon is started and ended (by SIGTERM, with exit code 0). Tests may import it.
"""

from __future__ import annotations

import signal
import threading
import uuid
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import httpx
import psutil

from tests.support.daemon import run_daemon
from tests.support.mock_daemon import MOCK, left_behind, mock_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from tests.support.daemon import Daemon

TOKEN = "the-token-of-these-tests"
MODEL_S = 40.0
"""For one request, with the start of a CLI in it: on an idle machine 0.1 s with the mock, 1.5 s with the real one."""


@dataclass
class HttpDaemon:
    """The daemon and where it listens."""

    daemon: Daemon
    url: str
    """Base URL, as for Anthropic's clients; `/v1` behind it is OpenAI's."""
    token: str = TOKEN

    def client(self, **headers: str) -> httpx.AsyncClient:
        """A client that shows the token."""
        return httpx.AsyncClient(base_url=self.url, headers={"x-api-key": self.token, **headers}, timeout=MODEL_S)

    async def stop(self) -> None:
        """End it in order."""
        self.daemon.process.send_signal(signal.SIGTERM)
        code = await self.daemon.wait_exit()
        assert code == 0, f"exit code {code}; stderr: {self.daemon.stderr[-3000:]}"


async def wait_guarded(pid: int) -> None:
    """Wait until a daemon has its guardian, which starts beside everything else: in a daemon that several tests share
    it would else be the first one's stray child."""
    process = psutil.Process(pid)
    with anyio.fail_after(MODEL_S):
        while not any("guardian" in " ".join(command) for command in _commands(process)):
            await anyio.to_thread.run_sync(_breathe)


def _commands(process: psutil.Process) -> list[list[str]]:
    found = []
    for child in process.children():
        with suppress(psutil.Error):
            found.append(child.cmdline())
    return found


def _breathe() -> None:
    """The system tells nobody when a process gets a child."""
    threading.Event().wait(0.01)


@asynccontextmanager
async def run_http(*flags: str, env: Mapping[str, str], ends: bool = True) -> AsyncIterator[HttpDaemon]:
    """Run it for a block.

    Args:
        flags: further ones.
        env: its whole environment.
        ends: whether the block leaves it running, to be ended here.
    """
    environment = {"AGENT_ADAPTER_HTTP_TOKEN": TOKEN, **env}
    async with run_daemon("http", "--port", "0", "--accept-risk", *flags, env=environment, ends=False) as daemon:
        url = (await daemon.wait_stderr(r"listening on (\S+)\n"))[1]
        server = HttpDaemon(daemon, url)
        await wait_guarded(daemon.process.pid)
        yield server
        if ends:
            await server.stop()


@asynccontextmanager
async def mock_http(
    *flags: str,
    scenario: str | Path = "default",
    env: Mapping[str, str] | None = None,
    cli: Path = MOCK,
    ends: bool = True,
) -> AsyncIterator[HttpDaemon]:
    """Run it with the mock CLI behind, and see that nothing is left of either. See `mock_daemon`."""
    mark = str(uuid.uuid4())
    try:
        with TemporaryDirectory() as folder:
            environment = mock_environment(scenario, mark, folder, env)
            async with run_http("--claude-path", str(cli), *flags, env=environment, ends=ends) as server:
                yield server
    finally:
        with anyio.CancelScope(shield=True):
            left = await left_behind(mark)
    assert not left, f"the daemon left behind: {left}"
