"""Turns steps into Messages API answers: a streamed one event by event, or a whole message at once.

Owns the API's shapes (https://docs.anthropic.com/en/api/messages-streaming, and what claude 2.1.x accepts). No socket
of its own: it writes through a `Connection`. Only this package imports it.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from .steps import Cut, EndBlock, Gate, Hang, Pause, Raw, Step, Stop, Text, Thinking, Tool

INPUT_TOKENS = 10
# A tool's input comes in pieces of this size, small enough that every real input has more than one.
INPUT_PIECE_CHARACTERS = 24
ERROR_KINDS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class ClientLeft(Exception):
    """The client closed its end, or the server is being stopped: the answer is given up."""


class Connection(Protocol):
    """What an answer needs of the socket it goes to. Every method raises `ClientLeft` when there is nobody left."""

    def begin(self) -> None:
        """Send the headers of a streamed answer, once."""

    def send(self, data: bytes) -> None:
        """Send a piece of the stream."""

    def pause(self, seconds: float) -> None:
        """Wait so long."""

    def wait_gate(self, name: str) -> None:
        """Wait until the gate is released."""

    def hang(self) -> None:
        """Wait for the client to leave."""

    def cut(self, *, reset: bool) -> None:
        """End the connection now, without a proper end of the stream."""


def error_body(status: int, number: int) -> dict[str, Any]:
    """The JSON of an API error."""
    kind = ERROR_KINDS.get(status, "api_error")
    return {"type": "error", "error": {"type": kind, "message": f"Pretended {kind}"}, "request_id": f"req_{number}"}


def stop_reason(steps: Iterable[Step]) -> tuple[str, int]:
    """The stop reason and output tokens of a message made of these steps."""
    steps = list(steps)
    natural = "tool_use" if any(isinstance(step, Tool) for step in steps) else "end_turn"
    for step in steps:
        if isinstance(step, Stop):
            return step.reason or natural, step.output_tokens
    return natural, Stop().output_tokens


def sse(event: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"event: {event['type']}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n".encode()


def wait(step: Step, connection: Connection) -> None:
    """Do the waiting that a step asks for, if any."""
    match step:
        case Pause(seconds):
            connection.pause(seconds)
        case Gate(name):
            connection.wait_gate(name)
        case Hang():
            connection.hang()
        case _:
            pass


class StreamedAnswer:
    """Plays steps as a streamed message on one connection."""

    def __init__(self, connection: Connection, number: int, model: str) -> None:
        self._connection = connection
        self._number = number
        self._model = model
        self._index = 0
        self._open: str | None = None

    def play(self, steps: list[Step]) -> None:
        """Play all steps. Raises `ClientLeft` where the client goes away; returns early after a `Cut`."""
        if any(step == Hang("before_headers") for step in steps):
            self._connection.hang()
        if any(step == Cut(reset=True) for step in steps):
            self._connection.cut(reset=True)
            return
        self._connection.begin()
        if any(step == Hang("before_events") for step in steps):
            self._connection.hang()
        self._send(self._message_start())
        for step in steps:
            if isinstance(step, Cut):
                self._connection.cut(reset=False)
                return
            self._play_step(step)
        self._close_block()
        reason, tokens = stop_reason(steps)
        delta = {"stop_reason": reason, "stop_sequence": None}
        self._send({"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens}})
        self._send({"type": "message_stop"})

    def _play_step(self, step: Step) -> None:
        match step:
            case Text(text):
                self._delta("text", {"type": "text", "text": ""}, {"type": "text_delta", "text": text})
            case Thinking(text):
                start = {"type": "thinking", "thinking": "", "signature": ""}
                self._delta("thinking", start, {"type": "thinking_delta", "thinking": text})
            case Tool():
                self._tool(step)
            case EndBlock():
                self._close_block()
            case Raw(data):
                self._connection.send(data)
            case _:
                wait(step, self._connection)

    def _send(self, event: Mapping[str, Any]) -> None:
        self._connection.send(sse(event))

    def _message_start(self) -> dict[str, Any]:
        return {"type": "message_start", "message": {**message_head(self._number, self._model), "content": []}}

    def _delta(self, kind: str, start: Mapping[str, Any], delta: Mapping[str, Any]) -> None:
        if self._open != kind:
            self._close_block()
            self._send({"type": "content_block_start", "index": self._index, "content_block": start})
            self._open = kind
        self._send({"type": "content_block_delta", "index": self._index, "delta": delta})

    def _tool(self, step: Tool) -> None:
        self._close_block()
        block = {**tool_block(step, self._number, self._index), "input": {}}
        self._send({"type": "content_block_start", "index": self._index, "content_block": block})
        self._open = "tool_use"
        text = json.dumps(step.input, ensure_ascii=False)
        for at in range(0, len(text), INPUT_PIECE_CHARACTERS):
            piece = {"type": "input_json_delta", "partial_json": text[at : at + INPUT_PIECE_CHARACTERS]}
            self._send({"type": "content_block_delta", "index": self._index, "delta": piece})
        self._close_block()

    def _close_block(self) -> None:
        if self._open is None:
            return
        if self._open == "thinking":
            delta = {"type": "signature_delta", "signature": "c2lnbmVk"}
            self._send({"type": "content_block_delta", "index": self._index, "delta": delta})
        self._send({"type": "content_block_stop", "index": self._index})
        self._open = None
        self._index += 1


def tool_block(step: Tool, number: int, index: int) -> dict[str, Any]:
    """A whole tool_use block; its id is unique within the server's life."""
    return {"type": "tool_use", "id": f"toolu_{number}_{index}", "name": step.name, "input": dict(step.input)}


def message_head(number: int, model: str) -> dict[str, Any]:
    """A message without its content, as it stands at its start."""
    return {
        "id": f"msg_{number}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT_TOKENS,
            "output_tokens": 1,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        },
    }


def whole_message(steps: list[Step], number: int, model: str, connection: Connection) -> dict[str, Any] | None:
    """The same steps as one message, for a request that does not stream; None where the connection was cut.

    The CLI asks so when a stream broke off in the middle of a block (measured with claude 2.1.197 and 2.1.329).
    """
    content: list[dict[str, Any]] = []
    for step in steps:
        match step:
            case Text(text):
                if not content or content[-1]["type"] != "text":
                    content.append({"type": "text", "text": ""})
                content[-1]["text"] += text
            case Thinking(text):
                if not content or content[-1]["type"] != "thinking":
                    content.append({"type": "thinking", "thinking": "", "signature": "c2lnbmVk"})
                content[-1]["thinking"] += text
            case Tool():
                content.append(tool_block(step, number, len(content)))
            case Cut() | Raw():
                connection.cut(reset=step == Cut(reset=True))
                return None
            case _:
                wait(step, connection)
    reason, tokens = stop_reason(steps)
    head = message_head(number, model)
    return {**head, "content": content, "stop_reason": reason, "usage": {**head["usage"], "output_tokens": tokens}}
