"""Connections, on real sockets: none is held by a client that says nothing, reads nothing, or is one too many."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest
from uvicorn.config import Config
from uvicorn.server import ServerState

from adapter.faces.http.connections import ConnectionLimits, GuardedProtocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from anyio.abc import SocketStream
    from starlette.types import ASGIApp, Receive, Scope, Send
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

pytestmark = pytest.mark.anyio

GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
WAIT_S = 15.0
PATIENT = ConnectionLimits(max_connections=10, head_timeout=60, stall_timeout=60)


class Answers:
    """An application that answers with so many bytes, and knows when a client has gone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.gone = anyio.Event()
        self.sent = 0
        """Bytes of the latest answer that the connection has taken while there was one."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        cycle: RequestResponseCycle = receive.__self__  # type: ignore[attr-defined]
        headers = [(b"content-length", str(self.size).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        self.sent = 0
        while self.sent < self.size and not cycle.disconnected:
            self.sent += (chunk := min(65536, self.size - self.sent))
            await send({"type": "http.response.body", "body": b"x" * chunk, "more_body": self.sent < self.size})
        while (await receive())["type"] != "http.disconnect":
            pass
        self.gone.set()


class Connections(set[object]):
    """The connections of a server, which can be waited for."""

    changed = anyio.Event()

    def add(self, one: object) -> None:
        super().add(one)
        self._tell()

    def discard(self, one: object) -> None:
        super().discard(one)
        self._tell()

    async def wait(self, count: int) -> None:
        """Wait until there are so many."""
        while len(self) != count:
            await self.changed.wait()

    def _tell(self) -> None:
        self.changed.set()
        self.changed = anyio.Event()


@asynccontextmanager
async def serving(app: ASGIApp, limits: ConnectionLimits) -> AsyncIterator[tuple[int, Connections]]:
    """The application on a port, each connection under limits."""
    config = Config(app, http=GuardedProtocol, log_config=None, access_log=False, lifespan="off", ws="none")
    config.load()
    state = ServerState()
    connections = Connections()
    state.connections = connections  # type: ignore[assignment]
    loop = asyncio.get_running_loop()
    protocol = partial(GuardedProtocol, config=config, server_state=state, app_state={}, limits=limits)
    server = await loop.create_server(protocol, "127.0.0.1", 0)
    try:
        with anyio.fail_after(WAIT_S):
            yield server.sockets[0].getsockname()[1], connections
    finally:
        server.close()
        for connection in list(connections):
            connection.transport.abort()  # type: ignore[attr-defined]


async def read_all(client: SocketStream) -> bytes:
    """Everything up to the end of the connection."""
    read = b""
    try:
        while True:
            read += await client.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return read


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def error_type(answer: bytes) -> str:
    return str(json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"])


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nhost: localhost\r\n"])
async def test_a_head_that_does_not_come_to_its_end_is_answered_and_the_connection_closed(said: bytes) -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=0.1, stall_timeout=60)
    async with serving(Answers(1), limits) as (port, connections), await anyio.connect_tcp("127.0.0.1", port) as client:
        if said:
            await client.send(said)
        answer = await read_all(client)
        assert (status(answer), error_type(answer)) == (408, "timeout_error")
        await connections.wait(0)


async def test_a_second_head_has_its_time_like_the_first() -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=0.1, stall_timeout=60)
    async with serving(Answers(1), limits) as (port, _), await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(GET)
        assert (await client.receive()).startswith(b"HTTP/1.1 200")
        await client.send(b"G")
        assert b"HTTP/1.1 408" in await read_all(client)


async def test_a_request_that_takes_long_is_no_late_head() -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=0.05, stall_timeout=60)
    app = Answers(1)
    hold = anyio.Event()

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await hold.wait()
        await app(scope, receive, send)

    async with serving(slow, limits) as (port, _), await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(GET)
        with anyio.move_on_after(0.2):
            await client.receive()
            raise AssertionError("the connection must wait for its answer")
        hold.set()
        assert (await client.receive()).startswith(b"HTTP/1.1 200")


async def test_one_connection_too_many_is_refused_and_costs_the_others_nothing() -> None:
    limits = ConnectionLimits(max_connections=2, head_timeout=60, stall_timeout=60)
    async with serving(Answers(1), limits) as (port, connections):
        clients = [await anyio.connect_tcp("127.0.0.1", port) for _ in range(3)]
        answer = await read_all(clients[2])
        assert (status(answer), error_type(answer)) == (503, "api_error")
        await connections.wait(2)
        await clients[0].send(GET)
        assert (await clients[0].receive()).startswith(b"HTTP/1.1 200")
        await clients[1].aclose()
        await connections.wait(1)
        async with await anyio.connect_tcp("127.0.0.1", port) as again:
            await again.send(GET)
            assert (await again.receive()).startswith(b"HTTP/1.1 200")
        for client in clients:
            await client.aclose()


async def test_a_client_that_stops_reading_is_cut_off_and_its_answer_is_not_kept() -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=60, stall_timeout=0.3)
    app = Answers(200_000_000)
    async with serving(app, limits) as (port, connections):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.sendall(GET)
            await app.gone.wait()
            assert app.sent < app.size / 2
            await connections.wait(0)


async def test_a_client_that_reads_slowly_but_reads_gets_everything() -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=60, stall_timeout=5)
    app = Answers(3_000_000)
    async with serving(app, limits) as (port, _), await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(GET)
        read = b""
        while len(read.partition(b"\r\n\r\n")[2]) < app.size:
            read += await client.receive(20_000)
        assert app.sent == app.size


async def test_the_last_bytes_of_a_closed_connection_are_not_kept_for_ever() -> None:
    limits = ConnectionLimits(max_connections=10, head_timeout=60, stall_timeout=0.2)
    app = Answers(3_000_000)
    async with serving(app, limits) as (port, connections):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
            await connections.wait(1)
            await connections.wait(0)


@pytest.mark.parametrize("said", [b"\x16\x03\x01\x02\x00\x01\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"G" * 100_000])
async def test_what_is_no_http_is_an_error_like_the_others(said: bytes) -> None:
    async with serving(Answers(1), PATIENT) as (port, _), await anyio.connect_tcp("127.0.0.1", port) as client:
        await client.send(said)
        answer = await read_all(client)
        assert (status(answer), error_type(answer)) == (400, "invalid_request_error")


async def test_requests_one_behind_the_other_are_each_answered() -> None:
    async with serving(Answers(1), PATIENT) as (port, _), await anyio.connect_tcp("127.0.0.1", port) as client:
        for _ in range(3):
            await client.send(GET)
            assert (await client.receive()).startswith(b"HTTP/1.1 200")
