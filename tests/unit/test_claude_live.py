"""The pieces of a command's output file, as text, and where that file is."""

from __future__ import annotations

import pytest

from protocol.codecs.claude_live import LiveText, output_file


def test_a_character_that_is_cut_in_two_comes_whole_with_the_next_piece() -> None:
    live = LiveText()
    whole = "Grüße \U0001f469".encode()
    assert "".join(live.feed(whole[at : at + 1]) for at in range(len(whole))) == "Grüße \U0001f469"


def test_bytes_that_are_no_text_are_shown_as_such() -> None:
    assert LiveText().feed(b"a\xffb") == "a\ufffdb"


def test_what_came_too_fast_leaves_a_line_that_says_how_much_it_was() -> None:
    live = LiveText()
    assert live.feed(b"begin") == "begin"
    assert live.feed("ü!".encode()[1:], skipped=99) == "\n[100 bytes left out]\n!"
    assert live.feed(b"end") == "end"


@pytest.mark.parametrize(("session", "task"), [("../..", "b1"), ("s", "../b1"), ("s", ""), ("s*", "b1"), ("s", "b/1")])
def test_what_is_no_id_becomes_no_path(session: str, task: str) -> None:
    assert output_file(session, task) is None
    assert output_file("s-1", "b_1") == "s-1/tasks/b_1.output"
