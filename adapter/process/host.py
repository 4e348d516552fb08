"""What every spawn of this daemon has in common: the mark, the scrubbed environment, the guardian's watch, the
end.

Providers spawn through a `ProcessHost` and never by themselves, so that nothing runs that is not marked, watched
and swept.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from adapter.process import containment
from adapter.process.child import Child, Exit
from adapter.process.environment import ALLOWED, DENIED, scrub
from adapter.process.guardian import Guardian
from adapter.process.identity import new_daemon_id, new_mark

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anyio.abc import TaskGroup

    from adapter.process.containment import StopLimits, StopTarget


class ProcessHost:
    """Spawns and ends the children of one daemon.

    Args:
        tasks: where the pipes of children are drained; outlives every child.
        environment: ours, from which a child's is made.
        denied, allowed: see `environment.scrub`.
    """

    def __init__(
        self,
        tasks: TaskGroup,
        environment: Mapping[str, str],
        *,
        denied: Sequence[str] = DENIED,
        allowed: Sequence[str] = ALLOWED,
    ) -> None:
        self.tasks = tasks
        self.daemon_id = new_daemon_id()
        self._environment = scrub(environment, denied=denied, allowed=allowed)
        self._guardian = Guardian(self.daemon_id)

    async def open(self) -> None:
        """Start the guardian. Without one, the daemon's own death is covered by the sweep at the next start only."""
        await self._guardian.start(self.tasks)

    async def close(self) -> None:
        """Tell the guardian that all is done. Idempotent."""
        await containment.sweep(self.daemon_id)
        await self._guardian.close()

    async def spawn(self, command: Sequence[str], *, cwd: str, env: Mapping[str, str] | None = None) -> Child:
        """Start a marked and watched child.

        Args:
            command: program and arguments.
            cwd: its working folder.
            env: added to the scrubbed environment.

        Raises:
            AdapterError: `not_found` or `spawn_failed`.
        """
        mark = new_mark(self.daemon_id)
        child = await Child.spawn(
            command, env={**self._environment, **(env or {})}, cwd=cwd, mark=mark, tasks=self.tasks
        )
        self._guardian.watch(child.identity)
        return child

    async def stop(self, target: StopTarget, *, turn_running: bool = False, limits: StopLimits | None = None) -> Exit:
        """End a child and everything it started, by the stop ladder."""
        report = await containment.stop(target, turn_running=turn_running, limits=limits)
        self._guardian.unwatch(target.identity)
        return Exit(report.exit_code, report.signal)

    async def bury(self, child: Child) -> Exit:
        """After a child's own end: close its pipes, sweep what it left behind."""
        ended = await child.finish()
        await containment.sweep(child.mark)
        self._guardian.unwatch(child.identity)
        return ended
