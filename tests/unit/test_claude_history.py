"""What stands in a transcript, told again as events; and what a list tells from a transcript's two ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from protocol.codecs.claude_history import HistoryReader, begins_turn
from protocol.codecs.claude_listing import MAX_SHOWN, parse_time, read_listing
from protocol.conversations import History, Window
from protocol.events import Message, Notice
from protocol.turnrecord import NO_OUTPUT
from tests.support.transcripts import Script, call

Json = dict[str, Any]


def told(script: Script, *, running: bool = False, agent: str | None = None) -> list[tuple[str | None, Json]]:
    reader = HistoryReader()
    events = [each for line in script.text for each in reader.receive(line, agent)]
    return [(turn, msgspec.to_builtins(event)) for turn, event in [*events, *reader.close(running=running)]]


def types(script: Script, **how: Any) -> list[tuple[str | None, str]]:
    return [(turn, event["type"]) for turn, event in told(script, **how)]


def said(script: Script, kind: str = "message") -> list[Json]:
    return [event for _, event in told(script) if event["type"] == kind]


def text(event: Json) -> str:
    return "".join(block.get("text", "") for block in event["content"])


@pytest.mark.spec("16.2")
def test_a_turn_is_told_with_its_prompt_its_tools_and_its_end() -> None:
    script = (
        Script()
        .user("u1", "Mend it.")
        .agent("a1", "I will.", message="m")
        .agent("a2", call("t1", command="ls"), message="m")
    )
    events = told(script.result("r1", "t1", "a b").agent("a3", "Done."))
    assert {turn for turn, _ in events} == {"u1"}
    assert [event["type"] for _, event in events] == [
        "turn_started", "message", "message", "tool_call_started", "tool_call_input", "message", "tool_call_output",
        "message", "turn_completed",
    ]  # fmt: skip
    assert events[1][1] == {
        "type": "message",
        "role": "user",
        "content": [{"type": "text", "text": "Mend it."}],
        "parent_tool_call_id": None,
    }
    assert events[6][1] == {"type": "tool_call_output", "tool_call_id": "t1", "is_error": False, "content": "a b"}
    end = events[-1][1]
    assert (end["stop_reason"], end["result"], end["is_error"], end["cost_usd"]) == ("end_turn", "Done.", False, None)
    assert (end["usage"]["input_tokens"], end["usage"]["output_tokens"]) == (20, 4)


def test_each_prompt_ends_the_turn_before_and_a_running_one_is_left_open() -> None:
    script = Script().user("u1", "a").agent("a1", "b").user("u2", "c").agent("a2", call("t1"))
    one = [("u1", "turn_started"), ("u1", "message"), ("u1", "message"), ("u1", "turn_completed")]
    two = [("u2", each) for each in ("turn_started", "message", "tool_call_started", "tool_call_input", "message")]
    assert types(script, running=True) == one + two
    assert types(script) == [*one, *two, ("u2", "tool_call_output"), ("u2", "turn_completed")]
    (output,) = said(script, "tool_call_output")
    assert (output["is_error"], output["content"]) == (True, NO_OUTPUT)


@pytest.mark.parametrize(
    ("content", "fields"),
    [
        ("<local-command-caveat>Do not answer.</local-command-caveat>", {"isMeta": True}),
        ("[Image: source: /tmp/x.png]", {"isMeta": True}),
        ("This session is being continued", {"isCompactSummary": True}),
        ([{"type": "text", "text": "[Request interrupted by user for tool use]"}], {}),
        ("<local-command-stdout>Compacted </local-command-stdout>", {}),
        ([{"type": "text", "text": "<system-reminder>Remember.</system-reminder>"}], {}),
        ("<task-notification>\n<summary>Built.</summary>\n</task-notification>", {}),
    ],
)
@pytest.mark.spec("16.2")
def test_what_the_cli_says_in_the_users_name_is_no_message_of_the_user(content: Any, fields: Json) -> None:
    script = Script().user("u1", "hello").agent("a1", "hi").user("x1", content, **fields)
    assert [text(event) for event in said(script)] == ["hello", "hi"]


def test_an_interrupt_a_refusal_and_a_failed_call_of_the_model_end_a_turn_as_they_did_live() -> None:
    cut = Script().user("u1", "a").agent("a1", "half").user("x1", "[Request interrupted by user]")
    (end,) = said(cut, "turn_completed")
    assert (end["stop_reason"], end["result"]) == ("interrupted", None)
    failed = (
        Script()
        .user("u1", "a")
        .agent("a1", "API Error: 529", isApiErrorMessage=True, error="overloaded", apiErrorStatus=529)
    )
    (end,) = said(failed, "turn_completed")
    assert (end["stop_reason"], end["error"]) == (
        "error",
        {"kind": "api_error", "message": "API Error: 529", "api_status": 529},
    )
    assert [event["message"] for event in said(failed, "notice")] == ["API Error: 529"]
    refused = Script().user("u1", "a").agent("a1", "No.")
    refused.lines[-1]["message"]["stop_reason"] = "refusal"
    (end,) = said(refused, "turn_completed")
    assert end["stop_reason"] == "refusal"


def test_slash_commands_are_prompts_and_their_output_is_the_answer() -> None:
    script = Script().user("c0", "<local-command-caveat>x</local-command-caveat>", isMeta=True)
    script.user(
        "c1",
        "<command-name>/cost</command-name>\n<command-message>cost</command-message>\n<command-args>now</command-args>",
    )
    script.add("system", "c2", subtype="local_command", content="<local-command-stdout>$0.00</local-command-stdout>")
    assert [(turn, event["role"], text(event)) for turn, event in told(script) if event["type"] == "message"] == [
        ("c1", "user", "/cost now"),
        ("c1", "assistant", "$0.00"),
    ]


def test_a_background_turn_is_one_of_its_own_and_begins_with_the_news() -> None:
    news = "<task-notification>\n<task-id>b1</task-id>\n<summary>Build done</summary>\n</task-notification>"
    script = (
        Script()
        .user("u1", "a")
        .agent("a1", "b")
        .user("n1", news, origin={"kind": "task-notification"})
        .agent("a2", "noted")
    )
    events = [event for turn, event in told(script) if turn == "n1"]
    assert [event["type"] for event in events] == ["turn_started", "notice", "message", "turn_completed"]
    assert (events[0]["origin"], events[1]["message"]) == ("background", "Background task: Build done")


def test_compaction_is_a_notice_and_a_plan_is_told_again() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1", "TaskCreate", subject="Dig"))
    script.result("r1", "t1", "ok", toolUseResult={"task": {"id": "1", "subject": "Dig"}})
    script.agent("a2", call("t2", "TodoWrite", todos=[{"content": "Fill", "status": "pending"}])).result("r2", "t2")
    script.add(
        "system", "c1", subtype="compact_boundary", compactMetadata={"trigger": "auto", "preTokens": 9, "postTokens": 3}
    )
    assert [[each["content"] for each in event["entries"]] for event in said(script, "plan")] == [["Dig"], ["Fill"]]
    assert [event["message"] for event in said(script, "notice")] == [
        "The context was compacted from 9 to 3 tokens (auto)."
    ]


def test_a_prompt_that_reached_a_running_turn_is_told_within_it() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1")).result("r1", "t1")
    script.add("attachment", "q1", attachment={"type": "queued_command", "prompt": "faster", "commandMode": "prompt"})
    script.add(
        "attachment", "q2", attachment={"type": "queued_command", "prompt": "x", "commandMode": "task-notification"}
    )
    script.agent("a2", "b")
    assert [(event["role"], text(event)) for event in said(script)][2:] == [("user", "faster"), ("assistant", "b")]
    assert {turn for turn, _ in told(script)} == {"u1"}


def test_a_subagents_lines_have_the_call_that_started_it_and_no_prompt() -> None:
    script = (
        Script()
        .user("i0", "Look around.", isSidechain=True)
        .agent("i1", call("t2"))
        .result("i2", "t2")
        .agent("i3", "Seen.")
    )
    events = [event for _, event in told(script, agent="t1")]
    assert [event["parent_tool_call_id"] for event in events if "parent_tool_call_id" in event] == ["t1"] * 3
    assert [event.get("role") for event in events if event["type"] == "message"] == ["assistant", "assistant"]


@pytest.mark.parametrize(
    "line", [b"{half", b"[]", b'{"no": "type"}', b'{"type":"user","uuid":"u"}', b'{"type":"assistant","message":5}']
)
@pytest.mark.spec("16.3")
def test_a_line_that_cannot_be_read_is_told_as_it_is(line: bytes) -> None:
    ((turn, event),) = HistoryReader().receive(line)
    assert (turn, msgspec.to_builtins(event)) == (None, {"type": "raw", "content": line.decode()})


def test_book_keeping_of_the_cli_and_its_words_of_nothing_are_passed_over() -> None:
    script = Script().keep("queue-operation", operation="enqueue").keep("from-the-future", value=1)
    script.add("attachment", "x1", attachment={"type": "date"}).add("system", "x2", subtype="turn_duration")
    script.agent("a1", "No response requested.")
    script.lines[-1]["message"]["model"] = "<synthetic>"
    assert told(script) == []


def test_only_a_prompt_begins_a_turn() -> None:
    script = Script().user("u1", "a").agent("a1", call("t1")).result("r1", "t1").user("m1", "x", isMeta=True)
    assert [begins_turn(line) for line in script.text] == [True, False, False, False]


def test_reminders_within_a_prompt_are_cut_out_and_pictures_stay() -> None:
    image = {"type": "image", "source": {"type": "base64", "data": "AA=="}}
    blocks = [{"type": "text", "text": "<system-reminder>\nx\n</system-reminder>\nSee:"}, image]
    (message,) = said(Script().user("u1", blocks))
    assert message["content"] == [{"type": "text", "text": "See:"}, image]


# A list's view


@pytest.mark.spec("16.1")
def test_the_users_title_counts_most_then_the_models_then_the_first_prompt() -> None:
    script = Script("/home/me").user("c1", "<command-name>/compact</command-name>").user("u1", "  Why\nis it red? ")
    assert (read_listing(script.text).title, read_listing(script.text).first_prompt) == ("Why is it red?",) * 2
    script.keep("summary", summary="Old").keep("ai-title", aiTitle="Red build").keep("ai-title", aiTitle="Build")
    assert read_listing(script.text).title == "Build"
    script.keep("custom-title", customTitle="Mine").keep("custom-title", customTitle=" ").keep(
        "custom-title", customTitle=5
    )
    listing = read_listing([b"{half", b"[]", *script.text])
    assert (listing.title, listing.folders, listing.has_messages) == ("Mine", ["/home/me"], True)
    assert listing.created_at == parse_time("2026-11-21T18:00:01.000Z")


def test_a_long_prompt_is_cut_and_nothing_at_all_is_no_conversation() -> None:
    listing = read_listing(Script().user("u1", "x" * 1000).text)
    assert listing.first_prompt is not None
    assert (len(listing.first_prompt), listing.first_prompt[-1]) == (MAX_SHOWN, "\N{HORIZONTAL ELLIPSIS}")
    empty = read_listing(Script().keep("queue-operation", operation="enqueue").text)
    assert (empty.has_messages, empty.title, empty.created_at) == (False, None, None)
    assert [parse_time(stamp) for stamp in (None, 5, "then", "")] == [None] * 4


@pytest.mark.parametrize(
    ("window", "expected", "more"),
    [
        (Window(), "abcde", False),
        (Window(limit=2), "ab", True),
        (Window(start=2, limit=3), "cde", False),
        (Window(start=9), "", False),
        (Window(max_bytes=1), "a", True),
        (Window(start=1, max_bytes=100), "bc", True),
    ],
)
@pytest.mark.spec("16.4")
def test_a_window_takes_what_is_wanted_and_at_least_one(window: Window, expected: str, more: bool) -> None:
    history = History("c")
    window.fill(history, ((None, Notice(level="info", message=letter)) for letter in "abcde"))
    assert ("".join(event.message for _, event in history.events if isinstance(event, Notice)), history.more) == (
        expected,
        more,
    )


def test_a_window_makes_no_events_behind_its_end() -> None:
    def events() -> Any:
        yield None, Message(role="user", content=[])
        yield None, Message(role="user", content=[])
        raise AssertionError("never asked for")

    history = History("c")
    Window(limit=1).fill(history, events())
    assert (len(history.events), history.more) == (1, True)
