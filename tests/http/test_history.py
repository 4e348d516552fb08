"""Conversations by what was said in them: which two are one, and what a new session is told. Pure."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from protocol.history import chain, extend, tell, without_results
from protocol.turnrequest import Block, Said


def user(*texts: str) -> Said:
    return Said("user", [{"type": "text", "text": text} for text in texts])


def agent(*texts: str, calls: tuple[str, ...] = ()) -> Said:
    uses: list[Block] = [{"type": "tool_use", "id": id, "name": "look", "input": {}} for id in calls]
    return Said("assistant", [*({"type": "text", "text": text} for text in texts), *uses])


def test_each_beginning_of_a_conversation_has_its_digest() -> None:
    said = [user("a"), agent("b"), user("c")]
    assert chain(said)[:2] == chain(said[:2])
    assert chain(said)[2] == extend(chain(said)[1], said[2])
    assert len(set(chain(said))) == 3


def test_white_space_in_the_agents_words_does_not_count_and_in_the_users_it_does() -> None:
    assert chain([user("a"), agent("b c", "d")]) == chain([user("a"), agent("b\n\nc d ")])
    assert chain([user("a b")]) != chain([user("a  b")])


def test_other_words_another_role_or_another_call_is_another_conversation() -> None:
    assert chain([user("a")]) != chain([agent("a")])
    assert chain([user("a", "b")]) != chain([user("ab")])
    assert chain([agent("b", calls=("t1",))]) != chain([agent("b", calls=("t2",))]) != chain([agent("b")])
    image = Said("user", [{"type": "image", "source": {"type": "url", "url": "x"}}])
    assert chain([image]) != chain([Said("user", [{"type": "image", "source": {"type": "url", "url": "y"}}])])


@given(st.lists(st.text(max_size=5), min_size=1, max_size=6), st.lists(st.text(max_size=5), min_size=1, max_size=6))
def test_two_histories_of_a_user_are_one_only_where_they_are_the_same(one: list[str], other: list[str]) -> None:
    same = [user(text) for text in one] == [user(text) for text in other]
    assert (chain([user(text) for text in one])[-1] == chain([user(text) for text in other])[-1]) == same


def test_a_past_is_told_in_one_text_with_its_images_in_their_places() -> None:
    image: Block = {"type": "image", "source": {"type": "url", "url": "x"}}
    result: Block = {"type": "tool_result", "tool_use_id": "t1", "content": "42", "is_error": False}
    said = [
        Said("user", [{"type": "text", "text": "look at"}, image]),
        agent("I do", calls=("t1",)),
        Said("user", [result]),
        agent("It is 42"),
    ]
    first, shown, rest = tell(said, user("and now?"))
    assert first["text"].endswith("User:\nlook at\n")
    assert shown == image
    assert "Assistant:\nI do\n(called the tool look with {})" in rest["text"]
    assert "(the tool gave:\n42\n)" in rest["text"]
    assert rest["text"].endswith("The user says now:\n\nand now?\n")
    assert rest["text"].index("</conversation>") < rest["text"].index("and now?")


def test_without_a_past_nothing_is_added() -> None:
    assert tell([], user("a", "b")) == user("a", "b").content


def test_results_that_nobody_waits_for_are_told_in_words() -> None:
    result: Block = {"type": "tool_result", "tool_use_id": "t1", "content": "no such file", "is_error": True}
    told, text = without_results([result, {"type": "text", "text": "go on"}])
    assert told == {"type": "text", "text": "(call t1) (the tool failed:\nno such file\n)\n"}
    assert text["text"] == "go on"
