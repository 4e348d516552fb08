"""Running a CLI for one short answer: its version, whether it is logged in."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from adapter.process.containment import StopLimits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from adapter.process.child import Child
    from adapter.process.host import ProcessHost

PROBE_S = 15.0
"""For `--version` (claude 2.1.x: 0.2 to 0.3 s) or `auth status` (0.5 to 0.9 s), on a busy or just woken machine."""

DRAIN_S = 1.0
"""For what an ended program has left in its pipe: milliseconds, unless somebody else holds the pipe open."""

MAX_OUTPUT = 64 * 1024
"""Characters that are kept of an answer; real ones have a few hundred."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the CLI said. `code` is None where a signal ended it: its own, or ours when it took too long."""

    output: str
    code: int | None
    stderr: str
    timed_out: bool

    def __str__(self) -> str:
        ended = "was ended by a signal" if self.code is None else f"ended with exit code {self.code}"
        how = f"did not end within {PROBE_S:g} s" if self.timed_out else ended
        return f"{how}, said {self.output[:200]!r} and {self.stderr[-500:]!r} on stderr"


async def ask(host: ProcessHost, command: Sequence[str]) -> Answer:
    """Run a CLI with no input until it ends by itself, or for `PROBE_S` seconds.

    Raises:
        AdapterError: `not_found` or `spawn_failed`.
    """
    child = await host.spawn(command, cwd=os.sep)
    output = ""
    try:
        with anyio.move_on_after(PROBE_S) as scope:
            await child.close_stdin()
            while chunk := await child.receive():
                output += chunk.decode("utf-8", "replace")[: MAX_OUTPUT - len(output)]
            await child.wait_exit()
    finally:
        with anyio.CancelScope(shield=True):
            ended = await host.stop(_Target(child), limits=StopLimits.fast())
            await _drain(child)
            await host.bury(child)
    return Answer(output, ended.code, child.stderr_tail, scope.cancelled_caught)


async def _drain(child: Child) -> None:
    """asyncio closes a pipe at its end only, and does not read one on whose output nobody reads: without this, a
    program that said more than was wanted would cost a descriptor."""
    with anyio.move_on_after(DRAIN_S):
        while await child.receive():
            pass


class _Target:
    """A CLI that runs for one answer, as the stop ladder sees it."""

    def __init__(self, child: Child) -> None:
        self.pid, self.identity, self.mark = child.pid, child.identity, child.mark
        self.close_stdin, self.wait_exit = child.close_stdin, child.wait_exit
        self._child = child

    @property
    def returncode(self) -> int | None:
        return self._child.returncode

    async def interrupt_turn(self) -> None:
        """There is no turn."""
