"""JSON in and out, where programs are sloppy."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import jsontext
from protocol.events import TextDelta

TOO_DEEP = 100_000
"""Deeper than any recursion limit; real messages nest a dozen levels."""


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"null", None),
        (b' {"a": [1, 2.5, "x", true]} ', {"a": [1, 2.5, "x", True]}),
        (b'"\\ud83d\\ude00"', "\U0001f600"),
        (b'"half \\ud83d"', "half \ufffd"),
        (b'"\\ude00 half"', "\ufffd half"),
        (b'{"\\ud83d": ["\\ud83d"]}', {"\ufffd": ["\ufffd"]}),
        (b'"caf\xe9"', "caf\ufffd"),
        (b"123456789012345678901234567890", 123456789012345678901234567890),
        ('"\u2028"'.encode(), "\u2028"),
        (b'["\\ud83d", 1, null]', ["\ufffd", 1, None]),
    ],
)
@pytest.mark.spec("1.10")
def test_what_careless_writers_send_is_read_all_the_same(text: bytes, value: Any) -> None:
    assert jsontext.loads(text) == value


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"{}{}",
        b"nul",
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"'x'",
        b"{1: 2}",
        b"[1,]",
        b"\xff",
        b"[" * TOO_DEEP + b"]" * TOO_DEEP,
        b'["\\ud83d",' + b"[" * TOO_DEEP + b"]" * TOO_DEEP + b"]",
    ],
    ids=lambda text: repr(text[:12]),
)
def test_what_is_no_json_is_a_value_error_and_nothing_else(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsontext.loads(text)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a": [1, None, "\u00e9"]}, '{"a":[1,null,"\u00e9"]}'),
        ("half \ud83d", '"half \ufffd"'),
        ({"\ud83d": {"x": ["\ud83d"]}}, '{"\ufffd":{"x":["\ufffd"]}}'),
        (TextDelta(text="\ud83d"), '{"type":"text_delta","text":"\ufffd","parent_tool_call_id":null}'),
        (10**30, "1" + "0" * 30),
        (float("inf"), "null"),
    ],
)
def test_everything_can_be_written(value: Any, text: str) -> None:
    assert jsontext.dumps(value) == text.encode()


def test_a_line_is_written_without_a_line_end_inside() -> None:
    assert b"\n" not in jsontext.dumps({"text": "a\nb\r\n"})
