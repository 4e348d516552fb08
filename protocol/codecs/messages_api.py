"""An answer in the Messages API's words: a message, or the stream of events that builds one.

One `message_start`, blocks numbered from 0, one `message_delta` and `message_stop`; or an `error` event and nothing
after it. Both official client libraries read such a stream rightly, and corrupt or refuse one with two beginnings
(measured with anthropic 2.11 for Python and 1.11 for TypeScript). Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import json

from protocol.codecs.reply import End, Text, Thinking, ToolUse, Whole
from protocol.events import TurnUsage
from protocol.httperrors import Failure

if TYPE_CHECKING:
    from protocol.codecs.answer import Answer
    from protocol.codecs.reply import Piece

_encode = json.Encoder().encode

PING = b'event: ping\ndata: {"type":"ping"}\n\n'

_STARTS: dict[type, dict[str, Any]] = {
    Text: {"type": "text", "text": ""},
    Thinking: {"type": "thinking", "thinking": "", "signature": ""},
}


class MessagesStream:
    """Renders one answer as server-sent events.

    Args:
        id: the message's.
        model: as told to the client.
        request_id: told with an error.
    """

    ping = PING

    def __init__(self, id: str, model: str, request_id: str) -> None:
        self._id = id
        self._model = model
        self._request_id = request_id
        self._index = -1
        self._open: type | None = None

    def begin(self) -> bytes:
        """What comes first."""
        message = message_body(self._id, self._model, [], None, TurnUsage())
        return _event({"type": "message_start", "message": message}) + PING

    def feed(self, piece: Piece) -> bytes:
        """The events of a piece."""
        kind = type(piece)
        if isinstance(piece, Text):
            if not piece.text:
                return b""
            return self._open_block(kind) + self._delta({"type": "text_delta", "text": piece.text})
        if isinstance(piece, Thinking):
            return self._open_block(kind) + self._delta({"type": "thinking_delta", "thinking": piece.text})
        if isinstance(piece, ToolUse):
            start = {"type": "tool_use", "id": piece.id, "name": piece.name, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": _encode(piece.input).decode()}
            return self._close_block() + self._start(start) + self._delta(delta) + self._stop()
        if isinstance(piece, Whole):
            return self._close_block() + self._start(piece.block) + self._stop()
        if isinstance(piece, End):
            return self._end(piece)
        if isinstance(piece, Failure):
            return _event(piece.body(openai=False, request_id=self._request_id))
        return self._close_block()

    def _end(self, end: End) -> bytes:
        empty = self._start(_STARTS[Text]) + self._stop() if self._index < 0 else b""
        delta = {"stop_reason": end.stop_reason, "stop_sequence": None}
        last = {"type": "message_delta", "delta": delta, "usage": usage_body(end.usage)}
        return self._close_block() + empty + _event(last) + _event({"type": "message_stop"})

    def _open_block(self, kind: type) -> bytes:
        if self._open is kind:
            return b""
        closed = self._close_block()
        started = self._start(_STARTS[kind])
        self._open = kind
        return closed + started

    def _close_block(self) -> bytes:
        if self._open is None:
            return b""
        self._open = None
        return self._stop()

    def _start(self, block: dict[str, Any]) -> bytes:
        self._index += 1
        return _event({"type": "content_block_start", "index": self._index, "content_block": block})

    def _delta(self, delta: dict[str, Any]) -> bytes:
        return _event({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _stop(self) -> bytes:
        return _event({"type": "content_block_stop", "index": self._index})


def message_of(id: str, model: str, answer: Answer) -> dict[str, Any]:
    """The whole answer as one message."""
    stop_reason = answer.end.stop_reason if answer.end is not None else None
    return message_body(id, model, answer.blocks, stop_reason, answer.usage)


def message_body(
    id: str, model: str, content: list[dict[str, Any]], stop_reason: str | None, usage: TurnUsage
) -> dict[str, Any]:
    """A message of the API."""
    return {
        "id": id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage_body(usage),
    }


def usage_body(usage: TurnUsage) -> dict[str, int]:
    """The tokens of all the turn's calls of the model, summed."""
    return {
        "input_tokens": usage.input_tokens,
        "cache_creation_input_tokens": usage.cache_creation_input_tokens,
        "cache_read_input_tokens": usage.cache_read_input_tokens,
        "output_tokens": usage.output_tokens,
    }


def _event(data: dict[str, Any]) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (data["type"].encode(), _encode(data))
