"""Bytes to messages: lines, header blocks, and which of the two a parent has chosen."""

from __future__ import annotations

import pytest

from protocol.framing import (
    MAX_CLI_LINE,
    MAX_HEADER_BLOCK,
    MAX_PARENT_MESSAGE,
    Frame,
    Framer,
    HeaderFramer,
    LineFramer,
    Oversized,
    ParentFramer,
    Unframed,
    add_headers,
)

LIMIT = 16


def fed(framer: Framer, *chunks: bytes) -> list[Frame]:
    return [frame for chunk in chunks for frame in framer.feed(chunk)] + framer.eof()


def kinds(frames: list[Frame]) -> list[object]:
    """Complaints by their type only: their words are for people."""
    return [Unframed if isinstance(frame, Unframed) else frame for frame in frames]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a\r\nb\r\n"], [b"a", b"b"]),
        ([b"a\r", b"\nb\r", b"\n"], [b"a", b"b"]),
        ([b"a", b"b", b"\nc"], [b"ab", b"c"]),
        ([b"no end"], [b"no end"]),
        ([b"no end\r"], [b"no end"]),
        ([b""], []),
        ([], []),
        ([b"\n\r\n\n"], []),
        ([b" \n"], [b" "]),
        (["caf\u00e9\n".encode()[:4], "caf\u00e9\n".encode()[4:]], ["caf\u00e9".encode()]),
        (["a\u2028b\u0085c\n".encode()], ["a\u2028b\u0085c".encode()]),
        ([b"\xff\x00\n"], [b"\xff\x00"]),
        ([b"first\nsecond\nthi", b"rd\nfourth"], [b"first", b"second", b"third", b"fourth"]),
    ],
)
def test_lines_end_with_a_line_feed_and_only_with_one(chunks: list[bytes], expected: list[Frame]) -> None:
    assert fed(LineFramer(LIMIT), *chunks) == expected


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"x" * 16 + b"\n"], [b"x" * 16]),
        ([b"x" * 17 + b"\n"], [Oversized(17)]),
        ([b"x" * 17], [Oversized(17)]),
        ([b"ok\n" + b"x" * 40 + b"\nok\n"], [b"ok", Oversized(40), b"ok"]),
        ([b"x" * 10, b"x" * 10, b"x" * 10, b"\nok\n"], [Oversized(30), b"ok"]),
        ([b"x" * 17, b"y", b"\n"], [Oversized(18)]),
        ([b"ok\n", b"x" * 17 + b"\n" + b"y" * 18], [b"ok", Oversized(17), Oversized(18)]),
    ],
)
def test_an_over_long_line_is_skipped_wherever_it_stands(chunks: list[bytes], expected: list[Frame]) -> None:
    assert fed(LineFramer(LIMIT), *chunks) == expected


def test_a_line_framer_can_be_used_again_after_the_end() -> None:
    framer = LineFramer(LIMIT)
    assert fed(framer, b"one") == [b"one"]
    assert framer.eof() == []
    assert fed(framer, b"two\n") == [b"two"]


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"Content-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"content-length:2\n\n{}", [b"{}"]),
        (b"CONTENT-LENGTH:  2  \r\n\r\n{}", [b"{}"]),
        (b"Content-Type: x; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\r\nContent-Type: x\r\n\r\n{}", [b"{}"]),
        (b"Content-Length: 2\r\n\r\n{}Content-Length: 3\r\n\r\n[1]", [b"{}", b"[1]"]),
        (b"Content-Length: 0\r\n\r\nContent-Length: 1\r\n\r\n1", [b"", b"1"]),
        (b"Content-Length: 4\r\n\r\n\r\n\r\n", [b"\r\n\r\n"]),
        (b"Content-Length: 3\r\n\r\n\xe2\x82\xac", ["\u20ac".encode()]),
        (b"", []),
        (b"\r\n", []),
    ],
)
def test_a_header_block_announces_its_body(stream: bytes, expected: list[Frame]) -> None:
    assert fed(HeaderFramer(LIMIT), stream) == expected
    assert fed(HeaderFramer(LIMIT), *(stream[at : at + 1] for at in range(len(stream)))) == expected


