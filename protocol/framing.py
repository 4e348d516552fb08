"""Bytes to messages: lines, or the header framing of language-server clients. Pure, linear in the input, bounded
in memory.

A framer consumes chunks as they come and returns what is complete: `bytes`, or `Oversized` in the place of a
message that passed the limit (its bytes are not kept) or `Unframed` for bytes that no message can be made of. It
never raises.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

MAX_PARENT_MESSAGE = 32 * 1024 * 1024
"""What the contract (section 1) takes from a parent by default: a request with a few large images fits."""

MAX_CLI_LINE = 64 * 1024 * 1024
"""The longest CLI line measured is about 3 MB (claude 2.1.x); image and PDF results can reach tens of MB."""

MAX_HEADER_BLOCK = 8 * 1024
"""Real header blocks are under 100 bytes; more than this without an end is not a header block."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_PREAMBLE = re.compile(rb"\A(?:[ \t\r\n]|\xef\xbb\xbf)+")
"""What a parent may send before its first message: some runtimes begin every UTF-8 stream with a byte order mark."""

_END_OF_HEADERS = re.compile(rb"\r\n\r\n|\n\n")


@dataclass(frozen=True, slots=True)
class Oversized:
    """A message longer than the limit was skipped. `size` is its length in bytes, as far as it was seen."""

    size: int


@dataclass(frozen=True, slots=True)
class Unframed:
    """Bytes that are no message in this framing, with the reason; the framer has found its place again behind them."""

    reason: str


Frame = bytes | Oversized | Unframed


class Framer(Protocol):
    """What the readers of this program ask of a framing."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in a chunk; return the messages that it completes."""

    def eof(self) -> list[Frame]:
        """The end of input: what was left without its end (a last line without a line end counts as whole)."""


