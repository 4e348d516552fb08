"""The HTTP face: sessions seen through the Messages API and OpenAI's. Puts its parts together."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import TYPE_CHECKING, cast

import anyio

from adapter.faces.http.app import build_app
from adapter.faces.http.connections import KEEP_ALIVE_S, MAX_HEAD, ConnectionLimits, GuardedProtocol
from adapter.faces.http.conversations import Conversations
from adapter.faces.http.desk import Desk
from adapter.faces.http.endpoints import Endpoints
from adapter.faces.http.models import Models
from adapter.faces.http.policy import AskParent, DenyAll
from adapter.faces.http.server import HttpServer
from adapter.faces.native import NativeFace
from adapter.guard import GuardedTasks

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.config_http import HttpSettings
    from adapter.faces.base import Surroundings
    from adapter.faces.http.entrance import Entrance


PROVIDER = "claude"
"""Whose sessions answer."""


class HttpFace:
    """Serves HTTP until the daemon is told to end.

    Args:
        entrance: where, and to whom.
        around: see there.
    """

    def __init__(self, entrance: Entrance, around: Surroundings) -> None:
        self._entrance = entrance
        self._around = around
        self._settings = cast("HttpSettings", around.settings)
        self._server: HttpServer | None = None
        self.over_stdio = self._settings.permissions == "ask"
        self._parent = NativeFace(around) if self.over_stdio else None

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until cancelled, or until the parent that answers questions goes; responses go on until `close`."""
        guarded = GuardedTasks(tasks, "the HTTP face")
        policy = AskParent(self._parent) if self._parent else DenyAll()
        folder = self._settings.working_dir or os.getcwd()
        conversations = Conversations(self._around.registry, self._settings, folder, policy, guarded)
        endpoints = Endpoints(conversations, Models(conversations, self._around.registry, folder, PROVIDER))
        app = build_app(Desk(conversations, self._settings, guarded), endpoints, self._settings)
        self._server = HttpServer(self._entrance.guard(app), self._entrance.listener, **_connections(self._settings))
        tasks.start_soon(self._server.run_until_closed)
        sys.stderr.write("".join(f"agent-adapter: {line}\n" for line in self._entrance.notice))
        await (self._parent.run(tasks) if self._parent else anyio.sleep_forever())

    async def close(self, grace: float) -> None:
        """The sessions have ended: let open responses be read, and end the rest."""
        async with anyio.create_task_group() as tasks:
            if self._parent is not None:
                tasks.start_soon(self._parent.close, grace)
            if self._server is not None:
                tasks.start_soon(self._server.close, grace)
        self._entrance.close()


def _connections(settings: HttpSettings) -> dict[str, object]:
    """How uvicorn is to treat connections."""
    limits = ConnectionLimits(settings.max_connections, settings.head_timeout, settings.stall_timeout)
    return {
        "http": partial(GuardedProtocol, limits=limits),
        "timeout_keep_alive": KEEP_ALIVE_S,
        "h11_max_incomplete_event_size": MAX_HEAD,
    }
