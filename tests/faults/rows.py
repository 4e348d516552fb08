"""The rows: what breaks. Each does its deed and says what must be gone, and what its sessions' events must tell.

Owns the deeds. What holds afterwards is judged in `cell`.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from tests.support.daemon import RpcError

if TYPE_CHECKING:
    import psutil

    from tests.faults.processes import Targets
    from tests.faults.scene import Scene, Staged

IDLE_S = 2.0
"""The idle time-out of its row: longer than the last step of one session's set-up."""

IDLE_OF_MANY_S = {True: 45.0, False: 15.0}
"""The same with many sessions, of a real CLI or of the mock: longer than the set-up of all."""

BUSY_LOOK_S = 0.5
"""Seconds after the time-out at which a busy session must still be there."""

ENDING_S = 20.0
"""Seconds for an answer or an event that a fault brings about: longer than the stop ladder."""

Now = Callable[[], float]


@dataclass
class Deed:
    """What was done: when, what must be gone now, which sessions it ended and how they must tell of it.

    `ended` sessions tell `reason`; their running turns stopped for one of `how`. `survivors` go on as if nothing had
    happened. `restarted` sessions lost their CLI and must go on with the next message. `daemon_exit`: what the daemon
    must exit with, None where it lives on or was killed. `is_deaf`: nobody was left to hear the events.
    """

    began: float
    targets: Targets
    ended: list[Staged]
    survivors: list[Staged]
    restarted: list[Staged]
    reason: str = "shutdown"
    how: tuple[str, ...] = ("interrupted",)
    daemon_exit: int | None = None
    is_deaf: bool = False


@dataclass(frozen=True)
class Row:
    """One fault. `flags`: the daemon's, for so many sessions of a real CLI or of the mock. `deaf`: the mock ignores
    SIGTERM, SIGINT and the interrupt request."""

    name: str
    title: str
    strike: Callable[[Scene], Awaitable[Deed]]
    flags: Callable[[int, bool], tuple[str, ...]] = lambda count, is_real: ()
    relayed: bool = False
    deaf: bool = False


def _end_of_daemon(scene: Scene, began: float, *, exit: int | None = 0, is_deaf: bool = False) -> Deed:
    return Deed(began, scene.everything(), list(scene.sessions), [], [], daemon_exit=exit, is_deaf=is_deaf)


def _signal(process: psutil.Process, number: int) -> float:
    began = time.monotonic()
    process.send_signal(number)
    return began


async def _eof(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, time.monotonic())
    await scene.parent.close_stdin()
    return deed


async def _sigterm(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, 0)
    deed.began = _signal(scene.daemon, signal.SIGTERM)
    return deed


async def _sigint(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, 0)
    deed.began = _signal(scene.daemon, signal.SIGINT)
    return deed


async def _sigkill(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, 0, exit=None, is_deaf=True)
    deed.began = _signal(scene.daemon, signal.SIGKILL)
    return deed


async def _sigkill_parent(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, time.monotonic(), exit=None, is_deaf=True)
    scene.parent.process.kill()
    return deed


async def _kill_clis(scene: Scene) -> Deed:
    targets = scene.processes_of(*scene.sessions)
    began = time.monotonic()
    for staged in scene.sessions:
        os.kill(staged.pid, signal.SIGKILL)
    return Deed(began, targets, [], [], list(scene.sessions), how=("error",))


async def _term_clis(scene: Scene) -> Deed:
    if not scene.cli.is_real:
        return await _stop_after(scene, signal.SIGTERM)
    targets = scene.processes_of(*scene.sessions)
    began = time.monotonic()
    for staged in scene.sessions:
        os.kill(staged.pid, signal.SIGTERM)
    # A CLI that ends its tool at SIGTERM may finish the turn before it goes (seen with 2.1.197 on a busy machine).
    return Deed(began, targets, [], [], list(scene.sessions), how=("error", "end_turn"))


async def _freeze_clis(scene: Scene) -> Deed:
    return await _stop_after(scene, signal.SIGSTOP)


async def _stop_after(scene: Scene, number: int) -> Deed:
    for staged in scene.sessions:
        os.kill(staged.pid, number)
    return await _stop(scene)


