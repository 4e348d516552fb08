"""A running mock CLI for tests: lines in, lines out, never a process left behind.

Owns: starting the mock as a parent would, reading its lines, draining its stderr, and ending it whatever happens.
May be imported by: tests.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

import mock_clis

if TYPE_CHECKING:
    import signal
    from collections.abc import AsyncIterator

    from anyio.abc import Process

EXECUTABLE = Path(mock_clis.__file__).with_name("claude")
FLAGS = (
    "--input-format stream-json --output-format stream-json --verbose --include-partial-messages "
    "--permission-prompt-tool stdio"
).split()
# A whole test of a process that starts in 0.1 s; generous because the machine is shared.
DEADLINE_SECONDS = 20.0
POLL_SECONDS = 0.01
"""There is no event for another process's signal handlers."""
PROMPT = b'{"type":"user","message":{"role":"user","content":"x"}}\n'
Json = dict[str, Any]


class Mock:
    """One running mock: lines in, lines out, every wait under the deadline of the test."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.tail = b""
        self.errors = ""
        self._more = anyio.Event()
        self._drained = False
        self.raw: list[bytes] = []

    async def send(self, *lines: Json) -> None:
        assert self.process.stdin is not None
        await self.process.stdin.send(b"".join(json.dumps(line).encode() + b"\n" for line in lines))

    async def prompt(self, text: str = "hello", **fields: Any) -> None:
        await self.send({"type": "user", "message": {"role": "user", "content": text}, **fields})

    async def control(self, subtype: str, **fields: Any) -> Json:
        await self.send({"type": "control_request", "request_id": subtype, "request": {"subtype": subtype, **fields}})
        return (await self.until("control_response"))[-1]["response"]  # type: ignore[no-any-return]

    async def answer(self, question: Json, **body: Any) -> None:
        response = {"subtype": "success", "request_id": question["request_id"], "response": body}
        await self.send({"type": "control_response", "response": response})

    async def line(self) -> bytes:
        """The next line without its newline; what follows the last newline counts; b"" at the end."""
        assert self.process.stdout is not None
        while b"\n" not in self.tail:
            try:
                self.tail += await self.process.stdout.receive(1 << 20)
            except anyio.EndOfStream:
                rest, self.tail = self.tail, b""
                return rest
        found, _, self.tail = self.tail.partition(b"\n")
        return found

    async def until(self, kind: str) -> list[Json]:
        """Lines up to and with the first of a ``type`` (or ``subtype``); what is not an object is left out."""
        seen: list[Json] = []
        while True:
            raw = await self.line()
            assert raw or self.tail, f"the output ended before {kind}; saw {seen}; stderr {self.errors}"
            try:
                line = json.loads(raw)
            except ValueError:
                self.raw.append(raw)
                continue
            if not isinstance(line, dict):
                continue
            seen.append(line)
            if kind in (line.get("type"), line.get("subtype")):
                return seen

    async def turn(self, text: str = "hello") -> list[Json]:
        await self.prompt(text)
        return await self.until("result")

    async def end(self) -> int:
        assert self.process.stdin is not None
        await self.process.stdin.aclose()
        return await self.process.wait()

    async def handles(self, number: signal.Signals) -> None:
        """Wait until the mock handles a signal itself: while its interpreter starts, the signal would just end it."""
        status = anyio.Path(f"/proc/{self.process.pid}/status")
        while await status.exists():
            caught = next(line for line in (await status.read_text()).splitlines() if line.startswith("SigCgt"))
            if int(caught.split()[1], 16) >> (number - 1) & 1:
                return
            await anyio.sleep(POLL_SECONDS)

    async def drain(self) -> None:
        assert self.process.stderr is not None
        async for chunk in self.process.stderr:
            self.errors += chunk.decode("utf-8", "replace")
            self._more.set()
            self._more = anyio.Event()
        self._drained = True
        self._more.set()

    async def said(self, text: str) -> None:
        """Wait until the mock has said ``text`` on stderr; fails when its stderr ends without it."""
        while text not in self.errors:
            assert not self._drained, f"{text!r} was not said, but: {self.errors}"
            await self._more.wait()


@asynccontextmanager
async def running(
    scenario: str | Path | Json | list[Json], *more: str, tmp_path: Path | None = None, **environment: str
) -> AsyncIterator[Mock]:
    """A mock that plays ``scenario``: a name, a file, or steps and whole scenarios as values (these need tmp_path)."""
    if isinstance(scenario, (dict, list)):
        assert tmp_path is not None
        data = scenario if isinstance(scenario, dict) else {"steps": scenario}
        scenario = tmp_path / "scenario.json"
        scenario.write_text(json.dumps(data))
    command = [sys.executable, str(EXECUTABLE), "--scenario", str(scenario), *FLAGS, *more]
    with anyio.fail_after(DEADLINE_SECONDS):
        async with await anyio.open_process(command, cwd="/", env={**os.environ, **environment}) as process:
            mock = Mock(process)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(mock.drain)
                try:
                    yield mock
                finally:
                    with anyio.CancelScope(shield=True):
                        if process.returncode is None:
                            process.kill()
                        await process.wait()
                    tasks.cancel_scope.cancel()


def text_of(lines: list[Json], kind: str = "text_delta") -> str:
    deltas = [line["event"].get("delta", {}) for line in lines if line["type"] == "stream_event"]
    return "".join(delta[kind.removesuffix("_delta")] for delta in deltas if delta.get("type") == kind)


def kinds(lines: list[Json]) -> list[str]:
    return [line.get("subtype") or line["type"] for line in lines if line["type"] != "stream_event"]
