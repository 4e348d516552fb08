"""An answer in the words of OpenAI's Responses API: a response object, or the events that build one.

Each event has its number; the last is one of `response.completed`, `response.incomplete` and `response.failed`, and
comes once. All text before a call is one item with one part, text blocks parted by an empty line. Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import json

from protocol.codecs.chat_api import BLOCK_SEPARATOR
from protocol.codecs.reply import End, Text, ToolUse
from protocol.httperrors import Failure

if TYPE_CHECKING:
    from protocol.codecs.answer import Answer
    from protocol.codecs.reply import Piece
    from protocol.events import TurnUsage

_INCOMPLETE = {"max_tokens": "max_output_tokens", "refusal": "content_filter"}
_Item = dict[str, Any]

_encode = json.Encoder().encode


class ResponsesStream:
    """Renders one answer as events.

    Args:
        id: the response's.
        model: as told to the client.
        created: seconds since 1970.
        previous: the id of the response that it goes on from.
    """

    ping = b": ping\n\n"

    def __init__(self, id: str, model: str, created: int, previous: str | None) -> None:
        self._head = _Head(id, model, created, previous)
        self._number = 0
        self._items: list[_Item] = []
        self._texts: list[str] | None = None
        self._is_parted = False

    def begin(self) -> bytes:
        """What comes first."""
        response = self._head.body("in_progress", [], None)
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def feed(self, piece: Piece) -> bytes:
        """The events of a piece."""
        if isinstance(piece, Text):
            return self._add_text(piece.text) if piece.text else b""
        if isinstance(piece, ToolUse):
            return self._close_text() + self._add_call(piece)
        if isinstance(piece, End):
            return self._close_text() + self._end(piece)
        if isinstance(piece, Failure):
            return self._close_text("incomplete") + self._fail(piece)
        self._is_parted = self._texts is not None
        return b""

    def _add_text(self, text: str) -> bytes:
        opened = b""
        if self._texts is None:
            self._texts = []
            item = message_item(self._item_id("msg"), [], "in_progress")
            opened = self._event("response.output_item.added", output_index=len(self._items), item=item)
            opened += self._event("response.content_part.added", **self._place, part=text_part(""))
        elif self._is_parted:
            text = BLOCK_SEPARATOR + text
        self._is_parted = False
        self._texts.append(text)
        return opened + self._event("response.output_text.delta", **self._place, delta=text, logprobs=[])

    def _close_text(self, status: str = "completed") -> bytes:
        if self._texts is None:
            return b""
        text, place = "".join(self._texts), self._place
        item = message_item(self._item_id("msg"), [text], status)
        done = self._event("response.output_text.done", **place, text=text, logprobs=[])
        done += self._event("response.content_part.done", **place, part=text_part(text))
        done += self._event("response.output_item.done", output_index=len(self._items), item=item)
        self._items.append(item)
        self._texts, self._is_parted = None, False
        return done

    def _add_call(self, call: ToolUse) -> bytes:
        at, arguments = len(self._items), _encode(call.input).decode()
        item = call_item(self._item_id("fc"), call.id, call.name, arguments)
        self._items.append(item)
        place = {"output_index": at, "item_id": item["id"]}
        begun = {**item, "arguments": "", "status": "in_progress"}
        return (
            self._event("response.output_item.added", output_index=at, item=begun)
            + self._event("response.function_call_arguments.delta", **place, delta=arguments)
            + self._event("response.function_call_arguments.done", **place, name=call.name, arguments=arguments)
            + self._event("response.output_item.done", output_index=at, item=item)
        )

    def _end(self, end: End) -> bytes:
        response = self._head.ended(end.stop_reason, self._items, end.usage)
        return self._event(f"response.{response['status']}", response=response)

    def _fail(self, failure: Failure) -> bytes:
        response = self._head.body("failed", self._items, None)
        code = "rate_limit_exceeded" if failure.type == "rate_limit_error" else "server_error"
        response["error"] = {"code": code, "message": failure.message}
        return self._event("response.failed", response=response)

    @property
    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item_id("msg"), "output_index": len(self._items), "content_index": 0}

    def _item_id(self, kind: str) -> str:
        return item_id(kind, self._head.id, len(self._items))

    def _event(self, type: str, **data: Any) -> bytes:
        event = {"type": type, "sequence_number": self._number, **data}
        self._number += 1
        return b"event: %s\ndata: %s\n\n" % (type.encode(), _encode(event))


def response_of(id: str, model: str, created: int, previous: str | None, answer: Answer) -> dict[str, Any]:
    """The whole answer as one response object."""
    items: list[_Item] = []
    texts: list[str] = []

    def close() -> None:
        if texts:
            items.append(message_item(item_id("msg", id, len(items)), [BLOCK_SEPARATOR.join(texts)], "completed"))
            texts.clear()

    for block in answer.blocks:
        if block["type"] == "text" and block["text"]:
            texts.append(block["text"])
        elif block["type"] == "tool_use":
            close()
            arguments = _encode(block["input"]).decode()
            items.append(call_item(item_id("fc", id, len(items)), block["id"], block["name"], arguments))
    close()
    stop_reason = answer.end.stop_reason if answer.end is not None else "end_turn"
    return _Head(id, model, created, previous).ended(stop_reason, items, answer.usage)


class _Head:
    """What every state of a response has."""

    def __init__(self, id: str, model: str, created: int, previous: str | None) -> None:
        self.id = id
        self._model = model
        self._created = created
        self._previous = previous

    def body(self, status: str, output: list[_Item], usage: TurnUsage | None) -> dict[str, Any]:
        """A response object."""
        return {
            "id": self.id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "model": self._model,
            "output": list(output),
            "usage": None if usage is None else responses_usage(usage),
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "metadata": {},
            "parallel_tool_calls": True,
            "previous_response_id": self._previous,
            "temperature": None,
            "tool_choice": "auto",
            "tools": [],
            "top_p": None,
        }

    def ended(self, stop_reason: str, output: list[_Item], usage: TurnUsage) -> dict[str, Any]:
        """A response that has come to its end."""
        reason = _INCOMPLETE.get(stop_reason)
        response = self.body("incomplete" if reason else "completed", output, usage)
        response["incomplete_details"] = {"reason": reason} if reason else None
        return response


def item_id(kind: str, response_id: str, at: int) -> str:
    """The id of an item: made from the response's, so that stream and body agree."""
    return f"{kind}_{response_id.removeprefix('resp_')}_{at}"


def message_item(id: str, texts: list[str], status: str) -> _Item:
    """Text as an item of the output."""
    content = [text_part(text) for text in texts]
    return {"id": id, "type": "message", "status": status, "role": "assistant", "content": content}


def text_part(text: str) -> _Item:
    """Text as a part of an item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(id: str, call_id: str, name: str, arguments: str) -> _Item:
    """A call that the client is to run, as an item of the output."""
    item = {"id": id, "type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    return {**item, "status": "completed"}


def responses_usage(usage: TurnUsage) -> dict[str, Any]:
    """The tokens of all the turn's calls of the model, summed; those read from a cache count as input, too."""
    read = usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens
    return {
        "input_tokens": read,
        "input_tokens_details": {"cached_tokens": usage.cache_read_input_tokens},
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": read + usage.output_tokens,
    }
