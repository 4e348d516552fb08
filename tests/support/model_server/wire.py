"""One client's socket: chunked writes, and waits that end early when the client leaves.

Owns nothing that outlives a request. Only this package imports it.
"""

import contextlib
import os
import selectors
import socket
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler

from .state import State
from .stream import ClientLeft

# A gate nobody releases would keep the CLI, and so a failing test, waiting; longer than any single test may take.
GATE_SECONDS = 60.0
# A scenario that hangs does so for longer than any test takes, yet not for ever should a client never leave.
HANG_SECONDS = 600.0


class GateForgottenError(Exception):
    """Nobody released a gate in time; the test is wrong, so `ModelServer.close` reports it."""


class Wire:
    """One client's socket: chunked writes, and waits that end early when the client leaves."""

    def __init__(self, handler: BaseHTTPRequestHandler, state: State) -> None:
        self._handler = handler
        self._state = state
        self._begun = False
        self.broken = False
        self._poked, self._poker = socket.socketpair()
        self._poker.setblocking(False)

    def wake(self) -> None:
        """Make a running wait look at its condition again. Called from other threads."""
        with contextlib.suppress(OSError):
            self._poker.send(b".")

    def abort(self) -> None:
        """End the connection under a write that blocks because the client reads no more. Called from other threads."""
        with contextlib.suppress(OSError):
            self._handler.connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the wake-up pair; the client's socket is the handler's to close."""
        self._poked.close()
        self._poker.close()

    def begin(self) -> None:
        self._handler.send_response(200)
        self._handler.send_header("Content-Type", "text/event-stream")
        self._handler.send_header("Transfer-Encoding", "chunked")
        self._handler.send_header("Connection", "close")
        self._handler.end_headers()
        self._begun = True

    def send(self, data: bytes) -> None:
        try:
            self._handler.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        except OSError as error:
            raise ClientLeft from error

    def finish(self) -> None:
        """The proper end of a streamed answer."""
        if self._begun and not self.broken:
            with contextlib.suppress(OSError):
                self._handler.wfile.write(b"0\r\n\r\n")

    def pause(self, seconds: float) -> None:
        self._wait(lambda: False, seconds)

    def wait_gate(self, name: str) -> None:
        with self._state.changed:
            self._state.waiting[name] += 1
            self._state.poke()
        try:
            if not self._wait(lambda: name in self._state.released, GATE_SECONDS):
                raise GateForgottenError(f"nobody released the gate {name!r} within {GATE_SECONDS:.0f} s")
        finally:
            with self._state.changed:
                self._state.waiting[name] -= 1

    def hang(self) -> None:
        self._wait(lambda: False, HANG_SECONDS)
        raise ClientLeft

    def cut(self, *, reset: bool) -> None:
        self.broken = True
        if reset:
            # A zero linger makes close() send RST, which is what a broken network looks like to the client; detached,
            # because the HTTP server would first shut it down in good order.
            connection = self._handler.connection
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(connection.detach())

    def _wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """Wait until `ready()`, at most so long; whether it became so. Raises ClientLeft if the client is gone."""
        deadline = time.monotonic() + seconds
        with selectors.DefaultSelector() as selector:
            selector.register(self._handler.connection, selectors.EVENT_READ, "client")
            selector.register(self._poked, selectors.EVENT_READ, "poke")
            while True:
                if self._state.closing:
                    raise ClientLeft
                if ready():
                    return True
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                for key, _ in selector.select(left):
                    if key.data == "poke":
                        self._poked.recv(4096)
                    elif not self._client_listens():
                        raise ClientLeft
                    else:
                        # It sent something early, which a wait has no use for and would wake for again and again.
                        selector.unregister(self._handler.connection)

    def _client_listens(self) -> bool:
        try:
            return bool(self._handler.connection.recv(1, socket.MSG_PEEK))
        except OSError:
            return False
