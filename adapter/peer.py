"""One end of a JSON-RPC link, both ways at once: for the parent, and for children that speak JSON-RPC.

One reader that never waits for a handler, one writer (the outbox). Each request runs in a task of its own; its
answer goes out when it is ready. Requests of ours wait in `_pending` for their answers. Knows no method. What is
wrong gets its error, and the link lives on.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio

from adapter import stdio
from adapter.opening import Opening
from protocol import jsonrpc, jsontext
from protocol.errors import INVALID_REQUEST, PARSE_ERROR, AdapterError, ErrorKind
from protocol.framing import Frame, LineFramer, Oversized, ParentFramer, Unframed, frame_alike
from protocol.jsonrpc import Batch, Malformed, Message, Notification, Request, Response

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 1024
"""Requests handled at once. A parent with more in flight is told `busy` instead of filling our memory."""

MAX_UNREAD = 16 * 1024 * 1024
"""Unsent bytes at which no further request is read: a parent that asks and asks and never reads its answers."""


@dataclass(eq=False)
class Call:
    """One request or notification on its way through a handler."""

    message: Request | Notification
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    """Entered by the dispatcher around the handler's work; cancelled when the link ends."""
    withdrawn: bool = False
    """Whether the caller itself has taken it back."""
    answered: bool = False
    """Whether its answer is out already (see `adapter.opening`)."""
    after_reply: list[Callable[[], None]] = field(default_factory=list)
    """Run once the answer is queued: what must not be seen before it."""


Serve = Callable[[Call], Awaitable[dict[str, Any] | None]]
"""Handles one call; gives the response object, or None for a notification. Never raises."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """What protocols over JSON-RPC settle differently.

    Attributes:
        batches: whether an array is a batch; else it is one invalid request.
        headers: whether the other side may choose header framing.
        cancel_method: the notification that takes a request back.
        cancel_key: its param with the request's id.
    """

    batches: bool = True
    headers: bool = True
    cancel_method: str = "cancel_request"
    cancel_key: str = "id"


NATIVE = Dialect()
"""The wire contract's."""


class RequestFailed(Exception):
    """A request of ours was answered with an error, or the link ended before an answer."""


