"""One child process with pipes, or with a terminal for its output: spawn, chunks of its output, serialised writes, a
bounded tail of its stderr, its exit.

The end of output and the exit are two events: a grandchild can hold the pipe after the CLI has gone, and a CLI can
close its output and live on. How to end a child is not decided here but in `containment.py`. Imported by
providers; by others for how a process ended.
"""

from __future__ import annotations

import asyncio
import os
import signal as signals
import subprocess
import sys
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from adapter.process.identity import MARK_VARIABLE, ProcessId, identify
from adapter.process.terminal import Terminal
from protocol.errors import AdapterError, ErrorKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from anyio.abc import ByteReceiveStream, Process, TaskGroup

CHUNK = 256 * 1024
"""Bytes per read: four times a Linux pipe's default capacity, so one read takes all there is."""

STDERR_TAIL = 256 * 1024
"""Bytes of stderr that are kept. A crash report fits; a child that floods its stderr costs no more."""

OUTPUT_AFTER_EXIT_S = 1.0
"""How long silence is waited out for the end of output once the process has gone: what it wrote is in the pipe
already, and whoever still holds the pipe is not the CLI."""

EXIT_AFTER_OUTPUT_S = 2.0
"""How long to wait for the exit after the end of output (claude 2.1.x: under 0.1 s)."""

WRITE_S = 30.0
"""How long a write may wait for a child that does not read its stdin. claude 2.1.x reads at once, also in a turn."""


def watch_without_threads() -> None:
    """Have exits told by the kernel (pidfd) where asyncio would keep a waiting thread for each child.

    Python 3.12 does so by itself. Call once in the running loop, before the first child.
    """
    if sys.version_info < (3, 12) and hasattr(os, "pidfd_open"):
        watcher = asyncio.PidfdChildWatcher()
        watcher.attach_loop(asyncio.get_running_loop())
        asyncio.get_event_loop_policy().set_child_watcher(watcher)


@dataclass(frozen=True, slots=True)
class Exit:
    """How a process ended: with a code, or by a signal (`SIGKILL`); both None where that could not be learnt."""

    code: int | None
    signal: str | None


