"""uvicorn, driven inside the daemon's own tasks: no signal handlers, no log settings of its own, a bounded end."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import anyio
import uvicorn

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from starlette.types import ASGIApp

GRACE_S = 3
"""How long open responses may take to end once the sessions have: their last words are written already."""


class HttpServer(uvicorn.Server):
    """Serves an application on a socket.

    Args:
        app: what to serve.
        listener: bound and listening.
        options: further ones of `uvicorn.Config`.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket, **options: Any) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_S,
                **{"http": "h11", "ws": "none", **options},
            )
        )
        self._listener = listener
        self._over = anyio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """The daemon has the signals."""
        yield

    async def run_until_closed(self) -> None:
        """Serve until `close`."""
        try:
            await self.serve([self._listener])
        finally:
            self._over.set()

    async def close(self, grace: float) -> None:
        """Take no more connections, let open responses end, and cut short what does not within `grace` seconds."""
        self.should_exit = True
        with anyio.move_on_after(grace):
            await self._over.wait()
        self.force_exit = True
