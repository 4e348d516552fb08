"""Finds the processes of a cell, by a variable of its own in their environment and by what was seen running before.

Owns the harness's view of what lives, and shares no code with the daemon's: what is measured must not measure itself.
Refuses to touch a process that does not carry the cell's variable or was not seen as part of it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CELL = "FAULT_CELL"
"""Variable in the environment of the daemon and all that comes from it."""

SESSION = "FAULT_SESSION"
"""Variable in the environment of one session's CLI and all that comes from it."""

LIMIT_S = 2.0
"""Seconds after which nothing may be left on a quiet machine: the promise, which `make faults` measures."""

GIVE_UP_S = 15.0
"""Seconds after the fault at which the harness stops looking: longer than the stop ladder with all its limits."""

LOOK_S = 0.05
"""Seconds between two looks; one takes 5 to 20 ms."""

CLEAN_LOOKS = 2
"""Looks in a row that must find nothing: a process in the middle of `exec` shows no environment."""


def carrying(variable: str, values: Iterable[str]) -> list[psutil.Process]:
    """The live processes whose environment has this variable with one of these values."""
    wanted = frozenset(values)
    found = []
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
            if process.environ().get(variable) in wanted and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def below(process: psutil.Process) -> list[psutil.Process]:
    """The process and its descendants; empty when it has gone."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def is_alive(process: psutil.Process) -> bool:
    """Whether this very process still runs, and is no zombie."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def shown(process: psutil.Process) -> str:
    """A process in a few words, for a report."""
    try:
        command = " ".join(process.cmdline()) or process.name()
    except psutil.Error:
        command = "(gone meanwhile)"
    return f"{process.pid} {command[:100]}"


@dataclass
class Targets:
    """What must be gone: whatever carries the variable, and what is `known` to belong to it. `spared` is exempt."""

    variable: str
    values: frozenset[str]
    known: list[psutil.Process] = field(default_factory=list)
    spared: frozenset[int] = frozenset()

    def alive(self) -> list[psutil.Process]:
        """Those that live."""
        found = {process.pid: process for process in self.known if is_alive(process)}
        found |= {process.pid: process for process in carrying(self.variable, self.values)}
        return [process for pid, process in sorted(found.items()) if pid not in self.spared]


@dataclass
class Aftermath:
    """What a watch saw: seconds until all were gone, or None; and who lived after the limit."""

    seconds: float | None
    left: list[str]


async def watch(targets: Targets, began: float, limit: float = LIMIT_S) -> Aftermath:
    """Look until all targets are gone.

    Args:
        targets: what must be gone.
        began: the moment of the fault, as `time.monotonic` tells it.
        limit: seconds that they have.
    """
    left: list[str] | None = None
    clean_since: float | None = None
    clean = 0
    while clean < CLEAN_LOOKS and time.monotonic() < began + GIVE_UP_S:
        due = time.monotonic() >= began + limit
        alive = await anyio.to_thread.run_sync(targets.alive)
        clean = 0 if alive else clean + 1
        clean_since = None if alive else (clean_since or time.monotonic())
        if left is None and due:
            left = [shown(process) for process in alive]
        await anyio.sleep(LOOK_S)
    seconds = None if clean_since is None or clean < CLEAN_LOOKS else max(0.0, clean_since - began)
    return Aftermath(seconds, left or [])


async def wait_until(what: str, ready: Callable[[], bool], within: float) -> None:
    """Look again and again, in a thread, until it is ready.

    Raises:
        TimeoutError: it was not within so many seconds.
    """
    with anyio.move_on_after(within):
        while not await anyio.to_thread.run_sync(ready):  # noqa: ASYNC110 (other processes tell no event)
            await anyio.sleep(LOOK_S)
        return
    raise TimeoutError(f"{what}: not within {within:g} s")


def kill(targets: Targets) -> list[str]:
    """End what is left of a cell; who that was."""
    alive = targets.alive()
    for process in alive:
        try:
            process.kill()
        except psutil.Error:
            continue
    return [shown(process) for process in alive]
