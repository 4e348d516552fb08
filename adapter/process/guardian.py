"""The daemon's side of the guardian: a small process that cleans up when the daemon itself dies.

Owns: starting the guardian, telling it which CLIs live, starting it again when it dies first, saying goodbye.
Refuses: to wait for the guardian in `watch` and `unwatch`, and to fail the daemon because there is no guardian: that
is a warning. What the guardian then does is in `guardian_script.py`. Imported by `host`.

Why a process and a pipe: the kernel closes the pipe whatever kills the daemon, on every POSIX system, and the guardian
can do what a signal cannot: let the CLI end its tools (SIGINT), then find by the mark what escaped. Linux's
parent-death signal is not used. It fires when the *thread* that spawned the child ends, not the process; it has to be
set between fork and exec, which takes `preexec_fn` (Python code in a forked copy of a threaded process, and the slow
fork instead of vfork) or a wrapper program that is not everywhere; it reaches the CLI but never its tools; and with it
claude 2.1.329 takes 3.5 s where the guardian needs little over one.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio

from adapter.process.scratch import folder_of

if TYPE_CHECKING:
    from anyio.abc import Process, TaskGroup

    from adapter.process.identity import ProcessId

_SCRIPT: Final = Path(__file__).with_name("guardian_script.py")

_ENVIRONMENT: Final = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
"""All that the guardian keeps of our environment: what an interpreter may need to start. Above all no mark: ours,
when a session of another daemon started us, would have that one kill our guardian along with us."""

START_S: Final = 5.0
"""Seconds for the spawn, which is 2 to 10 ms of fork and exec; more means a machine on its knees."""

CLOSE_S: Final = 2.0
"""Seconds from `bye` to the guardian's exit, 0.1 s as a rule: it imports its tools and looks twice."""

RESTARTS: Final = 5
"""Guardians in a row that may die young before we stop trying: something kills them on purpose or they cannot start."""

RESTART_PAUSE_S: Final = 0.1
"""Seconds before the first new start, doubled for each further one."""

SETTLED_S: Final = 60.0
"""Seconds of life after which a guardian's death no longer counts as young."""

_log = logging.getLogger(__name__)


class Guardian:
    """Cleans up by `daemon_id`, the first part of every mark, and the scratch folder, when this process dies without
    `close`."""

    def __init__(self, daemon_id: str, *, python: str = sys.executable) -> None:
        self._daemon_id = daemon_id
        self._python = python
        self._watched: dict[ProcessId, None] = {}
        self._process: Process | None = None
        self._pipe: int | None = None
        self._supervision: anyio.CancelScope | None = None
        self._unsupervised = anyio.Event()
        self._closing = False

    @property
    def pid(self) -> int | None:
        """The guardian's PID, or None while there is none."""
        return None if self._process is None or self._process.returncode is not None else self._process.pid

    async def start(self, task_group: TaskGroup) -> None:
        """Start the guardian and, in the task group, the task that starts it again. Never raises for a failure."""
        await self._spawn()
        self._supervision = anyio.CancelScope()
        task_group.start_soon(self._supervise, self._supervision, name="guardian")

    def watch(self, process: ProcessId) -> None:
        """Name a CLI, which gets SIGINT before the sweep if the daemon dies. Call it right after the spawn; until
        then, and without it, the CLI is swept by its mark."""
        self._watched[process] = None
        self._tell(f"+ {process.pid} {process.started!r}")

    def unwatch(self, process: ProcessId) -> None:
        """Take a CLI back, once its exit was seen."""
        if process in self._watched:
            del self._watched[process]
            self._tell(f"- {process.pid} {process.started!r}")

    async def close(self) -> None:
        """Say goodbye and see the guardian off, after its last look for leftovers. Shielded; may be called again."""
        self._closing = True
        with anyio.CancelScope(shield=True):
            if self._supervision is not None:
                self._supervision.cancel()
                await self._unsupervised.wait()
            self._tell("bye")
            self._close_pipe()
            process, self._process = self._process, None
            if process is not None:
                await _see_off(process)

    async def _spawn(self) -> None:
        self._process = None
        reading, writing = os.pipe()
        os.set_blocking(writing, False)
        try:
            # Shielded, lest a guardian comes to be that nobody knows of.
            with anyio.fail_after(START_S, shield=True):
                self._process = await anyio.open_process(
                    self._command(),
                    stdin=reading,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
                    start_new_session=True,
                )
        except (OSError, TimeoutError) as problem:
            os.close(writing)
            _log.warning("no guardian: if the daemon is killed, its sessions live on (%s)", problem)
            return
        finally:
            os.close(reading)
        self._pipe = writing
        for process in self._watched:
            self._tell(f"+ {process.pid} {process.started!r}")

    def _command(self) -> list[str]:
        root = str(_SCRIPT.parent.parent.parent)
        command = [self._python, "-I", "-S", "-B", str(_SCRIPT), root, self._daemon_id, folder_of(self._daemon_id)]
        if sys.platform != "linux":
            import psutil

            command.append(str(Path(psutil.__file__).parent.parent))
        return command

    async def _supervise(self, scope: anyio.CancelScope) -> None:
        young = 0
        try:
            with scope:
                while young < RESTARTS:
                    began = anyio.current_time()
                    if self._process is not None:
                        await self._process.wait()
                        self._close_pipe()
                        _log.warning("the guardian ended before the daemon, starting another")
                    young = young + 1 if anyio.current_time() - began < SETTLED_S else 1
                    await anyio.sleep(RESTART_PAUSE_S * 2 ** (young - 1))
                    await self._spawn()
                _log.warning("no guardian any more: it ended %d times in a row", RESTARTS)
        finally:
            self._unsupervised.set()

    def _tell(self, line: str) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, line.encode() + b"\n")
        except BlockingIOError:
            # 64 KiB unread: it is stopped or stuck. Another will be told everything; at our own end it does not matter,
            # for the closed pipe says enough.
            if self._process is not None and not self._closing:
                with suppress(ProcessLookupError):
                    self._process.kill()
        except BrokenPipeError:
            # It died; the supervision is about to notice.
            self._close_pipe()

    def _close_pipe(self) -> None:
        if self._pipe is not None:
            os.close(self._pipe)
            self._pipe = None


async def _see_off(process: Process) -> None:
    with anyio.move_on_after(CLOSE_S):
        await process.wait()
        return
    _log.warning("the guardian did not leave within %.1f s and is killed", CLOSE_S)
    with suppress(ProcessLookupError):
        process.kill()
    with anyio.move_on_after(CLOSE_S):
        await process.wait()
