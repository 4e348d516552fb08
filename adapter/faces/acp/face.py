"""The ACP face: version 1 of the Agent Client Protocol over our own stdin and stdout (docs/acp.md).

The wire's one error boundary, and the sink of the sessions that an editor begins. Knows nothing of any provider but its
name. What each method does is in `methods.py`, a session's life in `session.py`, questions in `questions.py`.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from adapter.faces.acp.methods import Methods
from adapter.faces.acp.questions import Questions
from adapter.peer import Call, Dialect, Peer
from adapter.session.sink import QuestionFailed
from protocol.errors import INTERNAL_ERROR, INVALID_PARAMS, METHOD_NOT_FOUND, AdapterError
from protocol.jsonrpc import Request, error_response, result_response
from protocol.wire.acp import CANCELLED, BadParams, error_of

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

    from adapter.faces.base import Surroundings
    from protocol.events import EventParams
    from protocol.signals import HookFired, PermissionAsked, ToolCalled

log = logging.getLogger(__name__)

ACP = Dialect(batches=False, headers=False, cancel_method="$/cancel_request", cancel_key="requestId")


class AcpFace:
    """One editor, served.

    Args:
        around: the daemon's parts.
    """

    over_stdio = True

    def __init__(self, around: Surroundings) -> None:
        self._outbox = around.outbox
        self._settings = around.settings
        limit, opening = around.settings.max_message, around.opening
        self._peer = Peer(around.input, around.outbox, self._serve, limit=limit, dialect=ACP, opening=opening)
        self._methods = Methods(around, self, self._peer)
        self._questions = Questions(self._peer.request)

    async def run(self, tasks: TaskGroup) -> None:
        """Serve until the editor's end of input."""
        await self._peer.run(tasks)

    async def close(self, grace: float) -> None:
        """Let calls answer for `grace` seconds, cut short the rest, and wake who waits for the editor."""
        await self._peer.close(grace)

    # The sink of the sessions

    def emit(self, session_id: str, events: list[EventParams]) -> None:
        """Send what events become. See `Sink.emit`."""
        session = self._methods.by_own_id(session_id)
        if session is not None:
            session.emit(events)

    @property
    def share(self) -> int:
        """A session's share of unsent bytes."""
        return self._settings.session_backlog

    def backlog(self, session_id: str) -> int:
        """Bytes that the editor has not read yet."""
        return self._outbox.backlog(session_id)

    async def wait_ready(self, session_id: str) -> None:
        """Wait until the editor has read."""
        await self._outbox.wait_below(session_id, self.share)

    async def ask(self, session_id: str, turn_id: str | None, asked: PermissionAsked) -> Any:
        """Put a question to the editor. See `Sink.ask`."""
        session = self._methods.by_own_id(session_id)
        if session is None:
            raise QuestionFailed("the session is gone")
        return await self._questions.put(session, asked)

    async def call_tool(self, session_id: str, turn_id: str | None, called: ToolCalled) -> Any:
        """An editor brings its tools as MCP servers, and none of its own. See `Sink.call_tool`."""
        raise QuestionFailed("the editor has no tools of its own")

    async def run_hook(self, session_id: str, turn_id: str | None, fired: HookFired) -> Any:
        """An editor subscribes to none. See `Sink.run_hook`."""
        raise QuestionFailed("the editor has no hooks")

    # The error boundary

    async def _serve(self, call: Call) -> dict[str, Any] | None:
        """Handle one call; the response object, or None for a notification. Never raises."""
        message = call.message
        if not isinstance(message, Request):
            await self._take_notice(call)
            return None
        handler = self._methods.requests.get(message.method)
        if handler is None:
            return error_response(message.id, METHOD_NOT_FOUND, f"Method not found: {message.method}")
        try:
            with call.scope:
                return result_response(message.id, await handler(call, message.params))
        except BadParams as error:
            data = {"kind": "invalid_params", "errors": [{"path": error.path, "message": error.message}]}
            return error_response(message.id, INVALID_PARAMS, f"Invalid params: {error}", data)
        except AdapterError as error:
            return error_response(message.id, *error_of(error))
        except Exception:
            log.exception("%s failed", message.method)
            return error_response(message.id, INTERNAL_ERROR, "Internal error: this is a defect; the log has details")
        if call.withdrawn:
            return error_response(message.id, CANCELLED, "The request was cancelled", {"kind": "interrupted"})
        return error_response(message.id, INTERNAL_ERROR, "The daemon is shutting down", {"kind": "interrupted"})

    async def _take_notice(self, call: Call) -> None:
        handler = self._methods.notifications.get(call.message.method)
        if handler is None:
            return
        try:
            with call.scope:
                await handler(call.message.params)
        except (BadParams, AdapterError) as error:
            log.info("%s: %s", call.message.method, error)
        except Exception:
            log.exception("%s failed", call.message.method)
