"""The stop ladder: the one place where a child and everything it started is brought to an end.

Owns the order of the steps, their limits, and the sweep that proves nothing is left.
Refuses: to know what the child speaks (it asks its `StopTarget` to interrupt the turn), to touch a process that
neither carries the mark nor was seen below the child, to raise for a child that will not die (the report says so),
and to spare a background process that a tool meant to survive: what we started, we end.
Imported by `host`, providers, and the ledger, which ends what dead daemons left.

The order was measured with claude 2.1.197 and 2.1.329. Its tools run in sessions of their own, out of reach of a
signal to the CLI's group, and only the CLI itself ends them in an orderly way: on SIGINT in every state, on the end
of stdin once no turn runs. SIGTERM orphans a tool in its first seconds (2.1.197), SIGKILL always does. Hence: ask for
the turn's end, close stdin, SIGINT, and only then SIGKILL, to everything at once and with the CLI stopped beforehand,
so that it cannot start more. Nothing here sends SIGTERM.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Protocol

import anyio
import anyio.to_thread

from adapter.process.identity import (
    CLEAN_PASSES,
    PASS_PAUSE_S,
    ProcessId,
    descendants,
    is_alive,
    send_signal,
    strike,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    _LimitOf = Callable[["StopLimits"], float]

SWEEP_S: Final = 1.0
"""Seconds for a sweep. A killed process is gone in 10 to 50 ms, one of several hundred megabytes on a busy machine
in a few tenths; what is still there after a second sits in the kernel, where no signal helps."""


class StopTarget(Protocol):
    """A child as the ladder sees it. Its output stays drained by its owner while the ladder runs: claude 2.1.329
    does not exit while its stdout is full, and 2.1.197 loses what was not read."""

    @property
    def pid(self) -> int: ...

    @property
    def identity(self) -> ProcessId: ...

    @property
    def mark(self) -> str:
        """The mark of this spawn, and of no other: everything that carries it will be killed."""

    @property
    def returncode(self) -> int | None:
        """None while the exit has not been seen; then the exit code, or minus the number of the signal."""

    async def interrupt_turn(self) -> None:
        """Ask the child to stop its turn; return when the turn's result came, or at once if it cannot come."""

    async def close_stdin(self) -> None:
        """Close the child's stdin; nothing to do if it is closed."""

    async def wait_exit(self) -> int:
        """Return the return code once the exit is seen. May be called, and cancelled, more than once."""


@dataclass(frozen=True, slots=True)
class StopLimits:
    """Seconds that each step may take; 0 leaves a polite step out. The reasons are times of claude 2.1.197/2.1.329."""

    polite_s: float = 1.2
    """All polite steps together, so that with the kill and the sweep nothing is left after two seconds, whatever the
    child does. What the CLI may still do then is wait for tools that are dead (1.5 s, 2.1.329) or end background
    shells (up to 1.7 s), which the sweep does as well; each event is in its transcript 0.05 s after it was sent."""

    interrupt_s: float = 0.7
    """The result of an interrupted turn came after 0.1 to 0.2 s, in the middle of tools as in the middle of text."""

    stdin_close_s: float = 0.5
    """After an interrupted turn the CLI mostly exits within 0.2 s of the end of stdin."""

    idle_close_s: float = 0.3
    """Takes the place of `stdin_close_s` where no turn ran: an idle CLI exits in 0.01 to 0.08 s. One that does not has
    a background shell and would stay for 5 s (2.1.197) or for good (2.1.329); SIGINT ends both within 1.6 s.
    A slow machine's CLI gets SIGINT on its way out, which does no harm."""

    sigint_s: float = 1.0
    """SIGINT took 0.02 to 1.6 s including the tools."""

    kill_s: float = 2.0
    """From SIGKILL to the exit that we see: milliseconds, unless the machine swaps."""

    sweep_s: float = SWEEP_S

    @classmethod
    def fast(cls) -> StopLimits:
        """For who cannot wait any longer: SIGINT at once, which ends an idle CLI in 0.02 s, then SIGKILL."""
        return cls(interrupt_s=0, stdin_close_s=0, idle_close_s=0, sigint_s=1.0, kill_s=0.5, sweep_s=0.8)


class StopStep(StrEnum):
    """The rungs of the ladder, in their order."""

    INTERRUPT = "interrupt"
    CLOSE_STDIN = "close_stdin"
    SIGINT = "sigint"
    KILL = "kill"
    SWEEP = "sweep"


@dataclass(frozen=True, slots=True)
class StepReport:
    """`seconds` taken; `timed_out` if the step's limit ended it; `error` if the child's owner raised in it."""

    step: StopStep
    seconds: float
    timed_out: bool
    error: str | None


@dataclass(frozen=True, slots=True)
class StopReport:
    """How a child ended. `exit_code` and `signal` (its name) are both None if no exit was seen.

    `swept` are the PIDs killed after the child was gone; `remaining` those that live in spite of it all.
    """

    exit_code: int | None
    signal: str | None
    steps: tuple[StepReport, ...]
    swept: tuple[int, ...]
    remaining: tuple[int, ...]


def split_returncode(returncode: int | None) -> tuple[int | None, str | None]:
    """Return code as the standard library counts it -> (exit code, None) or (None, name of the signal)."""
    if returncode is None or returncode >= 0:
        return returncode, None
    try:
        return None, signal.Signals(-returncode).name
    except ValueError:
        return None, f"SIG{-returncode}"


async def stop(target: StopTarget, *, turn_running: bool, limits: StopLimits | None = None) -> StopReport:
    """End the child and everything it started, and report how; at most the sum of the limits, then it gives up.

    Shielded from cancellation. A second call while the first runs waits for it and returns the same report; shorter
    limits of the second hold from then on for both. For a child that has exited only the sweep is left.
    """
    limits = limits or StopLimits()
    report: StopReport | None = None
    while report is None:
        with anyio.CancelScope(shield=True):
            report = await _join(target, turn_running, limits)
    return report


