"""The HTTP face."""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.faces.base import Surroundings


class HttpFace:
    """Serves HTTP until the daemon is told to end."""

    over_stdio = False

    def __init__(self, around: Surroundings) -> None:
        self._around = around

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until cancelled."""
        await anyio.sleep_forever()

    async def close(self, grace: float) -> None:
        """Nothing is open yet."""
