"""The HTTP face: sessions seen through the Messages API and OpenAI's. Puts its parts together."""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING, cast

import anyio

from adapter.faces.http.app import build_app
from adapter.faces.http.conversations import Conversations
from adapter.faces.http.desk import Desk
from adapter.faces.http.policy import Policy
from adapter.faces.http.server import HttpServer
from adapter.guard import GuardedTasks

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.config_http import HttpSettings
    from adapter.faces.base import Surroundings


class HttpFace:
    """Serves HTTP until the daemon is told to end."""

    over_stdio = False

    def __init__(self, around: Surroundings) -> None:
        self._around = around
        self._settings = cast("HttpSettings", around.settings)
        self._server: HttpServer | None = None

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until cancelled; responses go on until `close`."""
        settings = self._settings
        guarded = GuardedTasks(tasks, "the HTTP face")
        folder = settings.working_dir or os.getcwd()
        conversations = Conversations(self._around.registry, settings, folder, Policy(), guarded)
        app = build_app(Desk(conversations, settings, guarded), settings)
        listener = socket.create_server((settings.host, settings.port))
        self._server = HttpServer(app, listener)
        tasks.start_soon(self._server.run_until_closed)
        sys.stderr.write(f"agent-adapter: listening on http://{settings.host}:{listener.getsockname()[1]}\n")
        await anyio.sleep_forever()

    async def close(self, grace: float) -> None:
        """The sessions have ended: let open responses be read, and end the rest."""
        if self._server is not None:
            await self._server.close(grace)
