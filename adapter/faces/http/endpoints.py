"""The endpoints beside the turns: models, sessions, the guess at tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from adapter.faces.http.body import read_json, tell_json
from adapter.faces.http.conversations import id_of
from protocol.httperrors import not_found
from protocol.tokens import estimate_tokens
from protocol.wire.messages_api import read_messages_request

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from adapter.faces.http.conversation import Conversation
    from adapter.faces.http.conversations import Conversations
    from adapter.faces.http.models import Models

ESTIMATE_HEADER = "x-agent-adapter-estimate"
"""Set where a number is a guess."""


class Endpoints:
    """What can be asked without a turn.

    Args:
        conversations: all of them.
        models: the list.
    """

    def __init__(self, conversations: Conversations, models: Models) -> None:
        self._conversations = conversations
        self._models = models

    async def list_models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        return tell_json(request, await self._models.page(request.query_params))

    async def show_model(self, request: Request) -> Response:
        """`GET /v1/models/{id}`."""
        return tell_json(request, await self._models.find(request.path_params["id"]))

    async def count_tokens(self, request: Request) -> Response:
        """`POST /v1/messages/count_tokens`: a guess."""
        asked = read_messages_request(read_json(await request.body()), may_end_anyhow=True)
        return tell_json(request, {"input_tokens": estimate_tokens(asked)}, headers={ESTIMATE_HEADER: "true"})

    async def list_sessions(self, request: Request) -> Response:
        """`GET /v1/sessions`."""
        return tell_json(request, {"object": "list", "data": [_session(each) for each in self._conversations.all()]})

    async def show_session(self, request: Request) -> Response:
        """`GET /v1/sessions/{id}`."""
        return tell_json(request, _session(self._find(request)))

    async def end_session(self, request: Request) -> Response:
        """`DELETE /v1/sessions/{id}`: its turn is interrupted, its process ended, its history forgotten here."""
        conversation = self._find(request)
        await self._conversations.end(conversation.id)
        return tell_json(request, {"id": conversation.id, "object": "session", "deleted": True})

    def _find(self, request: Request) -> Conversation:
        id = request.path_params["id"]
        conversation = self._conversations.find(id_of(id))
        if conversation is None:
            raise not_found(f"There is no session {id!r}.")
        return conversation


def _session(conversation: Conversation) -> dict[str, Any]:
    """A conversation and its session; `ended` where the next request has to bring it back."""
    session = conversation.session
    record = session.record() if session is not None else conversation.last_record
    told = {name: getattr(record, name, None) for name in _SESSION_MEMBERS}
    usage = msgspec.to_builtins(record.usage) if record is not None else None
    return {
        "id": conversation.id,
        "object": "session",
        "state": record.state if session is not None and record is not None else "ended",
        "requests": conversation.users,
        "user": conversation.user,
        **told,
        "usage": usage,
    }


_SESSION_MEMBERS = (
    "provider",
    "provider_session_id",
    "working_dir",
    "model",
    "created_at",
    "last_used_at",
    "turns",
    "cost_usd",
)
