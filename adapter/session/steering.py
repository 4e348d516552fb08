"""Messages that are to reach a running turn (`when: now`): handed to the CLI in the middle of it, one at a time.

The CLI ends the turn that runs as soon as it can and goes on with the message, which is a turn of its own. Only a turn
that the CLI has begun is steered, and not one that is being ended; until then the message waits, first in the queue.
Belongs to `Turns`, which alone uses it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

from adapter.session.endings import failed_turn
from protocol.errors import AdapterError
from protocol.lifecycle import TurnTrigger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from adapter.guard import GuardedTasks
    from adapter.providers.base import ProviderAdapter
    from adapter.session.link import ProcessLink
    from adapter.session.turn import Turn
    from adapter.session.turnqueue import TurnQueue
    from protocol.signals import TurnEnded


class Steering:
    """The messages on their way into a running turn.

    Args:
        session_id: whose.
        adapter: takes the messages.
        link: the process.
        queue: where they wait.
        tasks: where they are written.
        running: the turn that the CLI is in, where it is a message's.
        record: writes down that a message is about to reach the CLI.
        complete: ends a turn that could not be handed over, if nobody else has.
    """

    def __init__(
        self,
        session_id: str,
        adapter: ProviderAdapter,
        link: ProcessLink,
        queue: TurnQueue,
        tasks: GuardedTasks,
        *,
        running: Callable[[], Turn | None],
        record: Callable[[Turn], Awaitable[None]],
        complete: Callable[[Turn, TurnEnded], Awaitable[None]],
    ) -> None:
        self._session_id = session_id
        self._adapter = adapter
        self._link = link
        self._queue = queue
        self._tasks = tasks
        self._running = running
        self._record = record
        self._complete = complete
        self.turn: Turn | None = None
        """The message that is on its way, or that the CLI has and has not begun."""
        self._settled = anyio.Event()
        self._settled.set()

    def poke(self) -> None:
        """Something has changed: hand over the message that comes first, where that can be done now."""
        turn, running = self._queue.first, self._running()
        if self.turn is None and turn is not None and turn.urgent and turn.released.is_set() and running is not None:
            if running.cut or self._adapter.steering_refusal(self._session_id) is not None:
                return
            self.turn = self._queue.pop()
            self._settled = anyio.Event()
            self._tasks.start_soon(self._hand_over, turn, running)

    def take(self) -> Turn | None:
        """The turn that has ended was steered: the message that the CLI goes on with."""
        turn = self.turn
        if turn is None or not turn.is_delivered:
            return None
        self.turn = None
        return turn

    async def settle(self) -> None:
        """Wait until no message is between the queue and the CLI."""
        await self._settled.wait()

    async def _hand_over(self, turn: Turn, running: Turn) -> None:
        try:
            await self._record(turn)
            if self._running() is running and not running.cut and not turn.cut:
                turn.fire(TurnTrigger.DELIVER)
                await self._adapter.steer(self._session_id, turn.id, turn.content)
        except AdapterError as error:
            # As with every message: the end of the stream tells more than the broken pipe.
            await self._link.wait_over()
            await self._complete(turn, failed_turn(error))
        finally:
            if not turn.is_delivered and self.turn is turn:
                self.turn = None
                self._queue.put_back(turn)
            self._settled.set()
