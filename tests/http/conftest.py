"""A daemon that serves HTTP with the mock CLI behind it, for all tests of a module; each ends its sessions."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.http.calls import Caller
from tests.support.http_daemon import mock_http
from tests.support.mock_daemon import RecordedCli

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

SCENARIO = Path(__file__).parent / "agent.json"


@asynccontextmanager
async def open_caller(folder: Path, *flags: str) -> AsyncIterator[Caller]:
    """A daemon for a block, with a client of it."""
    cli = RecordedCli(folder, SCENARIO)
    async with mock_http("--working-dir", str(folder), *flags, cli=cli.path, scenario=SCENARIO) as server:
        async with server.client() as client:
            yield Caller(client, cli, server)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As in the other tests, for daemons that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def shared_caller(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Caller]:
    """The daemon, and all that its CLIs are told."""
    async with open_caller(tmp_path_factory.mktemp("http"), "--max-waiting", "1") as caller:
        yield caller


@pytest.fixture
async def hasty_caller(tmp_path: Path) -> AsyncIterator[Caller]:
    """Another daemon, with the shortest of patience: pings at once, and not long for turns and for clients' tools."""
    async with open_caller(tmp_path, "--ping-interval", "0.1", "--tool-result-timeout", "0.2") as caller:
        yield caller


@pytest.fixture
async def caller(shared_caller: Caller) -> AsyncIterator[Caller]:
    """The same, without what this test has left."""
    yield shared_caller
    await shared_caller.end_sessions()