class Child:
    """A running child and its pipes. Made by `spawn`."""

    def __init__(self, process: Process, mark: str, output: ByteReceiveStream | Terminal) -> None:
        self._process = process
        self._output = output
        self._write_lock = anyio.Lock()
        self._read_scope: anyio.CancelScope | None = None
        self._stderr = StderrTail(STDERR_TAIL)
        self._stderr_done = anyio.Event()
        self.mark = mark
        self.exited = anyio.Event()
        """Set when the exit status is known, whatever still holds the pipes."""
        self.identity = identify(process.pid) or ProcessId(process.pid, 0.0)

    @classmethod
    async def spawn(
        cls,
        command: Sequence[str],
        *,
        env: dict[str, str],
        cwd: str | Path,
        mark: str,
        tasks: TaskGroup,
        on_terminal: bool = False,
    ) -> Child:
        """Start a process in its own session and process group, with three pipes.

        Args:
            command: program and arguments.
            env: its whole environment; the mark is added.
            cwd: its working folder.
            mark: by which it and its descendants are recognised (see `identity.py`).
            tasks: where its stderr is drained and its exit is awaited.
            on_terminal: give it a terminal for its output in the place of a pipe (see `terminal.py`).

        Raises:
            AdapterError: `not_found` or `spawn_failed`.
        """
        terminal: Terminal | None = None
        try:
            terminal = Terminal() if on_terminal else None
            process = await anyio.open_process(
                terminal.command(command) if terminal else command,
                stdin=subprocess.PIPE,
                stdout=terminal.child_end if terminal else subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=cwd,
                env={**env, MARK_VARIABLE: mark},
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            if terminal is not None:
                terminal.close()
            raise _spawn_error(error, command[0], cwd) from error
        if terminal is not None:
            terminal.release()
        output = terminal or process.stdout
        assert output is not None
        child = cls(process, mark, output)
        tasks.start_soon(child._drain_stderr)
        tasks.start_soon(child._await_exit)
        return child

    @property
    def pid(self) -> int:
        """The process id, also after the exit."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit status as Python tells it (negative: a signal), None while it runs."""
        return self._process.returncode

    @property
    def exit(self) -> Exit:
        """How it ended; both None while it runs."""
        status = self._process.returncode
        if status is None:
            return Exit(None, None)
        return Exit(None, _signal_name(-status)) if status < 0 else Exit(status, None)

    @property
    def stderr_tail(self) -> str:
        """The end of what it wrote to stderr."""
        return self._stderr.text()

    async def receive(self) -> bytes:
        """What the output holds, waiting for something; empty at the end of output."""
        with anyio.CancelScope() as self._read_scope:
            if self.exited.is_set():
                self._read_scope.deadline = anyio.current_time() + OUTPUT_AFTER_EXIT_S
            try:
                return await self._output.receive(CHUNK)
            except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return b""
        return b""

    async def send(self, data: bytes) -> None:
        """Write to its stdin; writes of several tasks never mix.

        Raises:
            AdapterError: `process_exited` where it no longer reads.
        """
        assert self._process.stdin is not None
        try:
            with anyio.fail_after(WRITE_S):
                async with self._write_lock:
                    await self._process.stdin.send(data)
        except TimeoutError as error:
            raise self._gone("does not read its input") from error
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise self._gone("is gone") from error

    async def close_stdin(self) -> None:
        """Tell it that nothing more will come. Idempotent."""
        assert self._process.stdin is not None
        with anyio.CancelScope(shield=True), anyio.move_on_after(EXIT_AFTER_OUTPUT_S):
            try:
                await self._process.stdin.aclose()
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                return

    async def wait_exit(self) -> int:
        """Wait for the exit; the status as Python tells it."""
        return await self._process.wait()

    async def finish(self) -> Exit:
        """After the end of output: wait for the exit and for what is left of stderr, both within bounds; close the
        pipes."""
        with anyio.move_on_after(EXIT_AFTER_OUTPUT_S):
            await self.exited.wait()
            await self._stderr_done.wait()
        await self._close_pipes()
        return self.exit

    async def _close_pipes(self) -> None:
        with anyio.CancelScope(shield=True):
            await self.close_stdin()
            assert self._process.stderr is not None
            await self._output.aclose()
            await self._process.stderr.aclose()

    async def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        try:
            while True:
                self._stderr.add(await self._process.stderr.receive(CHUNK))
        except (OSError, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            self._stderr_done.set()

    async def _await_exit(self) -> None:
        await self._process.wait()
        self.exited.set()
        if self._read_scope is not None:
            self._read_scope.deadline = min(self._read_scope.deadline, anyio.current_time() + OUTPUT_AFTER_EXIT_S)

    def _gone(self, how: str) -> AdapterError:
        return AdapterError(
            ErrorKind.PROCESS_EXITED,
            f"The CLI process (PID {self.pid}) {how}.",
            stderr_tail=last_lines(self.stderr_tail),
        )


class StderrTail:
    """The last bytes of a stream.

    Args:
        limit: how many bytes are kept.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: deque[bytes] = deque()
        self._size = 0

    def add(self, part: bytes) -> None:
        """Take in what came, and let go of what is too old."""
        self._parts.append(part[-self._limit :])
        self._size += len(self._parts[-1])
        while self._size - len(self._parts[0]) >= self._limit:
            self._size -= len(self._parts.popleft())

    def text(self) -> str:
        """What is kept, as text."""
        return b"".join(self._parts)[-self._limit :].decode("utf-8", "replace")


MESSAGE_TAIL = 2000
"""Characters of stderr that go into one error message: enough for the reason, short enough to read."""


def last_lines(text: str) -> str | None:
    """The end of a stderr text, for an error message; None where there is none."""
    text = text.strip()
    return text[-MESSAGE_TAIL:] or None


def _signal_name(number: int) -> str:
    try:
        return signals.Signals(number).name
    except ValueError:
        return f"SIG{number}"


def _spawn_error(error: Exception, program: str, cwd: str | Path) -> AdapterError:
    if isinstance(error, FileNotFoundError) and str(error.filename) == str(cwd):
        return AdapterError(ErrorKind.SPAWN_FAILED, f"{cwd}: no such folder", hint="The working folder is gone.")
    if isinstance(error, FileNotFoundError) and os.path.exists(program):
        text, hint = "the interpreter that its first line names is not there", "Reinstall it, or that interpreter."
        return AdapterError(ErrorKind.SPAWN_FAILED, f"{program}: {text}", hint=hint)
    if isinstance(error, FileNotFoundError):
        return AdapterError(ErrorKind.NOT_FOUND, f"{program}: no such program", hint="Check the configured path.")
    why = error.strerror if isinstance(error, OSError) else str(error)
    return AdapterError(ErrorKind.SPAWN_FAILED, f"{program}: {why}", hint=_spawn_hint(error))


def _spawn_hint(error: Exception) -> str | None:
    if isinstance(error, PermissionError):
        return "The file is not executable, or its folder may not be entered: chmod +x it."
    if isinstance(error, OSError) and error.errno == 8:
        return f"It is no program for this machine ({os.uname().machine}), nor a script whose first line is `#!…`."
    return None
