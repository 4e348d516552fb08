"""The HTTP response of one request for a turn: a reply as a stream of events, or as one body.

Owns when the headers go out: with the first piece, so that an early failure still has its own status; or when a client
would begin to think that nobody is there. Watches for the client's going.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import anyio
from msgspec import json

from adapter.faces.http.refusals import id_headers
from protocol.httperrors import INTERRUPTED, Failure

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from adapter.faces.http.reply import Reader, Reply
    from protocol.codecs.answer import Answer
    from protocol.codecs.reply import Piece

STREAM_HEADERS = {
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache",
    "x-accel-buffering": "no",
}
JSON_HEADERS = {"content-type": "application/json"}

_encode = json.Encoder().encode


class Stream(Protocol):
    """Renders the pieces of one answer for one API."""

    ping: bytes

    def begin(self) -> bytes:
        """What comes first."""

    def feed(self, piece: Piece) -> bytes:
        """What a piece becomes."""


class Rendering(Protocol):
    """One API's way to tell an answer."""

    openai: bool

    def stream(self, id: str, model: str, request_id: str) -> Stream:
        """The answer in pieces."""

    def body(self, id: str, model: str, answer: Answer) -> dict[str, Any]:
        """The answer as a whole."""


class Exchange:
    """Answers one request from a reply. An ASGI application.

    Args:
        reply: what to tell.
        rendering: in which API's words.
        stream: whether in pieces.
        request_id: for the headers and for errors.
        ignored: members of the request that changed nothing.
        ping_interval: seconds of silence after which a ping goes out.
    """

    def __init__(
        self,
        reply: Reply,
        rendering: Rendering,
        *,
        stream: bool,
        request_id: str,
        ignored: list[str],
        ping_interval: float,
    ) -> None:
        self._reply = reply
        self._rendering = rendering
        self._stream = stream
        self._request_id = request_id
        self._ignored = ignored
        self._ping_interval = ping_interval

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; return when all is sent, or the client has gone."""
        with self._reply.reader() as reader:
            async with anyio.create_task_group() as tasks:

                async def watch() -> None:
                    while (await receive())["type"] != "http.disconnect":
                        pass
                    tasks.cancel_scope.cancel()

                tasks.start_soon(watch)
                await (self._tell_pieces(reader, send) if self._stream else self._tell_whole(reader, send))
                tasks.cancel_scope.cancel()

    async def _tell_pieces(self, reader: Reader, send: Send) -> None:
        asked_late = self._reply.ended.is_set()
        pieces = await reader.next(self._ping_interval)
        # One that had failed before anything was sent, as when it is asked for again, fails with its status.
        if pieces and isinstance(failure := pieces[-1], Failure) and (asked_late or len(pieces) == 1):
            await self._tell_failure(failure, send)
            return
        told = self._reply.told
        stream = self._rendering.stream(self._reply.id, told.model, self._request_id)
        await self._begin(send, 200, STREAM_HEADERS)
        data = stream.begin()
        while True:
            data += b"".join([stream.feed(piece) for piece in pieces]) if pieces else stream.ping
            over = self._reply.ended.is_set() and reader.at_end
            await send({"type": "http.response.body", "body": data, "more_body": not over})
            if over:
                return
            data = b""
            pieces = await reader.next(self._ping_interval)

    async def _tell_whole(self, reader: Reader, send: Send) -> None:
        while not self._reply.ended.is_set():
            await reader.next(None)
        answer = self._reply.answer
        if answer.end is None:
            await self._tell_failure(answer.failure or INTERRUPTED, send)
            return
        body = _encode(self._rendering.body(self._reply.id, self._reply.told.model, answer))
        await self._send_json(send, 200, body)

    async def _tell_failure(self, failure: Failure, send: Send) -> None:
        body = _encode(failure.body(openai=self._rendering.openai, request_id=self._request_id))
        await self._send_json(send, failure.status, body, failure.headers)

    async def _send_json(self, send: Send, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        await self._begin(send, status, {**JSON_HEADERS, "content-length": str(len(body)), **(more or {})})
        await send({"type": "http.response.body", "body": body})

    async def _begin(self, send: Send, status: int, headers: dict[str, str]) -> None:
        told = self._reply.told
        ours = {
            **id_headers(self._request_id),
            "x-agent-adapter-session": told.session_id,
            "x-agent-adapter-history": told.history,
        }
        if self._ignored:
            ours["x-agent-adapter-ignored"] = ", ".join(self._ignored)
        raw = [(name.encode(), _header(value)) for name, value in (headers | ours).items()]
        await send({"type": "http.response.start", "status": status, "headers": raw})


def _header(value: str) -> bytes:
    """A header's value: names of members come from the client, so they may hold anything."""
    return "".join(char if " " <= char <= "~" else "?" for char in value)[:1000].encode()
