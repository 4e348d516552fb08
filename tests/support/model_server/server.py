"""The HTTP side of the model server: one thread per connection, and the bounded waits that tests use.

Owns the listening socket and the threads. What to answer comes from `scenarios.py`. A blocked event loop in the test
cannot stall it, because none of it runs there. Imported through the package only.
"""

import asyncio
import json
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar
from urllib.parse import urlsplit

from .prompts import read_conversation, side_answer
from .scenarios import answer
from .state import RecordedRequest, State
from .steps import Fail, Gate, Step, Text
from .stream import ClientLeft, StreamedAnswer, error_body, whole_message
from .wire import Wire

P = ParamSpec("P")
R = TypeVar("R")

# Closing wakes every handler, so that they end in milliseconds; this only bounds a mistake.
CLOSE_SECONDS = 5.0
# What a test waits for here is the next request of a CLI that takes 0.4 to 1.1 s to start on an idle machine.
WAIT_SECONDS = 20.0
# How soon closing is noticed; the wait itself costs nothing.
POLL_SECONDS = 0.05


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: "_HttpServer"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: tests own stderr."""

    def do_HEAD(self) -> None:
        self._record({})
        self._reply(200, {}, b"")

    def do_GET(self) -> None:
        self._record({})
        self._reply(200, {}, b"{}")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            body = json.loads(raw or b"{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._reply_json(400, error_body(400, 0))
            return
        number, request = self._record(body)
        path = urlsplit(self.path).path
        if path.endswith("/messages/count_tokens"):
            self._reply_json(200, {"input_tokens": max(1, len(raw) // 4)})
        elif path.endswith("/messages"):
            self._answer(number, request)
        else:
            self._reply_json(404, error_body(404, number))

    def _record(self, body: dict[str, Any]) -> tuple[int, RecordedRequest]:
        request = RecordedRequest(
            method=self.command,
            path=self.path,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=body,
            conversation=read_conversation(body),
            side_call=side_answer(body) is not None,
        )
        state = self.server.state
        with state.changed:
            state.requests.append(request)
            state.changed.notify_all()
            return len(state.requests), request

    def _steps(self, request: RecordedRequest) -> list[Step]:
        aside = side_answer(request.body)
        talk, state = request.conversation, self.server.state
        if aside is not None:
            return [*map(Gate, talk.side_gates), Text(aside)]
        with state.changed:
            state.attempts[talk.key, talk.rounds] += 1
            attempt = state.attempts[talk.key, talk.rounds]
        try:
            return answer(talk, attempt)
        except ValueError as error:
            return [Text(f"Misspelt directive: {talk.directive}: {error}")]

    def _answer(self, number: int, request: RecordedRequest) -> None:
        steps, model = self._steps(request), str(request.body.get("model", "unknown"))
        for step in steps:
            if isinstance(step, Fail):
                self._reply_json(step.status, error_body(step.status, number), dict(step.headers))
                return
        state, wire = self.server.state, Wire(self, self.server.state)
        with state.changed:
            state.streams.add(wire)
            state.changed.notify_all()
        try:
            if request.body.get("stream"):
                StreamedAnswer(wire, number, model).play(steps)
                wire.finish()
            elif message := whole_message(steps, number, model, wire):
                self._reply_json(200, message)
        except (ClientLeft, ConnectionError):
            # A client may go away whenever it likes, also while headers are written.
            pass
        finally:
            self.close_connection = True
            with state.changed:
                state.streams.discard(wire)
                state.changed.notify_all()
            wire.close()

    def _reply_json(self, status: int, body: dict[str, Any], headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self._reply(status, {"Content-Type": "application/json", **(headers or {})}, data)

    def _reply(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.close_connection = True
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(data)), "Connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    # Twenty sessions at once open more connections than the default backlog of five.
    request_queue_size = 128

    def __init__(self, state: State) -> None:
        self.state = state
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong in a handler, for `ModelServer.close` to report."""
        error = sys.exception()
        if error is not None and not isinstance(error, ConnectionError):
            with self.state.changed:
                self.state.faults.append(error)


class ModelServer:
    """A Messages API server on 127.0.0.1 in threads of its own, for the length of a `with` block.

    Waits take a `timeout` in seconds, raise `TimeoutError` with what was seen, and block: from async code call them
    through `off_loop`. Leaving the block raises what went wrong inside the server, such as a gate nobody released.
    """

    def __init__(self) -> None:
        self._state = State()
        self._http = _HttpServer(self._state)
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": POLL_SECONDS}, name="model-server", daemon=True
        )
        self._thread.start()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        if error is None and self._state.faults:
            raise AssertionError(f"the model server failed: {self._state.faults}") from self._state.faults[0]

    def close(self) -> None:
        """End every stream and thread. Idempotent."""
        if self._closed:
            return
        self._closed = True
        with self._state.changed:
            self._state.closing = True
            self._state.poke()
            for wire in self._state.streams:
                wire.abort()
        self._http.shutdown()
        self._thread.join(CLOSE_SECONDS)
        self._http.server_close()
        self.wait_for_open_streams(0, CLOSE_SECONDS)

    @property
    def url(self) -> str:
        """For `ANTHROPIC_BASE_URL`."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    @property
    def requests(self) -> list[RecordedRequest]:
        """All requests so far, oldest first."""
        with self._state.changed:
            return list(self._state.requests)

    @property
    def open_streams(self) -> int:
        """How many streamed answers are under way."""
        with self._state.changed:
            return len(self._state.streams)

    def wait_for_request(
        self, wanted: Callable[[RecordedRequest], bool], timeout: float = WAIT_SECONDS, *, after: int = 0
    ) -> RecordedRequest:
        """The first request that is `wanted`, past or to come, leaving out the first `after` of the log."""
        found: list[RecordedRequest] = []

        def ready() -> bool:
            found[:] = [request for request in self._state.requests[after:] if wanted(request)][:1]
            return bool(found)

        self._state.wait(ready, timeout, "the wanted request")
        return found[0]

    def wait_for_directive(self, name: str, timeout: float = WAIT_SECONDS, *, after: int = 0) -> RecordedRequest:
        """The first request that is answered by the directive `name`; see `wait_for_request`."""
        return self.wait_for_request(
            lambda request: request.directive is not None and request.directive.name == name, timeout, after=after
        )

    def wait_for_gate(self, name: str, timeout: float = WAIT_SECONDS) -> None:
        """Until a stream waits at the gate: its first half has been sent."""
        self._state.wait(lambda: self._state.waiting[name] > 0, timeout, f"a stream at the gate {name!r}")

    def wait_for_open_streams(self, count: int, timeout: float = WAIT_SECONDS) -> None:
        """Until exactly so many streamed answers are under way."""
        self._state.wait(lambda: len(self._state.streams) == count, timeout, f"{count} open streams")

    def release(self, name: str) -> None:
        """Open the gate for every stream that waits there or comes later."""
        with self._state.changed:
            self._state.released.add(name)
            self._state.poke()

    @staticmethod
    async def off_loop(wait: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Call one of the blocking waits in a worker thread: `await server.off_loop(server.wait_for_gate, "a")`."""
        return await asyncio.to_thread(wait, *args, **kwargs)
