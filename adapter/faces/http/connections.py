"""The connections below the requests: how many there are, how long a head may take, how long a client may read nothing.

Owns what uvicorn leaves open: it waits for ever for a request's head, for a reader that has stopped, and for the last
bytes of a closed connection. Refuses: to look into a request; the `gate` does. Knows uvicorn's h11 protocol (0.54).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.h11_impl import H11Protocol

from adapter.faces.http.refusals import Refusal

if TYPE_CHECKING:
    import asyncio

    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

MAX_HEAD = 64 * 1024
"""Bytes of a request line with its headers. Clients send about 1 KiB; some proxies add as much again."""

KEEP_ALIVE_S = 75
"""An idle connection is kept longer than clients keep theirs (httpx 5 s, undici 4 s), so that it is they who close it:
a request that crosses our close would fail."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """What a connection may take.

    Attributes:
        max_connections: at once; one more is answered with 503 and closed.
        head_timeout: seconds for a request's head, from its first byte or from the connection's beginning.
        stall_timeout: seconds in which a client takes nothing of what waits for it.
    """

    max_connections: int
    head_timeout: float
    stall_timeout: float


class GuardedProtocol(H11Protocol):
    """One connection under limits."""

    def __init__(self, *arguments: Any, limits: ConnectionLimits, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._limits = limits
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Count it in, and wait for its first request's head."""
        super().connection_made(transport)
        if len(self.connections) > self._limits.max_connections:
            self._close_with(Refusal(503, "Too many connections at once. Close some, or raise max_connections."))
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget it."""
        self._head_came()
        self._reader_went_on()
        super().connection_lost(exc)
        # The base does this for a connection that was closed in order only, and its timer would act on a closed one.
        self._unset_keepalive_if_required()

    def data_received(self, data: bytes) -> None:
        """Take bytes; where they begin a request, its head is due."""
        if self.transport.is_closing():
            return
        if self._head_timer is None and self._is_between_requests:
            self._await_head()
        super().data_received(data)
        if not self._is_between_requests:
            self._head_came()

    def pause_writing(self) -> None:
        """The client reads more slowly than we write: it has some time to go on."""
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        """It went on."""
        super().resume_writing()
        self._reader_went_on()

    def on_response_complete(self) -> None:
        """The last bytes of a connection are on their way: they wait no longer than others."""
        super().on_response_complete()
        if self.transport.is_closing() and self.transport.get_write_buffer_size():
            self._await_reader()

    def timeout_keep_alive_handler(self) -> None:
        """An idle connection is closed; one whose last response still waits is cut, for closing would wait, too."""
        if self.transport.get_write_buffer_size():
            self.transport.abort()
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """What is no HTTP gets an error in the shape of all others."""
        self._close_with(Refusal(400, msg))

    def _unsupported_upgrade_warning(self) -> None:
        """Whoever asks for a WebSocket gets a plain answer; the base's advice to install one would mislead."""

    @property
    def _is_between_requests(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle  # None before the first request, whatever uvicorn says
        return cycle is None or cycle.response_complete

    def _await_head(self) -> None:
        refusal = Refusal(408, f"No request came within {self._limits.head_timeout:g} s.")
        self._head_timer = self.loop.call_later(self._limits.head_timeout, self._close_with, refusal)

    def _head_came(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _await_reader(self) -> None:
        if self._stall_timer is None:
            self._stall_timer = self.loop.call_later(self._limits.stall_timeout, self.transport.abort)

    def _reader_went_on(self) -> None:
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    def _close_with(self, refusal: Refusal) -> None:
        self._head_came()
        if not self.transport.is_closing():
            if self._is_between_requests:
                self.transport.write(refusal.raw())
            self.transport.close()
            self._await_reader()
