"""Each API's way to tell an answer, by its name: which pure renderer makes the stream, and which the body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from protocol.codecs.messages_api import MessagesStream, message_of

if TYPE_CHECKING:
    from adapter.faces.http.exchange import Rendering, Stream
    from protocol.codecs.answer import Answer
    from protocol.httperrors import Api
    from protocol.turnrequest import TurnRequest


class MessagesRendering:
    """The Messages API."""

    openai = False

    def stream(self, id: str, model: str, request_id: str) -> Stream:
        """See `Rendering`."""
        return MessagesStream(id, model, request_id)

    def body(self, id: str, model: str, answer: Answer) -> dict[str, Any]:
        """See `Rendering`."""
        return message_of(id, model, answer)


def rendering_of(request: TurnRequest) -> Rendering:
    """The rendering for a request."""
    return MessagesRendering()


ID_PREFIXES: dict[Api, str] = {"messages": "msg_", "chat": "chatcmpl-", "responses": "resp_"}
"""How the APIs' own ids begin; some clients look."""
