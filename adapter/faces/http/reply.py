"""One answer while it is being made: written by a turn, read by the HTTP response that it belongs to, or by several
when a client asks again for what it has missed."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from protocol.codecs.answer import Answer
from protocol.codecs.reply import End, Text, Thinking
from protocol.httperrors import Failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protocol.codecs.reply import Piece

PIECE_BYTES = 64
"""What a piece counts besides its text: about what an event takes around it."""


@dataclass(slots=True)
class Told:
    """What the headers of the answer say.

    Attributes:
        session_id: which session answers.
        history: how the request's conversation was taken: `new`, `continued`, `forked`, `replayed`, `tool_results`.
        model: as told to the client.
    """

    session_id: str
    history: str
    model: str


class Reply:
    """The pieces of one answer, kept until nobody can ask for them any more.

    Args:
        id: the answer's, as the client will know it.
        told: for its headers.
    """

    def __init__(self, id: str, told: Told) -> None:
        self.id = id
        self.told = told
        self.pieces: list[Piece] = []
        self.ended = anyio.Event()
        self.abandoned = anyio.Event()
        """Set when its reader has gone before the end, and nobody wants the rest."""
        self.delivered = False
        """Whether the prompt may have reached the CLI."""
        self.ran_tools = False
        """Whether the agent's tools have run: then it must not be asked for twice."""
        self.keeps_on = False
        """Whether it goes on without a reader."""
        self._readers = 0
        self._written = self._read = 0
        self._changed = anyio.Event()
        self._drained = anyio.Event()

    def add(self, pieces: list[Piece]) -> None:
        """Write pieces. After the end, nothing is added."""
        if self.ended.is_set() or not pieces:
            return
        for piece in pieces:
            self.pieces.append(piece)
            self._written += PIECE_BYTES + (len(piece.text) if isinstance(piece, Text | Thinking) else 0)
            if isinstance(piece, End | Failure):
                self.ended.set()
                break
        self._changed = _wake(self._changed)

    def fail(self, failure: Failure) -> None:
        """End it with a failure, unless it has ended."""
        self.add([failure])

    @property
    def failure(self) -> Failure | None:
        """What it failed of."""
        last = self.pieces[-1] if self.pieces else None
        return last if isinstance(last, Failure) else None

    @property
    def answer(self) -> Answer:
        """What there is of it, put together."""
        return Answer().add_all(self.pieces)

    @property
    def backlog(self) -> int:
        """Bytes that its reader has not taken."""
        return 0 if self.keeps_on and not self._readers else self._written - self._read

    async def wait_below(self, size: int) -> None:
        """Wait until fewer than `size` bytes are unread, or nobody reads any more."""
        while self.backlog >= size and not self.abandoned.is_set():
            await self._drained.wait()

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """Read it from its beginning. Whoever leaves before the end, and was the last to read, abandons it."""
        self._readers += 1
        try:
            yield Reader(self)
        finally:
            self._readers -= 1
            if not self._readers and not self.ended.is_set() and not self.keeps_on:
                self.abandoned.set()
            self._drained = _wake(self._drained)

    def take(self, at: int) -> list[Piece]:
        """The pieces from index `at` on."""
        return self.pieces[at:]

    async def wait_more(self, at: int, within: float | None) -> None:
        """Wait for a piece at index `at`, or for the end; at most `within` seconds."""
        with anyio.move_on_after(within):
            while at >= len(self.pieces) and not self.ended.is_set():
                await self._changed.wait()

    def note_read(self, written: int) -> None:
        """A reader has passed on all that was written up to here."""
        if written > self._read:
            self._read = written
            self._drained = _wake(self._drained)

    @property
    def written(self) -> int:
        """Bytes so far."""
        return self._written


class Reader:
    """One reader's place in a reply."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._at = self._taken = 0

    async def next(self, within: float | None) -> list[Piece]:
        """What is new; waits for something, at most `within` seconds. Empty when nothing came in that time, or nothing
        is to come."""
        self._reply.note_read(self._taken)
        await self._reply.wait_more(self._at, within)
        pieces = self._reply.take(self._at)
        self._at += len(pieces)
        self._taken = self._reply.written
        return pieces

    @property
    def at_end(self) -> bool:
        """Whether nothing more is there for now."""
        return self._at == len(self._reply.pieces)


def _wake(event: anyio.Event) -> anyio.Event:
    """Wake all who wait; the event for those who will wait next."""
    event.set()
    return anyio.Event()
