"""Each API's way to tell an answer: which pure renderer makes the stream, and which the body. Adds the clock."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from protocol.codecs.chat_api import ChatStream, completion_of
from protocol.codecs.messages_api import MessagesStream, message_of
from protocol.codecs.responses_api import ResponsesStream, response_of

if TYPE_CHECKING:
    from adapter.faces.http.exchange import Rendering, Stream
    from protocol.codecs.answer import Answer
    from protocol.httperrors import Api
    from protocol.turnrequest import TurnRequest

ID_PREFIXES: dict[Api, str] = {"messages": "msg_", "chat": "chatcmpl-", "responses": "resp_"}
"""How the APIs' own ids begin; some clients look."""


class MessagesRendering:
    """The Messages API."""

    openai = False

    def stream(self, id: str, model: str, request_id: str) -> Stream:
        """See `Rendering`."""
        return MessagesStream(id, model, request_id)

    def body(self, id: str, model: str, answer: Answer) -> dict[str, Any]:
        """See `Rendering`."""
        return message_of(id, model, answer)


class ChatRendering:
    """OpenAI's Chat Completions."""

    openai = True

    def __init__(self, *, include_usage: bool) -> None:
        self._include_usage = include_usage
        self._created = int(time.time())

    def stream(self, id: str, model: str, request_id: str) -> Stream:
        """See `Rendering`."""
        return ChatStream(id, model, self._created, include_usage=self._include_usage)

    def body(self, id: str, model: str, answer: Answer) -> dict[str, Any]:
        """See `Rendering`."""
        return completion_of(id, model, self._created, answer)


class ResponsesRendering:
    """OpenAI's Responses."""

    openai = True

    def __init__(self, previous: str | None) -> None:
        self._previous = previous
        self._created = int(time.time())

    def stream(self, id: str, model: str, request_id: str) -> Stream:
        """See `Rendering`."""
        return ResponsesStream(id, model, self._created, self._previous)

    def body(self, id: str, model: str, answer: Answer) -> dict[str, Any]:
        """See `Rendering`."""
        return response_of(id, model, self._created, self._previous, answer)


def rendering_of(request: TurnRequest) -> Rendering:
    """The rendering for a request."""
    if request.api == "chat":
        return ChatRendering(include_usage=request.include_usage)
    return ResponsesRendering(request.previous) if request.api == "responses" else MessagesRendering()