async def _stop(scene: Scene) -> Deed:
    """`stop_session` for all; the answers are awaited by who needs them."""
    deed = Deed(time.monotonic(), scene.processes_of(*scene.sessions), list(scene.sessions), [], [], reason="stopped")
    for staged in scene.sessions:
        await scene.parent.post("stop_session", session_id=staged.id)
    return deed


async def _close_stdout(scene: Scene) -> Deed:
    deed = _end_of_daemon(scene, time.monotonic(), is_deaf=True)
    await scene.parent.close_stdout()
    return deed


async def _full_stdout_eof(scene: Scene) -> Deed:
    await scene.parent.fill_stdout()
    deed = _end_of_daemon(scene, time.monotonic(), is_deaf=True)
    await scene.parent.close_stdin()
    return deed


async def _full_stdout_kill(scene: Scene) -> Deed:
    await scene.parent.fill_stdout()
    return await _kill_clis(scene)


async def _full_stdout_stop(scene: Scene) -> Deed:
    await scene.parent.fill_stdout()
    return await _stop(scene)


async def _idle(scene: Scene) -> Deed:
    """Wait for the time-out: idle sessions go, busy ones stay."""
    limit = _idle_limit(len(scene.sessions), scene.cli.is_real)
    idle = [staged for staged in scene.sessions if staged.idle_since is not None]
    busy = [staged for staged in scene.sessions if staged.idle_since is None]
    since = max((staged.idle_since or 0 for staged in idle), default=time.monotonic())
    targets = scene.processes_of(*idle)
    await anyio.sleep(max(0.0, since + limit - time.monotonic()))
    if busy:
        await anyio.sleep(BUSY_LOOK_S)
    return Deed(since + limit, targets, idle, busy, [], reason="idle_timeout")


async def _evict(scene: Scene) -> Deed:
    """One session more than the cap: the one that has been idle for longest makes room, or none does."""
    idle = [staged for staged in scene.sessions if staged.idle_since is not None]
    oldest = min(idle, key=lambda staged: staged.idle_since or 0, default=None)
    evicted = [] if oldest is None else [oldest]
    targets = scene.processes_of(*evicted)
    began = time.monotonic()
    config = {"working_dir": str(scene.workspace), **scene.config(scene.sessions[0].column, f"{scene.cell}.more")}
    id = await scene.parent.post("start_session", config=config)
    others = [staged for staged in scene.sessions if staged is not oldest]
    deed = Deed(began, targets, evicted, others, [], reason="evicted")
    if oldest is None:
        answer = await scene.parent.wait_response(id, within=ENDING_S)
        if answer.get("error", {}).get("code") != -32007:
            raise RpcError(answer.get("error") or {"code": 0, "message": "a busy session did not keep its place"})
    return deed


def _idle_limit(count: int, is_real: bool) -> float:
    return IDLE_S if count == 1 else IDLE_OF_MANY_S[is_real]


ROWS = {
    row.name: row
    for row in (
        Row("eof", "end of stdin", _eof),
        Row("sigterm", "SIGTERM of the daemon", _sigterm),
        Row("sigint", "SIGINT of the daemon", _sigint),
        Row("sigkill", "SIGKILL of the daemon", _sigkill),
        Row("sigkill-parent", "SIGKILL of the parent", _sigkill_parent, relayed=True),
        Row("sigkill-cli", "SIGKILL of the CLI", _kill_clis),
        Row("sigstop-cli", "SIGSTOP of the CLI, then `stop_session`", _freeze_clis),
        Row(
            "sigterm-cli",
            "SIGTERM of the CLI (the mock ignores all signals; then `stop_session`)",
            _term_clis,
            deaf=True,
        ),
        Row("closed-stdout", "closed stdout", _close_stdout),
        Row("full-stdout-eof", "full stdout pipe, then end of stdin", _full_stdout_eof),
        Row("full-stdout-stop", "full stdout pipe, then `stop_session`", _full_stdout_stop),
        Row("full-stdout-kill", "full stdout pipe, then SIGKILL of the CLI", _full_stdout_kill),
        Row("stop", "`stop_session`", _stop),
        Row(
            "idle",
            "idle time-out",
            _idle,
            flags=lambda count, is_real: ("--idle-timeout", str(_idle_limit(count, is_real))),
        ),
        Row("evict", "eviction", _evict, flags=lambda count, is_real: ("--max-sessions", str(count))),
    )
}
