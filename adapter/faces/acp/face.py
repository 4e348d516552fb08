"""The ACP face: version 1 of the Agent Client Protocol over our own stdin and stdout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio

from adapter.peer import Call, Dialect, Peer
from protocol.errors import METHOD_NOT_FOUND
from protocol.jsonrpc import Request, error_response

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.faces.base import Surroundings

ACP = Dialect(batches=False, headers=False, cancel_method="$/cancel_request", cancel_key="requestId")


class AcpFace:
    """One editor, served."""

    over_stdio = True

    def __init__(self, around: Surroundings) -> None:
        self._peer = Peer(around.input, around.outbox, self._serve, limit=around.settings.max_message, dialect=ACP)

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until the editor's end of input."""
        await self._peer.run(tasks)

    async def close(self, grace: float) -> None:
        """Let calls answer for `grace` seconds, cut short the rest."""
        self._peer.fail_requests()
        with anyio.move_on_after(grace):
            await self._peer.wait_quiet()
        self._peer.cancel_calls()

    async def _serve(self, call: Call) -> dict[str, Any] | None:
        if not isinstance(call.message, Request):
            return None
        return error_response(call.message.id, METHOD_NOT_FOUND, f"Method not found: {call.message.method}")
