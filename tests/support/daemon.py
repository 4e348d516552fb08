"""A parent for tests: spawns the real daemon, speaks the contract with it, and keeps everything that it said.

Every wait has a deadline. Leaving the block ends the daemon by its own way, the end of stdin, and expects exit code 0.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio

if TYPE_CHECKING:
    from anyio.abc import Process, TaskGroup

ROOT = Path(__file__).resolve().parents[2]
WAIT_S = 20.0
"""Longer than anything here takes on a busy machine; a test that needs longer says so."""

Json = dict[str, Any]
Answer = Callable[[Json], Awaitable[Any]]


class RpcError(Exception):
    """The daemon answered with an error."""

    def __init__(self, error: Json) -> None:
        super().__init__(f"{error['code']}: {error['message']}")
        self.code: int = error["code"]
        self.data: Json = error.get("data") or {}
        self.message: str = error["message"]


class Daemon:
    """A running daemon and what it said. Made by `run_daemon`."""

    def __init__(self, process: Process, tasks: TaskGroup) -> None:
        self.process = process
        self.messages: list[Json] = []
        """Everything the daemon sent, in order; the answers of a batch one by one."""
        self.batches: list[list[Json]] = []
        """The batches among it, as they came."""
        self.questions: list[Json] = []
        """Its `request_permission` requests."""
        self.stderr = ""
        self.answer: Answer | None = None
        """Answers permission requests; None leaves them open."""
        self.asked: list[Json] = []
        """Its other requests: `call_tool`, `run_hook`."""
        self.answers: dict[str, Answer] = {}
        """Answers those, by method; one that is not here is left open."""
        self._tasks = tasks
        self._changed = anyio.Event()
        self._next_id = 0
        self._over = anyio.Event()

    async def send_raw(self, data: bytes) -> None:
        """Write bytes as they are."""
        assert self.process.stdin is not None
        await self.process.stdin.send(data)

    async def send(self, value: Any) -> None:
        """Write one message."""
        await self.send_raw(json.dumps(value).encode() + b"\n")

    async def request(self, method: str, *, within: float = WAIT_S, **params: Any) -> Any:
        """Send a request and wait for its result.

        Raises:
            RpcError: it was answered with an error.
        """
        response = await self.wait_response(await self.post(method, **params), within=within)
        if "error" in response:
            raise RpcError(response["error"])
        return response["result"]

    async def post(self, method: str, **params: Any) -> str:
        """Send a request without waiting; its id."""
        self._next_id += 1
        id = f"t{self._next_id}"
        await self.send({"jsonrpc": "2.0", "id": id, "method": method, "params": params})
        return id

    async def wait_response(self, id: Any, *, within: float = WAIT_S) -> Json:
        """Wait for the answer to a request."""
        return await self.wait_for(lambda m: "method" not in m and m.get("id") == id, within=within)

    async def wait_for(self, wanted: Callable[[Json], bool], *, after: int = 0, within: float = WAIT_S) -> Json:
        """Wait for a message; the first that fits, looking from index `after`.

        Raises:
            TimeoutError: none came, with the latest messages in its text.
        """
        with anyio.move_on_after(within):
            at = after
            while True:
                while at < len(self.messages):
                    if wanted(self.messages[at]):
                        return self.messages[at]
                    at += 1
                if self._over.is_set():
                    break
                await self._changed.wait()
        latest = "\n".join(json.dumps(message)[:300] for message in self.messages[-12:])
        raise TimeoutError(
            f"nothing that fits came within {within} s; latest:\n{latest}\nstderr: {self.stderr[-2000:]}"
        )

    async def wait_event(self, type: str, *, within: float = WAIT_S, after: int = 0, **fields: Any) -> Json:
        """Wait for an event of a type, with these fields in the event or beside it; its params."""

        def fits(message: Json) -> bool:
            if message.get("method") != "event" or message["params"]["event"]["type"] != type:
                return False
            seen = {**message["params"], **message["params"]["event"]}
            return all(seen.get(name) == value for name, value in fields.items())

        return (await self.wait_for(fits, within=within, after=after))["params"]  # type: ignore[no-any-return]

    async def wait_question(self, *, after: int = 0, within: float = WAIT_S) -> Json:
        """Wait for the permission request number `after`; the whole request."""
        with anyio.fail_after(within):
            while len(self.questions) <= after:
                await self._changed.wait()
        return self.questions[after]

    async def wait_stderr(self, pattern: str, *, within: float = WAIT_S) -> re.Match[str]:
        """Wait until stderr has something that fits a pattern.

        Raises:
            TimeoutError: it has not, or the daemon has ended without.
        """
        with anyio.move_on_after(within):
            while (found := re.search(pattern, self.stderr)) is None and not self._over.is_set():
                await self._changed.wait()
            if found is not None:
                return found
        raise TimeoutError(f"stderr has nothing like {pattern!r}, but: {self.stderr[-2000:]}")

    async def reply(self, id: Any, result: Any) -> None:
        """Answer one of the daemon's requests."""
        await self.send({"jsonrpc": "2.0", "id": id, "result": result})

    async def start_session(self, working_dir: Path | str, **params: Any) -> str:
        """Start a session; its id."""
        config = {"working_dir": str(working_dir), **params.pop("config", {})}
        return (await self.request("start_session", config=config, **params))["session_id"]  # type: ignore[no-any-return]

    async def turn(self, session_id: str, message: Any, *, within: float = WAIT_S) -> Json:
        """Send a message and wait for the end of its turn; the `turn_completed`."""
        turn_id = (await self.request("send_message", session_id=session_id, message=message))["turn_id"]
        return (await self.wait_event("turn_completed", turn_id=turn_id, within=within))["event"]  # type: ignore[no-any-return]

    def events(self, session_id: str | None = None, turn_id: str | None = None) -> list[Json]:
        """The params of the events so far."""
        params = [message["params"] for message in self.messages if message.get("method") == "event"]
        return [
            each
            for each in params
            if (session_id is None or each["session_id"] == session_id)
            and (turn_id is None or each["turn_id"] == turn_id)
        ]

    def text(self, turn_id: str) -> str:
        """The main agent's deltas of a turn, joined."""
        deltas = [each["event"] for each in self.events(turn_id=turn_id) if each["event"]["type"] == "text_delta"]
        return "".join(event["text"] for event in deltas if event["parent_tool_call_id"] is None)

    async def close_stdin(self) -> None:
        """Tell the daemon that the parent is done."""
        assert self.process.stdin is not None
        await self.process.stdin.aclose()

    async def wait_exit(self, *, within: float = WAIT_S) -> int:
        """Wait for the daemon's exit and the end of its output; its exit code."""
        with anyio.fail_after(within):
            code = await self.process.wait()
            await self._over.wait()
        return code

    async def _read(self) -> None:
        assert self.process.stdout is not None
        rest = b""
        async for chunk in self.process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                message = json.loads(line)
                if isinstance(message, list):
                    self.batches.append(message)
                for each in message if isinstance(message, list) else [message]:
                    self._take(each)
        assert rest == b"", f"the daemon's output ends in the middle of a message: {rest[:200]!r}"
        self._over.set()
        self._changed.set()

    def _take(self, message: Any) -> None:
        self.messages.append(message)
        if isinstance(message, dict) and message.get("method") == "request_permission":
            self.questions.append(message)
            if self.answer is not None:
                self._tasks.start_soon(self._answer, self.answer, message)
        elif isinstance(message, dict) and message.get("method") in ("call_tool", "run_hook"):
            self.asked.append(message)
            if (answer := self.answers.get(message["method"])) is not None:
                self._tasks.start_soon(self._answer, answer, message)
        self._notify()

    def _notify(self) -> None:
        self._changed.set()
        self._changed = anyio.Event()

    async def _answer(self, answer: Answer, question: Json) -> None:
        await self.reply(question["id"], await answer(question["params"]))

    async def _read_stderr(self) -> None:
        assert self.process.stderr is not None
        async for chunk in self.process.stderr:
            self.stderr += chunk.decode("utf-8", "replace")
            self._notify()


@asynccontextmanager
async def run_daemon(
    *arguments: str, env: Mapping[str, str] | None = None, command: Sequence[str] = (), ends: bool = True
) -> AsyncIterator[Daemon]:
    """Run the daemon for a block.

    Args:
        arguments: its flags.
        env: its whole environment; None for ours.
        command: what to run instead of `python -m adapter`.
        ends: whether the block leaves it running, to be ended here by the end of stdin, with exit code 0.
    """
    process = await anyio.open_process(
        [*(command or (sys.executable, "-m", "adapter")), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=dict(os.environ if env is None else env) | {"PYTHONPATH": str(ROOT)},
    )
    async with anyio.create_task_group() as tasks:
        daemon = Daemon(process, tasks)
        tasks.start_soon(daemon._read)
        tasks.start_soon(daemon._read_stderr)
        try:
            yield daemon
            if ends:
                await daemon.close_stdin()
                code = await daemon.wait_exit()
                assert code == 0, f"exit code {code}; stderr: {daemon.stderr[-3000:]}"
        finally:
            with anyio.CancelScope(shield=True):
                if process.returncode is None:
                    process.kill()
                await process.wait()
                tasks.cancel_scope.cancel()
                await process.aclose()
