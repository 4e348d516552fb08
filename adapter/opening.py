"""The first words of a parent, heard before the daemon is imported: a plain `initialize` is answered at once.

Importing the daemon takes several times as long as everything up to here, and a parent's first question needs none of
it. Whatever is not plainly an `initialize` that the face would answer with a result is left to the face, and so is the
rest of what was read: nothing is judged here. `__main__` listens, `peer` takes over. No event loop, no thread.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adapter.stdio import READ_CHUNK
from protocol import jsonrpc, jsontext
from protocol.framing import LineFramer, ParentFramer, frame_alike

if TYPE_CHECKING:
    from adapter.stdio import Stdio
    from protocol.framing import Frame

FIRST_WORDS_S = 0.25
"""How long a parent that says nothing yet is listened to before the daemon is imported. One that has a use for us has
written before Python runs; the clean-up after dead daemons need not wait any longer for another."""

Greeting = Callable[[dict[str, Any]], dict[str, Any] | None]
"""The result that a face gives for these params of `initialize`; None where they are the face's to judge."""


@dataclass(slots=True)
class Opening:
    """What was heard and said before the peer was there.

    Attributes:
        framer: the framing of the link, in the middle of its work.
        frames: what was read and is still to be handled.
        ended: whether the input is at its end.
        answered: whether the first of the frames has been answered. Its handler has yet to run, for what it keeps.
        unsent: what the descriptor did not take of that answer.
    """

    framer: ParentFramer | LineFramer
    frames: list[Frame] = field(default_factory=list)
    ended: bool = False
    answered: bool = False
    unsent: bytes = b""


def listen(stdio: Stdio, framer: ParentFramer | LineFramer, greet: Greeting) -> Opening:
    """Hear the parent's first message, and answer it if `greet` can. Returns soon, also when nothing comes."""
    opening = Opening(framer)
    _read(stdio.input, opening)
    if opening.frames and isinstance(first := opening.frames[0], bytes):
        message = jsonrpc.parse(first)
        if isinstance(message, jsonrpc.Request) and message.method == "initialize":
            result = greet(message.params)
            if result is not None:
                _answer(stdio.output, opening, jsonrpc.result_response(message.id, result))
    return opening


def _read(fd: int, opening: Opening) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    deadline = time.monotonic() + FIRST_WORDS_S
    while not opening.frames and not opening.ended:
        left = deadline - time.monotonic()
        if left <= 0 or not poll.poll(left * 1000):
            return
        try:
            chunk = os.read(fd, READ_CHUNK)
        except OSError:
            return  # the peer meets it again, and knows what to do
        opening.ended = not chunk
        opening.frames = opening.framer.feed(chunk)


def _answer(fd: int, opening: Opening, answer: dict[str, Any]) -> None:
    opening.answered = True
    data = frame_alike(opening.framer, [jsontext.dumps(answer)])
    try:
        # Nothing was written before it, so a pipe has room; what it has not, and a broken pipe, is the outbox's.
        opening.unsent = data[os.write(fd, data) :]
    except OSError:
        opening.unsent = data
