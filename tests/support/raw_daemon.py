"""The daemon with the mock CLI behind it, for a parent that decides itself when to read, and how much.

Owns: the bytes of both pipes. Refuses: to read unless it is asked to. May be imported by: tests.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections import deque
from contextlib import asynccontextmanager
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import anyio
import psutil

from protocol.framing import HeaderFramer, LineFramer
from tests.support.daemon import ROOT, WAIT_S
from tests.support.mock_daemon import MOCK, left_behind, mock_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    from anyio.abc import Process

    from protocol.framing import Frame, Framer

READ_SIZE = 16 * 1024
"""Bytes per read: less than a pipe holds, so that a parent that wants one message takes little more."""

LONGEST = 128 * 1024 * 1024
"""Bytes of the longest message that a test waits for."""

COMMAND = (sys.executable, "-m", "adapter", "--claude-path", str(MOCK))


class RawDaemon:
    """A running daemon. Made by `raw_daemon`; every read has a deadline."""

    def __init__(self, process: Process, output: int) -> None:
        self.process = process
        self._output = output
        self._lines, self._frames = LineFramer(LONGEST), HeaderFramer(LONGEST)
        self._complete: deque[Frame] = deque()
        self.taken = 0
        """Bytes read from the pipe so far."""
        self.heard: list[Any] = []
        """The messages taken with `line`."""
        self.sent: list[Any] = []
        """The requests sent with `request`."""

    async def send(self, data: bytes) -> None:
        """Write bytes."""
        assert self.process.stdin is not None
        await self.process.stdin.send(data)

    async def request(self, id: int, method: str, **params: Any) -> None:
        """Write a request as a line."""
        self.sent.append({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        await self.send(json.dumps(self.sent[-1]).encode() + b"\n")

    async def line(self) -> Any:
        """Read the next message of a parent that frames by lines."""
        self.heard.append(await self._next(self._lines))
        return self.heard[-1]

    async def frame(self) -> Any:
        """Read the next message of a parent that frames with headers."""
        return await self._next(self._frames)

    async def answer(self, id: int) -> Any:
        """Read up to the result of a request."""
        while True:
            message = await self.line()
            if message.get("id") == id and "method" not in message:
                return message["result"]

    def memory(self) -> int:
        """The daemon's resident memory, in bytes."""
        return int(psutil.Process(self.process.pid).memory_info().rss)

    def stop_reading(self) -> None:
        """Close the daemon's output for good. Idempotent."""
        if self._output >= 0:
            os.close(self._output)
            self._output = -1

    async def wait_exit(self) -> int:
        """Wait for the daemon's exit; its exit code."""
        with anyio.fail_after(WAIT_S):
            return await self.process.wait()

    async def _next(self, framer: Framer) -> Any:
        while not self._complete:
            with anyio.fail_after(WAIT_S):
                await anyio.wait_readable(self._output)
            chunk = os.read(self._output, READ_SIZE)
            assert chunk, "the daemon's output has ended"
            self.taken += len(chunk)
            self._complete += framer.feed(chunk)
        frame = self._complete.popleft()
        assert isinstance(frame, bytes), f"no message: {frame}"
        return json.loads(frame)


@asynccontextmanager
async def raw_daemon(
    *flags: str, scenario: str | Path = "default", env: Mapping[str, str] | None = None
) -> AsyncIterator[RawDaemon]:
    """Run the daemon for a block; it ends by the end of stdin, with exit code 0, read or unread."""
    mark = str(uuid.uuid4())
    with TemporaryDirectory() as folder:
        environment = mock_environment(scenario, mark, folder, env) | {"PYTHONPATH": str(ROOT)}
        output, theirs = os.pipe()
        process = await anyio.open_process(
            [*COMMAND, *flags], stdin=subprocess.PIPE, stdout=theirs, stderr=None, env=environment
        )
        os.close(theirs)
        daemon = RawDaemon(process, output)
        try:
            yield daemon
            assert process.stdin is not None
            await process.stdin.aclose()
            assert await daemon.wait_exit() == 0
        finally:
            with anyio.CancelScope(shield=True):
                daemon.stop_reading()
                if process.returncode is None:
                    process.kill()
                await process.aclose()
                left = await left_behind(mark)
    assert not left, f"the daemon left behind: {left}"


def framed(value: Any) -> bytes:
    """A message with headers."""
    body = json.dumps(value).encode()
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
