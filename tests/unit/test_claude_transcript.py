"""A transcript's tree: the branch that counts, what hangs beside it, and the order of what was said."""

from __future__ import annotations

import pytest

from protocol.codecs.claude_transcript import BROKEN, Entry, Tree, in_order, read_entry
from tests.support.transcripts import Script, call


def tree_of(lines: list[bytes]) -> Tree:
    tree = Tree()
    for at, line in enumerate(lines):
        tree.add(read_entry(line, at))
    return tree


def branch(script: Script, leaf: str | None = None) -> list[str | None]:
    return [entry.uuid for entry in tree_of(script.text).branch(leaf)]


@pytest.mark.spec("16.3")
def test_of_two_branches_the_newer_one_counts_and_the_older_can_be_asked_for() -> None:
    script = Script().user("u1", "a").agent("a1", "b").user("u2", "left behind").agent("a2", "c")
    script.after("a1").user("u3", "instead").agent("a3", "d").keep("last-prompt", leafUuid="a2")
    assert branch(script) == ["u1", "a1", "u3", "a3"]
    assert branch(script, "a2") == ["u1", "a1", "u2", "a2"]
    assert branch(script, "nobody") == []


def test_tool_calls_side_by_side_are_all_there_with_their_results() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1"), message="m").agent("a2", call("t2"), message="m")
    script.after("a1").result("r1", "t1").after("a2").result("r2", "t2").agent("a3", "all done")
    assert branch(script) == ["u1", "a1", "a2", "r1", "r2", "a3"]


def test_a_result_that_another_branch_has_repeated_is_told_once() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1")).result("r1", "t1").agent("a2", "first try")
    script.after("a1").result("r2", "t1").agent("a3", "second try")
    assert branch(script) == ["u1", "a1", "r2", "a3"]


def test_a_compaction_begins_anew_but_what_was_before_is_still_there() -> None:
    script = Script().user("u1", "a").agent("a1", "b").after(None)
    script.add("system", "c1", subtype="compact_boundary", logicalParentUuid="a1")
    script.user("s1", "summary", isCompactSummary=True).user("u2", "on").agent("a2", "yes")
    assert branch(script) == ["u1", "a1", "c1", "s1", "u2", "a2"]


def test_a_compaction_that_hangs_beside_the_branch_is_told_and_repeated_lines_are_not() -> None:
    script = Script().user("u1", "a").agent("a1", "b").user("u1", "a").after(None)
    script.add("system", "c1", subtype="compact_boundary", logicalParentUuid="a1")
    script.user("s1", "summary", isCompactSummary=True).after("a1").user("u2", "on").agent("a2", "yes")
    assert branch(script) == ["u1", "a1", "c1", "u2", "a2"]


def test_a_side_chain_is_no_leaf_and_a_ring_of_parents_ends() -> None:
    script = Script().user("u1", "a", parentUuid="a1").agent("a1", "b").user("x1", "side", isSidechain=True)
    assert branch(script) == ["u1", "a1"]
    assert branch(Script()) == []
    assert Tree().leaf is None


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"type": 5}', b'{"uuid": [], "type": "user"}']
)
def test_a_line_that_is_no_message_is_broken_and_never_raises(line: bytes) -> None:
    assert read_entry(line, 0).type == BROKEN


@pytest.mark.parametrize(
    "message", [None, 5, [], {"content": 5}, {"content": [5, {}]}, {"id": 5, "content": [{"type": "tool_use"}]}]
)
def test_a_message_of_another_shape_has_no_calls_and_no_results(message: object) -> None:
    (line,) = Script().add("assistant", "a1", message=message).text
    entry = read_entry(line, 0)
    assert (entry.uuid, entry.calls, entry.results, entry.message_id) == ("a1", (), (), None)


def test_broken_lines_stay_in_their_place_and_those_behind_the_end_are_left_out() -> None:
    lines = Script().user("u1", "a").agent("a1", "b").text
    tree = tree_of([lines[0], b"{half", lines[1], b"{half"])
    assert [entry.type for entry in tree.branch()] == ["user", BROKEN, "assistant"]


@pytest.mark.spec("16.6")
def test_the_end_of_a_turn_is_its_last_message_also_on_a_branch_left_behind() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1")).result("r1", "t1").agent("a2", "b").add("attachment", "x")
    script.user("u2", "c").agent("a3", "d").after("a2").user("u3", "e").agent("a4", "f")
    tree = tree_of(script.text)

    def is_prompt(entry: Entry) -> bool:
        return (entry.uuid or "").startswith("u")

    ends = {id: tree.end_of_turn(id, is_prompt) for id in ("u1", "a1", "a2", "u2", "u3", "nobody")}
    assert ends == {"u1": "a2", "a1": "a2", "a2": "a2", "u2": "a3", "u3": "a4", "nobody": None}


def test_a_turn_goes_on_behind_a_compaction_and_ends_in_a_ring_too() -> None:
    script = Script().user("u1", "a").agent("a1", "b").after(None)
    script.add("system", "c1", subtype="compact_boundary", logicalParentUuid="a1").agent("a2", "c")
    script.user("x1", "ring", parentUuid="x2").user("x2", "ring", parentUuid="x1")
    tree = tree_of(script.text)
    assert tree.end_of_turn("u1", lambda entry: entry.uuid == "nobody") == "a2"
    assert tree.end_of_turn("x1", lambda entry: False) == "x2"


def test_the_lines_of_agents_come_when_they_were_written_but_never_before_their_call() -> None:
    main = [entry("u", "01"), entry("a", "02", calls=("t1",)), entry("r", "05"), entry("z", "04")]
    inner = [entry("i1", "01", calls=("t2",)), entry("i2", "03")]
    nested = [entry("n1", "09")]
    told = in_order(main, {"t2": nested, "t1": inner, "elsewhere": [entry("lost", "01")]})
    assert [(each.uuid, agent) for each, agent in told] == [
        ("u", None), ("a", None), ("i1", "t1"), ("i2", "t1"), ("r", None), ("z", None), ("n1", "t2"),
    ]  # fmt: skip


def entry(uuid: str, timestamp: str, calls: tuple[str, ...] = ()) -> Entry:
    return Entry(0, 0, "user", None, uuid, None, None, False, timestamp, None, calls, ())
