"""What a prompt leaves running: agents in the background, and the turn in which their work is taken up.

To an editor a prompt is over when its answer comes, so the answer waits for them. Commands in the background (a server,
a watcher) are meant to stay and are not waited for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from protocol.events import Event, SessionEnded, Tasks, TurnCompleted, TurnStarted

if TYPE_CHECKING:
    from collections.abc import Callable

FOLLOW_UP_S = 2.0
"""How long after its last agent the CLI may take to begin the turn that takes up the work (some ms with claude
2.1.329), before it is taken that there is none: an agent that was stopped has nothing to report."""


class Afterwork:
    """What one session still does for a prompt whose turn has ended.

    Args:
        has_agents: whether agents work in the background, after the latest event.
        patience: seconds without any event after which nothing is waited for any more; 0 for no limit.
    """

    def __init__(self, has_agents: Callable[[], bool], patience: float) -> None:
        self._has_agents = has_agents
        self._patience = patience or None
        self._had_agents = False
        self._turn_open = False
        self._turn_due = False
        self._changed = anyio.Event()

    def learn(self, event: Event) -> None:
        """An event of the session, which the writer of updates has seen."""
        if isinstance(event, Tasks):
            self._turn_due = self._turn_due or (self._had_agents and not self._has_agents())
            self._had_agents = self._has_agents()
        elif isinstance(event, TurnStarted):
            self._turn_open, self._turn_due = event.origin == "background", False
        elif isinstance(event, TurnCompleted):
            self._turn_open = False
        elif isinstance(event, SessionEnded):
            self._had_agents = self._turn_open = self._turn_due = False
        self._changed.set()

    async def wait_over(self) -> None:
        """Wait until nothing of it is left, or nothing is heard of it for too long."""
        while self._had_agents or self._turn_open or self._turn_due:
            only_due = not self._had_agents and not self._turn_open
            self._changed = anyio.Event()
            with anyio.move_on_after(FOLLOW_UP_S if only_due else self._patience) as scope:
                await self._changed.wait()
            if scope.cancelled_caught:
                self._turn_due = False
                return