class Peer:
    """The link with the process on the other side of two descriptors.

    Args:
        input: descriptor to read.
        outbox: writer of the other descriptor.
        serve: handles the other side's requests and notifications.
        limit: bytes of the longest message that is taken.
        dialect: what this link's protocol settles.
        opening: what was heard and said on it before; None for nothing.
    """

    def __init__(
        self,
        input: int,
        outbox: stdio.Outbox,
        serve: Serve,
        *,
        limit: int,
        dialect: Dialect = NATIVE,
        opening: Opening | None = None,
    ) -> None:
        self._input = input
        self._outbox = outbox
        self._serve = serve
        self._limit = limit
        self._dialect = dialect
        self._opening = opening or Opening(ParentFramer(limit) if dialect.headers else LineFramer(limit))
        self._framer = self._opening.framer
        self._pending: dict[jsonrpc.Id, _Pending] = {}
        self._calls: set[Call] = set()
        self._answering = 0
        self._quiet = anyio.Event()
        self._next_id = 0
        self._tasks: TaskGroup | None = None

    async def run(self, tasks: TaskGroup) -> None:
        """Read until the end of input. Calls run in `tasks`, and go on after the end.

        Args:
            tasks: outlives this call.
        """
        self._tasks = tasks
        self._take_over(self._opening)
        while not self._opening.ended and (chunk := await stdio.read_chunk(self._input)):
            for frame in self._framer.feed(chunk):
                self._receive(frame)
            await self._outbox.wait_below(None, MAX_UNREAD)
        for frame in self._framer.eof():
            self._receive(frame)

    def cancel_call(self, id: jsonrpc.Id) -> None:
        """Cut short what is being handled for one request of the other side, if it still is."""
        for call in list(self._calls):
            if isinstance(call.message, Request) and call.message.id == id:
                call.withdrawn = True
                call.scope.cancel()

    async def close(self, grace: float) -> None:
        """Wake everybody who waits for the other side, let calls answer for `grace` seconds, and cut short the rest:
        those are answered with `interrupted`."""
        for pending in list(self._pending.values()):
            pending.settle(Response(None, error={"code": 0, "message": "the link is closed"}))
        with anyio.move_on_after(grace):
            await self.wait_quiet()
        for call in list(self._calls):
            call.scope.cancel()
        with anyio.move_on_after(grace):
            await self.wait_quiet()

    async def wait_quiet(self) -> None:
        """Wait until everything that was asked has been answered."""
        while self._answering:
            self._quiet = anyio.Event()
            await self._quiet.wait()

    def notify(self, method: str, params: dict[str, Any], *, lane: str | None = None) -> None:
        """Send a notification."""
        self.send(jsonrpc.notification(method, params), lane=lane)

    async def request(self, method: str, params: dict[str, Any], *, lane: str | None = None) -> Any:
        """Send a request and wait for its result. When cancelled, the other side is told by `cancel_request`.

        Raises:
            RequestFailed: it was answered with an error, or the link ended.
        """
        self._next_id += 1
        id = self._next_id
        pending = self._pending[id] = _Pending()
        self.send(jsonrpc.request(id, method, params), lane=lane)
        try:
            await pending.settled.wait()
        except anyio.get_cancelled_exc_class():
            self.notify(self._dialect.cancel_method, {self._dialect.cancel_key: id}, lane=lane)
            raise
        finally:
            del self._pending[id]
        response = pending.response
        if response is None or response.error is not None:
            raise RequestFailed(str(((response and response.error) or {}).get("message", "no answer")))
        return response.result

    def send(self, value: Any, *, lane: str | None = None) -> None:
        """Send one message, given as a value."""
        self.send_bytes([jsontext.dumps(value)], lane=lane)

    def send_bytes(self, bodies: list[bytes], *, lane: str | None = None) -> None:
        """Send rendered messages in one write, framed as the other side frames its own."""
        self._outbox.put(frame_alike(self._framer, bodies), lane)

    def _take_over(self, opening: Opening) -> None:
        self._outbox.put(opening.unsent)
        for at, frame in enumerate(opening.frames):
            self._receive(frame, answered=opening.answered and at == 0)

    def _receive(self, frame: Frame, *, answered: bool = False) -> None:
        if isinstance(frame, Oversized):
            text = f"Invalid Request: a message of {frame.size} bytes; at most {self._limit} are taken"
            self.send(jsonrpc.error_response(None, INVALID_REQUEST, text))
        elif isinstance(frame, Unframed):
            self.send(jsonrpc.error_response(None, PARSE_ERROR, f"Parse error: {frame.reason}"))
        else:
            self._handle(jsonrpc.parse(frame), answered=answered)

    def _handle(self, message: Message, *, answered: bool = False) -> None:
        if isinstance(message, Response):
            self._settle(message)
        elif isinstance(message, Malformed):
            if (answer := self._reject(message)) is not None:
                self.send(answer)
        elif isinstance(message, Batch) and not self._dialect.batches:
            self.send(jsonrpc.error_response(None, INVALID_REQUEST, "Invalid Request: this protocol has no batches"))
        elif isinstance(message, Batch):
            self._start(self._answer_batch, message)
        elif len(self._calls) >= MAX_IN_FLIGHT:
            self._refuse(message, self.send)
        else:
            call = Call(message, answered=answered)
            self._calls.add(call)
            self._start(self._answer, call)

    def _start(self, answer: Callable[[Any], Awaitable[None]], message: Any) -> None:
        async def run() -> None:
            try:
                await answer(message)
            finally:
                self._answering -= 1
                self._quiet.set()

        assert self._tasks is not None
        self._answering += 1
        self._tasks.start_soon(run)

    def _settle(self, response: Response) -> None:
        pending = self._pending.get(response.id)
        if pending is None:
            log.debug("an answer to no open request: id %r", response.id)
        else:
            pending.settle(response)

    def _reject(self, message: Malformed) -> dict[str, Any] | None:
        """What is to be said of something that is no message. A broken answer is an answer: none other will come."""
        if message.names_no_method and message.id in self._pending:
            self._settle(Response(message.id, error={"code": message.code, "message": message.message}))
        return message.answer()

    def _refuse(self, message: Request | Notification, answer: Callable[[dict[str, Any]], None]) -> None:
        if isinstance(message, Request):
            error = AdapterError(
                ErrorKind.BUSY, f"More than {MAX_IN_FLIGHT} requests at once.", hint="Wait for answers first."
            )
            answer(jsonrpc.error_response(message.id, error.code, error.message, error.data))

    async def _answer(self, call: Call) -> None:
        try:
            reply = await self._serve(call)
            if reply is not None and not call.answered:
                self.send(reply)
        finally:
            self._calls.discard(call)
        for hook in call.after_reply:
            hook()

    async def _answer_batch(self, batch: Batch) -> None:
        """The answers of a batch go out in one array, when the slowest is ready (JSON-RPC 2.0, section 6)."""
        replies: list[dict[str, Any]] = []
        calls: list[Call] = []

        async def answer(call: Call) -> None:
            try:
                reply = await self._serve(call)
                if reply is not None:
                    replies.append(reply)
            finally:
                self._calls.discard(call)

        async with anyio.create_task_group() as tasks:
            for item in batch.items:
                if isinstance(item, Response):
                    self._settle(item)
                elif isinstance(item, Malformed):
                    replies += filter(None, [self._reject(item)])
                elif len(self._calls) >= MAX_IN_FLIGHT:
                    self._refuse(item, replies.append)
                else:
                    call = Call(item)
                    self._calls.add(call)
                    calls.append(call)
                    tasks.start_soon(answer, call)
        if replies:
            self.send(replies)
        for call in calls:
            for hook in call.after_reply:
                hook()


class _Pending:
    """A request of ours that waits for its answer."""

    def __init__(self) -> None:
        self.settled = anyio.Event()
        self.response: Response | None = None

    def settle(self, response: Response) -> None:
        """Only the first answer counts, also where a second comes before the first was looked at."""
        if self.response is None:
            self.response = response
            self.settled.set()
