"""One JSON-RPC link to a daemon that we spawn: what any parent has to write once.

Owns: the process, its three pipes, one JSON message per line, and which answer belongs to which request.
Refuses: to know a single method of agent-adapter; `parent.py` beside this file does. Standard library only: copy it.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections import deque
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

Message = dict[str, Any]

LINE_LIMIT = 64 * 1024 * 1024  # a message may carry a whole file or picture; asyncio's own limit is 64 KiB
WRITE_TIMEOUT_S = 10.0  # a daemon that does not read for so long is stuck
LEAVE_TIMEOUT_S = 20.0  # the daemon ends its sessions first, and a CLI may take some seconds to go
TERMINATE_TIMEOUT_S = 5.0  # after SIGTERM; then SIGKILL
KILL_TIMEOUT_S = 2.0  # the kernel needs milliseconds; what still holds the pipes after that is not waited for
DRAIN_TIMEOUT_S = 1.0  # for what is still in the pipes; not longer, in case a stray process holds them open
LOG_TAIL_LINES = 20  # of the daemon's stderr, for error messages


class RpcError(Exception):
    """The daemon answered a request with an error. `code`, `message`, `data` are the wire's."""

    def __init__(self, method: str, error: Message) -> None:
        self.code: int = error.get("code", 0)
        self.message: str = error.get("message", "")
        data = error.get("data")
        self.data: Message = data if isinstance(data, dict) else {}
        super().__init__(f"{method}: {self.message} ({self.data.get('kind', self.code)})")


class LinkError(Exception):
    """The link itself failed: the daemon did not start, ended, or did not answer in time."""


class Parent(Protocol):
    """What a link tells the parent about. None of these may block."""

    def traffic(self, direction: str, message: Message) -> None:
        """One message went out (`>`) or came in (`<`)."""

    def notification(self, method: str, params: Message) -> None:
        """The daemon tells something."""

    async def request(self, method: str, params: Message) -> Message:
        """The daemon asks something; return the result. Cancelled when the daemon takes the question back."""


class Link:
    """A running daemon. Make one with `open_link`."""

    def __init__(self, process: asyncio.subprocess.Process, parent: Parent, tasks: asyncio.TaskGroup) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        self.process = process
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr
        self._parent = parent
        self._tasks = tasks
        self._ids = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Message]] = {}  # our requests, by id
        self._answering: dict[str | int, asyncio.Task[None]] = {}  # the daemon's requests, by id
        self._writing = asyncio.Lock()
        self.log_tail: deque[str] = deque(maxlen=LOG_TAIL_LINES)
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()  # done at the end of output

    async def request(self, method: str, params: Message | None = None, *, timeout_s: float) -> Message:
        """Send a request and wait for its result, `timeout_s` seconds at most. Raises RpcError and LinkError."""
        if self.gone.done():
            raise LinkError(f"{method}: the daemon is gone")
        number = next(self._ids)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        try:
            await self._send({"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}})
            message = await self.wait_for(answer, method, timeout_s=timeout_s)
        finally:
            del self._waiting[number]
        if "error" in message:
            raise RpcError(method, message["error"])
        result = message.get("result")
        return result if isinstance(result, dict) else {}

    async def wait_for(self, event: asyncio.Future[Message], what: str, *, timeout_s: float) -> Message:
        """Wait for what the daemon's output is to bring. Raises LinkError when it does not, or cannot any more."""
        either: tuple[asyncio.Future[Any], ...] = (event, self.gone)
        await asyncio.wait(either, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        if event.done():
            return event.result()
        raise LinkError(f"{what}: " + ("the daemon is gone" if self.gone.done() else f"nothing within {timeout_s:g} s"))

    async def close(self) -> int | None:
        """End of input is the daemon's sign to leave; one that does not is ended. Returns its exit code."""
        self._stdin.close()
        steps = (
            (None, LEAVE_TIMEOUT_S),
            (self.process.terminate, TERMINATE_TIMEOUT_S),
            (self.process.kill, KILL_TIMEOUT_S),
        )
        for end, patience_s in steps:
            if end and self.process.returncode is None:
                end()
            with suppress(TimeoutError):
                return await asyncio.wait_for(self.process.wait(), patience_s)
        return self.process.returncode

    # ---- what runs beside: nothing in here waits for the parent's answer, or one slow question would hold up the rest

    async def read_messages(self) -> None:
        try:
            while line := await self._stdout.readline():
                self._receive(line)
        except ValueError as error:  # asyncio's word for a line beyond LINE_LIMIT
            self.log_tail.append(f"unreadable: {error}")
        finally:
            self.gone.set_result(None)
            for task in self._answering.values():
                task.cancel()

    async def read_log(self) -> None:
        with suppress(ValueError):  # a line beyond LINE_LIMIT
            async for line in self._stderr:
                self.log_tail.append(line.decode("utf-8", "replace").rstrip())

    def _receive(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            self._parent.traffic("<", {"not a message": line[:200].decode("utf-8", "replace")})
            return
        self._parent.traffic("<", message)
        method, number, params = message.get("method"), message.get("id"), message.get("params") or {}
        if method is None:
            answer = self._waiting.get(number) if isinstance(number, int) else None
            if answer and not answer.done():
                answer.set_result(message)
        elif number is not None:
            self._answering[number] = self._tasks.create_task(self._answer(number, method, params))
        elif method == "cancel_request":
            if task := self._answering.get(params.get("id", "")):
                task.cancel()
        else:
            self._parent.notification(method, params)

    async def _answer(self, number: str | int, method: str, params: Message) -> None:
        try:
            result = {"result": await self._parent.request(method, params)}
        except NotImplementedError:
            result = {"error": {"code": -32601, "message": f"Method not found: {method}"}}
        finally:
            del self._answering[number]
        try:
            await self._send({"jsonrpc": "2.0", "id": number, **result})
        except LinkError as error:
            self.log_tail.append(str(error))

    async def _send(self, message: Message) -> None:
        line = json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
        self._parent.traffic(">", message)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S), self._writing:
                self._stdin.write(line)
                await self._stdin.drain()
        except TimeoutError:
            raise LinkError("the daemon does not read its input") from None
        except (BrokenPipeError, ConnectionResetError):
            raise LinkError("the daemon closed its input") from None


@asynccontextmanager
async def open_link(command: Sequence[str], environment: dict[str, str], parent: Parent) -> AsyncIterator[Link]:
    """Spawn the daemon, and see it out at the end, however the block ends. Raises LinkError if it cannot be started."""
    pipe = asyncio.subprocess.PIPE
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=pipe, stdout=pipe, stderr=pipe, env=environment, limit=LINE_LIMIT
        )
    except OSError as error:
        raise LinkError(f"cannot start {command[0]}: {error.strerror}") from error
    try:
        async with asyncio.TaskGroup() as tasks:
            link = Link(process, parent, tasks)
            beside = [tasks.create_task(link.read_messages()), tasks.create_task(link.read_log())]
            try:
                yield link
            finally:
                await link.close()
                await asyncio.wait(beside, timeout=DRAIN_TIMEOUT_S)
                for task in beside:
                    task.cancel()
    except BaseExceptionGroup as group:
        raise group.exceptions[0] from None  # the caller's own error, out of the wrapping that the task group gave it
