"""What every spawn of this daemon has in common: the mark, the scrubbed environment, the guardian's watch, the
end.

Providers spawn through a `ProcessHost` and never by themselves, so that nothing runs that is not marked, watched
and swept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import anyio

from adapter.process import containment
from adapter.process.child import Child, Exit
from adapter.process.environment import ALLOWED, DENIED, scrub
from adapter.process.guardian import Guardian
from adapter.process.identity import ProcessId, new_mark
from adapter.process.scratch import Scratch
from adapter.process.terminal import ENVIRONMENT as TERMINAL_ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup

    from adapter.process.containment import StopLimits, StopTarget


class SpawnLog(Protocol):
    """Where spawns are written down, so that the next daemon can find what this one left."""

    async def spawning(self, mark: str, owner: str | None) -> None:
        """A process is about to be started; returns when that is written."""

    async def spawned(self, mark: str, process: ProcessId) -> None:
        """It runs; returns when that is written."""

    def exited(self, mark: str) -> None:
        """It has gone, and all it started."""


class ProcessHost:
    """Spawns and ends the children of one daemon.

    Args:
        daemon_id: begins every mark.
        log: where spawns are written down.
        tasks: where the pipes of children are drained; outlives every child.
        environment: ours, from which a child's is made.
        denied, allowed: see `environment.scrub`.
    """

    def __init__(
        self,
        daemon_id: str,
        log: SpawnLog,
        tasks: TaskGroup,
        environment: Mapping[str, str],
        *,
        denied: Sequence[str] = DENIED,
        allowed: Sequence[str] = ALLOWED,
    ) -> None:
        self.tasks = tasks
        self.daemon_id = daemon_id
        self._log = log
        self.environment = scrub(environment, denied=denied, allowed=allowed)
        """What every child inherits."""
        self._guardian = Guardian(daemon_id)
        self.scratch = Scratch(daemon_id)
        """For files that a child reads when it starts."""

    async def open(self) -> None:
        """Start the guardian. Without one, the daemon's own death is covered by the sweep at the next start only."""
        await self._guardian.start(self.tasks)

    async def close(self) -> None:
        """Tell the guardian that all is done. Idempotent."""
        self.scratch.close()
        await containment.sweep(self.daemon_id)
        await self._guardian.close()

    async def spawn(
        self,
        command: Sequence[str],
        *,
        cwd: str,
        env: Mapping[str, str] | None = None,
        owner: str | None = None,
        on_terminal: bool = False,
    ) -> Child:
        """Start a marked and watched child.

        Args:
            command: program and arguments.
            cwd: its working folder.
            env: added to the scrubbed environment.
            owner: the session that it is for.
            on_terminal: give it a terminal for its output.

        Raises:
            AdapterError: `not_found` or `spawn_failed`.
        """
        mark = new_mark(self.daemon_id)
        await self._log.spawning(mark, owner)
        environment = {**self.environment, **(TERMINAL_ENVIRONMENT if on_terminal else {}), **(env or {})}
        # Shielded, lest a child comes to be that nobody knows of; whoever is cancelled notices at its next wait.
        with anyio.CancelScope(shield=True):
            child = await Child.spawn(
                command, env=environment, cwd=cwd, mark=mark, tasks=self.tasks, on_terminal=on_terminal
            )
            self._guardian.watch(child.identity)
            self.tasks.start_soon(self._sweep_at_exit, child)
            await self._log.spawned(mark, child.identity)
        return child

    async def stop(self, target: StopTarget, *, turn_running: bool = False, limits: StopLimits | None = None) -> Exit:
        """End a child and everything it started, by the stop ladder."""
        report = await containment.stop(target, turn_running=turn_running, limits=limits)
        self._forget(target.identity, target.mark)
        return Exit(report.exit_code, report.signal)

    async def bury(self, child: Child) -> Exit:
        """After a child's own end: close its pipes, sweep what it left behind."""
        ended = await child.finish()
        await containment.sweep(child.mark)
        self._forget(child.identity, child.mark)
        return ended

    async def _sweep_at_exit(self, child: Child) -> None:
        """What a child leaves behind ends with it, also while nobody reads its output: a parent that reads nothing
        holds that up, and what was left can hold the pipes open."""
        await child.exited.wait()
        await containment.sweep(child.mark)

    def _forget(self, process: ProcessId, mark: str) -> None:
        self._guardian.unwatch(process)
        self._log.exited(mark)
