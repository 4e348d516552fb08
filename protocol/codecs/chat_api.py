"""An answer in the words of OpenAI's Chat Completions API: a completion, or its chunks.

One id throughout, the role once, one `finish_reason`, then the usage where it was asked for, and `[DONE]`. Text blocks
are parted by an empty line, because here an answer is one text. Thinking is no part of it. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import json

from protocol.codecs.reply import End, Text, ToolUse
from protocol.httperrors import Failure

if TYPE_CHECKING:
    from protocol.codecs.answer import Answer
    from protocol.codecs.reply import Piece
    from protocol.events import TurnUsage

BLOCK_SEPARATOR = "\n\n"

FINISH_REASONS = {
    "end_turn": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}

_encode = json.Encoder().encode


class ChatStream:
    """Renders one answer as chunks.

    Args:
        id: the completion's.
        model: as told to the client.
        created: seconds since 1970.
        include_usage: whether a last chunk tells the usage.
    """

    ping = b": ping\n\n"

    def __init__(self, id: str, model: str, created: int, *, include_usage: bool) -> None:
        self._head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._include_usage = include_usage
        self._calls = 0
        self._has_text = self._is_parted = False

    def begin(self) -> bytes:
        """What comes first."""
        return self._chunk({"role": "assistant", "content": ""})

    def feed(self, piece: Piece) -> bytes:
        """The chunks of a piece."""
        if isinstance(piece, Text):
            if not piece.text:
                return b""
            parted = BLOCK_SEPARATOR if self._is_parted else ""
            self._has_text, self._is_parted = True, False
            return self._chunk({"content": parted + piece.text})
        if isinstance(piece, ToolUse):
            call = {"index": self._calls, **call_body(piece.id, piece.name, piece.input)}
            self._calls += 1
            return self._chunk({"tool_calls": [call]})
        if isinstance(piece, End):
            return self._end(piece)
        if isinstance(piece, Failure):
            return b"data: %s\n\n" % _encode(piece.body(openai=True, request_id=""))
        self._is_parted = self._has_text
        return b""

    def _end(self, end: End) -> bytes:
        last = self._chunk({}, FINISH_REASONS[end.stop_reason])
        if self._include_usage:
            last += b"data: %s\n\n" % _encode({**self._head, "choices": [], "usage": chat_usage(end.usage)})
        return last + b"data: [DONE]\n\n"

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        usage = {"usage": None} if self._include_usage else {}
        return b"data: %s\n\n" % _encode({**self._head, "choices": [choice], **usage})


def completion_of(id: str, model: str, created: int, answer: Answer) -> dict[str, Any]:
    """The whole answer as one completion."""
    calls = [call_body(call["id"], call["name"], call["input"]) for call in answer.calls]
    text = BLOCK_SEPARATOR.join(answer.texts)
    message: dict[str, Any] = {"role": "assistant", "content": None if calls and not text else text, "refusal": None}
    stop_reason = answer.end.stop_reason if answer.end is not None else "end_turn"
    choice = {
        "index": 0,
        "message": message | ({"tool_calls": calls} if calls else {}),
        "logprobs": None,
        "finish_reason": FINISH_REASONS[stop_reason],
    }
    return {
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": model,
        "choices": [choice],
        "usage": chat_usage(answer.usage),
    }


def call_body(id: str, name: str, input: Any) -> dict[str, Any]:
    """A call that the client is to run."""
    return {"id": id, "type": "function", "function": {"name": name, "arguments": _encode(input).decode()}}


def chat_usage(usage: TurnUsage) -> dict[str, Any]:
    """The tokens of all the turn's calls of the model, summed; here those read from a cache count as prompt, too."""
    prompt = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": usage.output_tokens,
        "total_tokens": prompt + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read_input_tokens},
    }