GOOD = b"Content-Length: 2\r\n\r\n{}"


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"X: 1\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: -2\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: two\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: 0x2\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: 9999999999999999\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"Content-Length:\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b"\r\n\r\n" + GOOD, [Unframed, b"{}"]),
        (b'{"jsonrpc":"2.0"}\n\n' + GOOD, [Unframed, b"{}"]),
        (b"g" * (MAX_HEADER_BLOCK + 1) + GOOD, [Unframed, b"{}"]),
        (b"g" * (3 * MAX_HEADER_BLOCK) + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: 2\r\nX: " + b"h" * MAX_HEADER_BLOCK + GOOD, [Unframed, b"{}"]),
        (b"Content-Length: 17\r\n\r\n" + b"x" * 17 + GOOD, [Oversized(17), b"{}"]),
        (GOOD + b"Content-Length: 5\r\n\r\n{}", [b"{}", Unframed]),
        (GOOD + b"Content-", [b"{}", Unframed]),
        (GOOD + b"Content-Length: 17\r\n\r\nx", [b"{}", Oversized(17), Unframed]),
    ],
)
def test_what_is_no_message_costs_no_other(stream: bytes, expected: list[object]) -> None:
    assert kinds(fed(HeaderFramer(LIMIT), stream)) == expected
    found = kinds(fed(HeaderFramer(LIMIT), *(stream[at : at + 1] for at in range(len(stream)))))
    assert [frame for frame in found if frame is not Unframed] == [frame for frame in expected if frame is not Unframed]
    assert Unframed in found or Unframed not in expected


def test_an_announced_body_that_is_too_large_is_skipped_chunk_by_chunk() -> None:
    framer = HeaderFramer(LIMIT)
    assert framer.feed(b"Content-Length: 40\r\n\r\n" + b"x" * 10) == [Oversized(40)]
    assert framer.feed(b"x" * 20) == []
    assert framer.feed(b"x" * 10 + GOOD) == [b"{}"]
    assert framer.eof() == []


@pytest.mark.parametrize("garbage", [b"\n\n", b"x\n\n", b"Content-Length: x\r\n\r\n", b"Content-Length: 1"])
def test_a_flood_of_garbage_is_one_complaint_per_chunk(garbage: bytes) -> None:
    frames = HeaderFramer(LIMIT).feed(garbage * (64 * 1024 // len(garbage)))
    assert kinds(frames) == [Unframed]


@pytest.mark.parametrize(
    ("first", "expected", "headers"),
    [
        ([b'{"id":1}\n'], [b'{"id":1}'], False),
        ([GOOD], [b"{}"], True),
        ([GOOD.lower()], [b"{}"], True),
        ([b"\r\n \t\n", GOOD], [b"{}"], True),
        ([b"\xef\xbb\xbf" + GOOD], [b"{}"], True),
        ([b"\xef", b"\xbb", b"\xbf{}\n"], [b"{}"], False),
        ([GOOD[at : at + 1] for at in range(len(GOOD))], [b"{}"], True),
        ([b"Con", b"cat\n"], [b"Concat"], False),
        ([b"Content-Lengt"], [b"Content-Lengt"], False),
        ([b"\xef\xbb"], [b"\xef\xbb"], False),
        ([b"  \n\n"], [], False),
        ([], [], False),
    ],
)
def test_the_first_bytes_choose_the_framing(first: list[bytes], expected: list[Frame], headers: bool) -> None:
    framer = ParentFramer(1024)
    assert not framer.uses_headers
    assert fed(framer, *first) == expected
    assert framer.uses_headers is headers


def test_the_choice_holds_for_the_whole_connection() -> None:
    lines, headers = ParentFramer(1024), ParentFramer(1024)
    assert lines.feed(b"{}\n" + b"Content-Length: 2\r\n") == [b"{}", b"Content-Length: 2"]
    assert kinds(headers.feed(GOOD + b'{"id":1}\n\n' + GOOD)) == [b"{}", Unframed, b"{}"]


def test_headers_count_bytes_and_not_letters() -> None:
    body = "caf\u00e9".encode()
    assert add_headers(body) == b"Content-Length: 5\r\n\r\ncaf\xc3\xa9"
    assert fed(ParentFramer(), add_headers(body), add_headers(b"")) == [body, b""]


def test_the_limits_leave_room_for_what_was_measured() -> None:
    assert MAX_PARENT_MESSAGE == 32 * 1024 * 1024
    assert MAX_CLI_LINE == 64 * 1024 * 1024
    line = b"x" * (3 * 1024 * 1024)
    assert fed(LineFramer(MAX_CLI_LINE), line, b"\n") == [line]
