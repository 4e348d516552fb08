"""`protocol/terminal.py`: what a program wrote to a terminal, as the lines of a pipe."""

from __future__ import annotations

import pytest

from protocol.framing import Frame, Oversized
from protocol.terminal import TerminalFramer

LINE = b'{"type":"system","text":"\\u001b[31m is data"}'
LAST_WORDS = b"\x1b[?1006l\x1b[?1003l\x1b(B\x0f\x1b[>4m\x1b[<u\x1b7\x1b[r\x1b8\x1b]0;\x07\x1b[?25h"
"""What claude 2.1.197 writes to a terminal when it leaves, shortened."""


def framed(*chunks: bytes, limit: int = 1000) -> list[Frame]:
    framer = TerminalFramer(limit)
    return [frame for chunk in chunks for frame in framer.feed(chunk)] + framer.eof()


def test_lines_come_as_from_a_pipe() -> None:
    assert framed(LINE + b"\r\n" + LINE + b"\n", LINE[:9], LINE[9:]) == [LINE] * 3


@pytest.mark.parametrize(
    "noise",
    [
        b"\x1b[2K\x1b[1G",
        b"\x1b]0;a title\x07",
        b"\x1b]8;;http://x\x1b\\",
        b"\x07\x08",
        b"\x1b7",
        b"\x1bP1$q\x1b\\",
        b"\r",
    ],
)
def test_noise_before_and_behind_a_line_is_taken_off(noise: bytes) -> None:
    assert framed(noise + LINE + b"\n", LINE + noise + b"\r\n", noise + LINE + noise) == [LINE] * 3


def test_lines_of_nothing_but_noise_are_skipped() -> None:
    assert framed(LAST_WORDS) == []
    assert framed(b"\r\n\x1b[0m\r\n \r\n") == []


def test_text_for_a_person_is_a_line_of_its_own() -> None:
    assert framed(b"\x1b[33mwarning: old\x1b[0m\r\n" + LINE + b"\n") == [b"warning: old", LINE]
    assert framed(b"loading 1%\rloading 2%\r" + LINE + b"\n") == [b"loading 1%", b"loading 2%", LINE]
    assert framed(b"working... " + LINE + b"\r\n") == [b"working...", LINE]


def test_an_escape_sequence_that_never_ends_takes_one_line_at_most() -> None:
    assert framed(b"\x1b]0;never closed\n" + LINE + b"\n") == [LINE]


def test_an_over_long_line_is_told_and_skipped() -> None:
    assert framed(b"x" * 20 + b"\n" + b"{}\n", limit=10) == [Oversized(20), b"{}"]
