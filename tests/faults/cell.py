"""One cell of the matrix: sets the scene, lets the row strike, and looks at what is left, what was told, what can be
resumed.

Owns the judgement. May be imported by the matrix's program and its tests.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from tests.faults import parent, processes
from tests.faults.columns import ECHO, sessions_of
from tests.faults.processes import LIMIT_S
from tests.faults.promises import broken_promises
from tests.faults.rows import ENDING_S
from tests.faults.scene import SET_UP_S, set_up
from tests.support.daemon import RpcError

if TYPE_CHECKING:
    from tests.faults.clis import Cli
    from tests.faults.columns import Column
    from tests.faults.rows import Deed, Row
    from tests.faults.scene import Scene, Staged
    from tests.support.daemon import Json

CELL_S = 240.0
"""Seconds for a whole cell: twenty real CLIs started, ended, and two of them resumed, on a busy machine."""

RESUMED_OF_MANY = 2
"""How many of twenty sessions are resumed afterwards: an idle one and a busy one."""


@dataclass
class Outcome:
    """What a cell showed. `seconds`: until nothing was left, None where nothing had to go; `left`: what lived after
    the limit; `broken`: promises; `resumed`: how many sessions were found to go on, None where that was not asked."""

    cli: str
    row: str
    column: str
    seconds: float | None = None
    left: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    kept: int = 0
    resumed: int | None = None
    took: float = 0.0

    @property
    def is_good(self) -> bool:
        """Whether nothing was left and no promise broken."""
        return not self.left and not self.broken


async def run_cell(cli: Cli, row: Row, column: Column, *, resume: bool = True, limit: float = LIMIT_S) -> Outcome:
    """Run one cell. What goes wrong in it is in the outcome, never an exception.

    Args:
        cli: which CLI.
        row: what breaks.
        column: what the sessions do.
        resume: whether sessions are resumed afterwards; the mock keeps nothing that could be.
        limit: seconds after which nothing may be left.
    """
    outcome = Outcome(cli.name, row.name, column.name)
    began = time.monotonic()
    flags = row.flags(len(sessions_of(column)), cli.is_real)
    try:
        with anyio.fail_after(CELL_S):
            async with set_up(cli, column, *flags, relayed=row.relayed, deaf=row.deaf and not cli.is_real) as scene:
                await _judge(scene, await row.strike(scene), outcome, resume=resume and cli.is_real, limit=limit)
    except Exception as error:
        outcome.broken.append(f"{type(error).__name__}: {_root(error)}")
    outcome.took = time.monotonic() - began
    return outcome


async def _judge(scene: Scene, deed: Deed, outcome: Outcome, *, resume: bool, limit: float) -> None:
    outcome.kept = len(deed.survivors)
    if deed.ended or deed.restarted:
        aftermath = await processes.watch(deed.targets, deed.began, limit)
        outcome.seconds, outcome.left = aftermath.seconds, aftermath.left
        if aftermath.seconds is None:
            outcome.broken.append("some were never gone")
    if deed.daemon_exit is not None:
        code = await scene.parent.process.wait()
        if code != deed.daemon_exit:
            outcome.broken.append(f"the daemon's exit code is {code}: {scene.parent.stderr[-500:]}")
    if not deed.is_deaf:
        await _judge_living(scene, deed, outcome)
    if resume and not deed.restarted:
        outcome.resumed = await _resume(scene, _sample(deed.ended), outcome.broken)
    last = await processes.watch(scene.everything(), time.monotonic())
    if last.seconds is None:
        outcome.broken.append(f"left at the very end: {last.left}")


async def _judge_living(scene: Scene, deed: Deed, outcome: Outcome) -> None:
    """Where somebody is left to listen: who should live goes on, the daemon ends well, and all was told."""
    link = scene.parent
    if deed.daemon_exit is None:
        if link._reading.cancel_called:
            link.go_on_reading()
        for staged in deed.ended:
            await link.wait_event("session_ended", session_id=staged.id, within=ENDING_S)
        for staged in deed.restarted:
            if staged.running is not None:
                await link.wait_event("turn_completed", turn_id=staged.running, within=ENDING_S)
            else:
                await _wait_for_word_of_death(scene, staged)
        for staged in _sample(deed.restarted):
            outcome.resumed = (outcome.resumed or 0) + _knows(await scene.echo(staged), outcome.broken)
        await _judge_survivors(scene, deed, outcome)
        await link.close_stdin()
        code = await link.wait_exit(within=ENDING_S)
        if code != 0:
            outcome.broken.append(f"the daemon's exit code is {code}: {link.stderr[-500:]}")
    else:
        await link.wait_exit(within=ENDING_S)
    for staged in scene.sessions:
        reasons = {deed.reason} if staged in deed.ended else {"shutdown", deed.reason}
        how = ("interrupted",) if staged in deed.survivors else deed.how
        found = broken_promises(link.events(staged.id), staged.turns, reasons=reasons, cut=staged.running, how=how)
        outcome.broken += [f"{staged.column.name}: {each}" for each in found]


async def _wait_for_word_of_death(scene: Scene, staged: Staged) -> None:
    """A parent hears of an idle CLI's death by a notice, or by the end of a turn that the CLI had begun by itself:
    2.1.197 begins one when SIGTERM has ended a background command."""

    def tells(message: Json) -> bool:
        params = message.get("params", {})
        event = params.get("event", {}) if params.get("session_id") == staged.id else {}
        return event.get("level") == "warning" or (event.get("error") or {}).get("kind") == "process_exited"

    await scene.parent.wait_for(tells, within=ENDING_S)


async def _judge_survivors(scene: Scene, deed: Deed, outcome: Outcome) -> None:
    """A session that the fault does not concern has its process and its turn, and can be talked to."""
    listed = {each["session_id"]: each for each in (await scene.parent.request("list_sessions"))["sessions"]}
    for staged in deed.survivors:
        entry = listed.get(staged.id, {})
        expected = "idle" if staged.running is None else "busy"
        if (entry.get("state"), entry.get("pid")) != (expected, staged.pid):
            outcome.broken.append(f"{staged.column.name}: was {expected}, is {entry.get('state')}")
    for staged in _sample(deed.survivors):
        if staged.running is not None:
            await scene.parent.request("interrupt", session_id=staged.id)
        _knows(await scene.echo(staged), outcome.broken)


async def _resume(scene: Scene, sessions: list[Staged], broken: list[str]) -> int | None:
    """Resume ended sessions in a new daemon; how many knew their conversation."""
    if not sessions:
        return None
    command = [sys.executable, "-m", "adapter", "--claude-path", str(scene.cli.path)]
    environment = scene.cli.environment(scene.home) | {processes.CELL: scene.cell}
    resumed = 0
    async with parent.run(command, environment) as link:
        for staged in sessions:
            config = {"working_dir": str(scene.workspace), "resume": staged.provider_session_id}
            try:
                id = (await link.request("start_session", within=SET_UP_S, config=config))["session_id"]
            except RpcError as error:
                broken.append(f"{staged.column.name}: not resumable: {error}")
                continue
            resumed += _knows(str((await link.turn(id, ECHO, within=SET_UP_S))["result"]), broken)
        await link.close_stdin()
        await link.wait_exit(within=ENDING_S)
    return resumed


def _knows(told: str, broken: list[str]) -> bool:
    knows = "first: SC:hello" in told
    if not knows:
        broken.append(f"the conversation is not known any more: {told[:200]!r}")
    return knows


def _sample(sessions: list[Staged]) -> list[Staged]:
    if len(sessions) <= RESUMED_OF_MANY:
        return sessions
    idle = [staged for staged in sessions if staged.running is None]
    busy = [staged for staged in sessions if staged.running is not None]
    return [*idle[:1], *busy[:1]]


def _root(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


__all__ = ["LIMIT_S", "Outcome", "run_cell"]