async def sweep(mark_prefix: str, known: Iterable[ProcessId] = (), *, limit_s: float = SWEEP_S) -> list[ProcessId]:
    """SIGKILL everything marked, and what lives of `known`, until two passes in a row find nothing.

    Returns what was hit, once each; after `limit_s` seconds it gives up. Shielded from cancellation.

    Raises:
        ValueError: `mark_prefix` is empty.
    """
    known = tuple(known)
    hit: dict[ProcessId, None] = {}
    clean = 0
    with anyio.CancelScope(shield=True), anyio.move_on_after(limit_s):
        while True:
            found = await anyio.to_thread.run_sync(strike, mark_prefix, known)
            hit.update(dict.fromkeys(found))
            clean = 0 if found else clean + 1
            if clean >= CLEAN_PASSES:
                break
            await anyio.sleep(PASS_PAUSE_S)
    return list(hit)


async def _join(target: StopTarget, turn_running: bool, limits: StopLimits) -> StopReport | None:
    """Run a ladder, or wait for the one that runs; None if that one failed, so that ours is next."""
    running = _running.get(target.identity)
    if running is not None:
        running.hurry(limits)
        await running.finished.wait()
        return running.report
    ladder = _running[target.identity] = _Ladder(target, turn_running, limits)
    try:
        return await ladder.run()
    finally:
        del _running[target.identity]
        ladder.finished.set()


class _Ladder:
    """One run of the stop ladder."""

    def __init__(self, target: StopTarget, turn_running: bool, limits: StopLimits) -> None:
        self.finished = anyio.Event()
        self.report: StopReport | None = None
        self._target = target
        self._turn_running = turn_running
        self._limits = limits
        self._known: dict[ProcessId, None] = {}
        self._steps: list[StepReport] = []
        self._began = anyio.current_time()
        self._current: tuple[anyio.CancelScope, StopStep, float, _LimitOf] | None = None

    async def run(self) -> StopReport:
        if not self._gone():
            await self._climb()
        began = anyio.current_time()
        known = (self._target.identity, *self._known)
        swept = await sweep(self._target.mark, known, limit_s=self._limits.sweep_s)
        remaining = [process for process in (*known, *swept) if is_alive(process)]
        self._steps.append(StepReport(StopStep.SWEEP, anyio.current_time() - began, bool(remaining), None))
        exit_code, signal_name = split_returncode(self._target.returncode)
        self.report = StopReport(
            exit_code=exit_code,
            signal=signal_name,
            steps=tuple(self._steps),
            swept=tuple(process.pid for process in swept),
            remaining=tuple(dict.fromkeys(process.pid for process in remaining)),
        )
        return self.report

    def hurry(self, limits: StopLimits) -> None:
        """Take over every limit that is shorter, also for the step that runs."""
        shorter = {
            each.name: min(getattr(self._limits, each.name), getattr(limits, each.name)) for each in fields(limits)
        }
        self._limits = StopLimits(**shorter)
        if self._current is not None:
            scope, step, began, limit_of = self._current
            scope.deadline = min(scope.deadline, began + self._limit(step, began, limit_of))

    async def _climb(self) -> None:
        target = self._target
        # A stopped child can answer nothing; to a running one this signal says nothing.
        send_signal(target.identity, signal.SIGCONT)
        await self._snapshot()
        if self._turn_running:
            await self._step(StopStep.INTERRUPT, lambda limits: limits.interrupt_s, target.interrupt_turn)
        await self._step(
            StopStep.CLOSE_STDIN,
            lambda limits: limits.stdin_close_s if self._turn_running else limits.idle_close_s,
            target.close_stdin,
            target.wait_exit,
        )
        if not self._gone():
            await self._snapshot()
            send_signal(target.identity, signal.SIGINT)
            await self._step(StopStep.SIGINT, lambda limits: limits.sigint_s, target.wait_exit)
        if not self._gone():
            send_signal(target.identity, signal.SIGSTOP)
            await self._snapshot()
            for process in (target.identity, *self._known):
                send_signal(process, signal.SIGKILL)
            await self._step(StopStep.KILL, lambda limits: limits.kill_s, target.wait_exit)

    def _gone(self) -> bool:
        return self._target.returncode is not None

    async def _snapshot(self) -> None:
        found = await anyio.to_thread.run_sync(descendants, self._target.identity, *self._known)
        self._known.update(dict.fromkeys(found))

    def _limit(self, step: StopStep, began: float, limit_of: _LimitOf) -> float:
        """Seconds that a step may take from its beginning on."""
        limit = limit_of(self._limits)
        if step is StopStep.KILL:
            return limit
        return min(limit, self._began + self._limits.polite_s - began)

    async def _step(self, step: StopStep, limit_of: _LimitOf, *acts: Callable[[], Awaitable[object]]) -> None:
        """Run a step within its limit. Whatever its acts raise, the next step is harder and will do."""
        began = anyio.current_time()
        limit = self._limit(step, began, limit_of)
        if limit <= 0 or self._gone():
            return
        error: str | None = None
        with anyio.move_on_after(limit) as scope:
            self._current = scope, step, began, limit_of
            for act in acts:
                try:
                    await act()
                except Exception as problem:
                    error = f"{type(problem).__name__}: {problem}"
        self._current = None
        self._steps.append(StepReport(step, anyio.current_time() - began, scope.cancelled_caught, error))


_running: Final[dict[ProcessId, _Ladder]] = {}
"""Ladders under way, by the child's identity: how a second stop finds the first."""
