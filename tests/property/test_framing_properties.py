"""Framing: how the input is cut into chunks changes nothing, and no more is kept than the limit allows."""

from __future__ import annotations

import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from protocol.framing import MAX_HEADER_BLOCK, HeaderFramer, LineFramer, Oversized, ParentFramer, Unframed, add_headers
from tests.property.strategies import chunked

if TYPE_CHECKING:
    from collections.abc import Iterable

    from protocol.framing import Frame, Framer

LIMIT = 24

cuts = st.lists(st.integers(0, 10_000), max_size=12)
pieces = st.sampled_from(
    [b"\n", b"\r\n", b"\r", b"", b"{}", b"caf\xc3\xa9", b"\xe2\x80\xa8", b"\xff", b"x" * LIMIT, b"y" * (LIMIT + 1)]
)
streams = st.lists(pieces | st.binary(max_size=8), max_size=12).map(b"".join)
header_pieces = st.sampled_from(
    [
        b"Content-Length: 2\r\n\r\n{}",
        b"content-length:3\n\n[1]",
        b"Content-Type: x\r\nContent-Length: 5\r\n\r\nhello",
        b"Content-Length: 0\r\n\r\n",
        b"Content-Length: 25\r\n\r\n" + b"z" * 25,
        b"Content-Length: -1\r\n\r\n",
        b"Content-Length: many\r\n\r\n",
        b"Content-",
        b"Length: 4",
        b"\r\n\r\n",
        b"\n\n",
        b"{}\n",
        b"g" * (MAX_HEADER_BLOCK - 20),
        b"g" * (MAX_HEADER_BLOCK + 40),
        b"Content-Length: 2\r\nX: " + b"h" * MAX_HEADER_BLOCK,
    ]
)
header_streams = st.lists(header_pieces | st.binary(max_size=6), max_size=8).map(b"".join)


def frames(framer: Framer, chunks: Iterable[bytes]) -> list[Frame]:
    return [frame for chunk in chunks for frame in framer.feed(chunk)] + framer.eof()


def messages(found: list[Frame]) -> list[Frame]:
    """Without the complaints: how many there are of one stretch of garbage depends on how it came in."""
    return [frame for frame in found if not isinstance(frame, Unframed)]


@given(streams, cuts)
def test_lines_are_the_same_however_they_are_cut(stream: bytes, places: list[int]) -> None:
    assert frames(LineFramer(LIMIT), chunked(stream, places)) == frames(LineFramer(LIMIT), [stream])


@given(streams)
def test_lines_are_what_a_split_at_every_line_feed_gives(stream: bytes) -> None:
    expected: list[Frame] = []
    for line in stream.split(b"\n"):
        if len(line) > LIMIT:
            expected.append(Oversized(len(line)))
        elif kept := line.strip(b"\r"):
            expected.append(kept)
    assert frames(LineFramer(LIMIT), (stream[at : at + 1] for at in range(len(stream)))) == expected


@given(header_streams, cuts)
def test_messages_with_headers_are_the_same_however_they_are_cut(stream: bytes, places: list[int]) -> None:
    whole, cut = frames(HeaderFramer(LIMIT), [stream]), frames(HeaderFramer(LIMIT), chunked(stream, places))
    assert messages(whole) == messages(cut)
    assert any(isinstance(frame, Unframed) for frame in whole) == any(isinstance(frame, Unframed) for frame in cut)


@given(st.lists(st.binary(max_size=LIMIT), max_size=6), cuts)
def test_what_is_framed_with_headers_comes_back(bodies: list[bytes], places: list[int]) -> None:
    stream = b"".join(add_headers(body) for body in bodies)
    assert frames(HeaderFramer(LIMIT), chunked(stream, places)) == bodies


@given(st.sampled_from([b"", b"\xef\xbb\xbf", b" \r\n", b"\xef\xbb\xbf \n"]), streams | header_streams, cuts)
@example(b"\xef\xbb\xbf", b'{"id":1}\n', [1])
@example(b"\xef\xbb\xbf \n", b"Content-Length: 2\r\n\r\n{}", [3])
def test_a_parents_framing_is_chosen_the_same_however_its_first_bytes_are_cut(
    start: bytes, stream: bytes, places: list[int]
) -> None:
    whole, cut = ParentFramer(LIMIT), ParentFramer(LIMIT)
    expected = messages(frames(whole, [start + stream]))
    assert messages(frames(cut, chunked(start + stream, places))) == expected
    assert cut.uses_headers == whole.uses_headers


@pytest.mark.parametrize(
    "piece",
    [
        b"x",
        b"\r",
        b"a\nb",
        b" ",
        b"\n\n",
        b"Content-Length: 30\r\n\r\n",
        b"Content-Length: 9999999\r\n\r\n",
        b"Content-Length: 1",
    ],
)
def test_no_framer_keeps_more_than_the_limit(piece: bytes) -> None:
    """400 KB go through each; a few kilobytes may stay, and garbage is not complained about byte by byte."""
    chunk = (piece * (4096 // len(piece) + 1))[:4096]
    begun = HeaderFramer(LIMIT)
    begun.feed(b"Content-Length: ")
    for framer in (LineFramer(LIMIT), HeaderFramer(LIMIT), ParentFramer(LIMIT), begun):
        tracemalloc.start()
        try:
            for _ in range(100):
                found = framer.feed(chunk)
                assert all(not (isinstance(a, Unframed) and isinstance(b, Unframed)) for a, b in pairwise(found))
            del found
            kept, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert kept < LIMIT + 4 * MAX_HEADER_BLOCK