class LineFramer:
    """One message per line: LF or CRLF, empty lines skipped, a last line without its end given by `eof`.

    Args:
        limit: bytes of the longest line that is kept, without its line end.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in a chunk; return the lines that it completes. Only LF ends a line: U+2028 is content."""
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        *complete, rest = chunk.split(b"\n")
        frames: list[Frame] = []
        if self._size:
            self._keep(complete[0])
            complete[0] = b""
            self._finish(frames)
        for line in complete:
            if len(line) > self._limit:
                frames.append(Oversized(len(line)))
            elif line := line.strip(b"\r"):
                frames.append(line)
        self._keep(rest)
        return frames

    def eof(self) -> list[Frame]:
        """The line that had no line end, if there is one."""
        frames: list[Frame] = []
        self._finish(frames)
        return frames

    def _keep(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._limit:
            self._parts.clear()
        elif part:
            self._parts.append(part)

    def _finish(self, frames: list[Frame]) -> None:
        if self._size > self._limit:
            frames.append(Oversized(self._size))
        elif line := b"".join(self._parts).strip(b"\r"):
            frames.append(line)
        self._parts = []
        self._size = 0


class HeaderFramer:
    """`Content-Length: N`, an empty line, N bytes: the base protocol of language servers, one message after the other.

    Args:
        limit: bytes of the largest body that is kept; a larger one is skipped by its announced length.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._body: int | None = None
        self._skip = 0

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in a chunk; return the bodies that it completes."""
        if self._skip:
            skipped = min(self._skip, len(chunk))
            self._skip -= skipped
            chunk = chunk[skipped:]
        self._buffer += chunk
        frames: list[Frame] = []
        while self._advance(frames):
            pass
        return frames

    def eof(self) -> list[Frame]:
        """A message cut off by the end of input."""
        cut = bool(self._buffer.strip()) or self._body is not None or self._skip
        self._buffer.clear()
        self._body, self._skip = None, 0
        return [Unframed("the input ended in the middle of a message")] if cut else []

    def _advance(self, frames: list[Frame]) -> bool:
        return self._read_header(frames) if self._body is None else self._read_body(frames, self._body)

    def _read_header(self, frames: list[Frame]) -> bool:
        end, length_of_end = _end_of_headers(self._buffer)
        if end < 0:
            if len(self._buffer) <= MAX_HEADER_BLOCK:
                return False
            _complain(frames, f"no end of the header block within {MAX_HEADER_BLOCK} bytes")
            self._resynchronise()
            return True
        length = _content_length(bytes(self._buffer[:end]))
        if length is None:
            _complain(frames, "a header block without a valid Content-Length")
            self._skip_block(end + length_of_end)
            return bool(self._buffer)
        del self._buffer[: end + length_of_end]
        if length > self._limit:
            frames.append(Oversized(length))
            skipped = min(length, len(self._buffer))
            del self._buffer[:skipped]
            self._skip = length - skipped
            return not self._skip
        self._body = length
        return True

    def _read_body(self, frames: list[Frame], length: int) -> bool:
        if len(self._buffer) < length:
            return False
        frames.append(bytes(self._buffer[:length]))
        del self._buffer[:length]
        self._body = None
        return True

    def _skip_block(self, size: int) -> None:
        """Drop a bad header block, or less of it where another begins inside."""
        found = bytes(self._buffer[1:size]).lower().find(b"content-length:")
        del self._buffer[: found + 1 if found >= 0 else size]

    def _resynchronise(self) -> None:
        """Drop what cannot be a header block, so that one bad message costs no other: up to the latest place where
        one may begin, or all but the beginning of its name."""
        name = b"content-length:"
        found = bytes(self._buffer[: MAX_HEADER_BLOCK + 1]).lower().rfind(name, 1)
        del self._buffer[: found if found > 0 else MAX_HEADER_BLOCK + 2 - len(name)]


class ParentFramer:
    """The framing that the parent chose: its first bytes decide, for both directions and the whole connection.

    Args:
        limit: bytes of the largest message that is kept.
    """

    def __init__(self, limit: int = MAX_PARENT_MESSAGE) -> None:
        self._limit = limit
        self._start = b""
        self._chosen: LineFramer | HeaderFramer | None = None

    @property
    def uses_headers(self) -> bool:
        """Whether the parent frames with headers; False until its first bytes are seen."""
        return isinstance(self._chosen, HeaderFramer)

    def feed(self, chunk: bytes) -> list[Frame]:
        """Take in a chunk; return the messages that it completes."""
        if self._chosen is None:
            self._start = _PREAMBLE.sub(b"", self._start + chunk, count=1)
            if not self._choose(final=False):
                return []
            chunk, self._start = self._start, b""
        assert self._chosen is not None
        return self._chosen.feed(chunk)

    def eof(self) -> list[Frame]:
        """The end of input: the message that was left without its end."""
        frames: list[Frame] = []
        if self._chosen is None:
            self._choose(final=True)
            assert self._chosen is not None
            frames = self._chosen.feed(self._start)
            self._start = b""
        return frames + self._chosen.eof()

    def _choose(self, *, final: bool) -> bool:
        prefix = b"content-length:"
        start = self._start[: len(prefix)].lower()
        if start == prefix:
            self._chosen = HeaderFramer(self._limit)
        elif final or not (prefix.startswith(start) or _BYTE_ORDER_MARK.startswith(start)):
            self._chosen = LineFramer(self._limit)
        return self._chosen is not None


def add_headers(body: bytes) -> bytes:
    """Frame one message with headers, for a parent that does so itself."""
    return b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def frame_alike(framer: Framer, bodies: list[bytes]) -> bytes:
    """Messages for one write, framed as the other side, which `framer` reads, frames its own."""
    if isinstance(framer, ParentFramer) and framer.uses_headers:
        return b"".join([add_headers(body) for body in bodies])
    return b"\n".join([*bodies, b""])


def _complain(frames: list[Frame], reason: str) -> None:
    """One complaint for a stretch of garbage: each is answered with an error, and two bytes can be a bad block."""
    if not (frames and isinstance(frames[-1], Unframed)):
        frames.append(Unframed(reason))


def _end_of_headers(buffer: bytearray) -> tuple[int, int]:
    found = _END_OF_HEADERS.search(buffer, 0, MAX_HEADER_BLOCK + 1)
    return (-1, 0) if found is None else (found.start(), found.end() - found.start())


def _content_length(block: bytes) -> int | None:
    for line in block.splitlines():
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit() and len(value.strip()) < 16:
            return int(value)
    return None
