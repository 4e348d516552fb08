"""Events become updates of the Agent Client Protocol: text, tool calls, news; and what must not become one."""

from __future__ import annotations

from typing import Any

from protocol.codecs.acp import UpdateWriter
from protocol.events import (
    Compaction,
    FileChange,
    Message,
    Notice,
    PermissionResolved,
    Retry,
    Task,
    Tasks,
    TextDelta,
    ThinkingDelta,
    ToolCallInput,
    ToolCallOutput,
    ToolCallProgress,
    ToolCallStarted,
    TurnCompleted,
    TurnStarted,
    Usage,
)
from protocol.turnrecord import NO_OUTPUT
from protocol.wire.acp import Client

Json = dict[str, Any]

ALL = Client(notices=True, compaction=True, terminal_output=True)


def written(*events: Any, client: Client | None = None, replaying: bool = False) -> list[Json]:
    """The updates of some events, in a session of its own."""
    writer = UpdateWriter(client or Client(), "/w")
    writer.replaying = replaying
    return [update for event in events for update in writer.write(event)]


def call(name: str, kind: Any, given: Json, *, parent: str | None = None, id: str = "c") -> list[Any]:
    """The events with which a tool call begins."""
    return [
        ToolCallStarted(tool_call_id=id, name=name, kind=kind, parent_tool_call_id=parent),
        ToolCallInput(tool_call_id=id, input=given),
    ]


def output(content: Any, *, is_error: bool = False, id: str = "c", **more: Any) -> ToolCallOutput:
    return ToolCallOutput(tool_call_id=id, is_error=is_error, content=content, **more)


def test_chunks_of_one_block_have_one_message_id_and_the_next_block_has_another() -> None:
    one, two, three = written(
        TextDelta(text="a"),
        TextDelta(text="b"),
        Message(role="assistant", content=[{"type": "text", "text": "ab"}]),
        TextDelta(text="c"),
    )
    assert one["messageId"] == two["messageId"] != three["messageId"]
    assert [each["content"]["text"] for each in (one, two, three)] == ["a", "b", "c"]


def test_text_that_is_too_long_for_a_line_comes_in_pieces_and_none_is_lost() -> None:
    text = "äöü" * 200_000
    pieces = [update["content"]["text"] for update in written(TextDelta(text=text))]
    assert len(pieces) > 1
    assert "".join(pieces) == text


def test_empty_deltas_and_what_the_cli_told_the_model_become_nothing() -> None:
    told = Message(role="user", content=[{"type": "text", "text": "[Request interrupted by user]"}])
    assert written(TextDelta(text=""), ThinkingDelta(text=""), told, TurnStarted(origin="message")) == []


def test_history_shows_what_the_user_said_and_what_the_agent_said_without_deltas() -> None:
    updates = written(
        Message(role="user", content=[{"type": "text", "text": "hi"}, {"type": "image", "source": {"data": "AA=="}}]),
        Message(role="assistant", content=[{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "yes"}]),
        replaying=True,
    )
    assert [(each["sessionUpdate"], each["content"].get("text")) for each in updates] == [
        ("user_message_chunk", "hi"),
        ("user_message_chunk", None),
        ("agent_thought_chunk", "hm"),
        ("agent_message_chunk", "yes"),
    ]


def test_a_subagents_text_is_shown_in_the_call_that_started_it() -> None:
    said = Message(role="assistant", content=[{"type": "text", "text": "found"}], parent_tool_call_id="c")
    delta = TextDelta(text="found", parent_tool_call_id="c")
    updates = written(*call("Agent", "think", {"description": "Look"}), delta, said)
    assert updates[-1] == {
        "sessionUpdate": "tool_call_update",
        "toolCallId": "c",
        "content": [{"type": "content", "content": {"type": "text", "text": "found"}}],
    }
    assert all(update["sessionUpdate"] != "agent_message_chunk" for update in updates)


def test_titles_say_what_a_call_does() -> None:
    titles = {
        ("Read", "read", "file_path", "/w/src/a.py"): "Read src/a.py",
        ("Write", "edit", "file_path", "/elsewhere/a"): "Write /elsewhere/a",
        ("Bash", "execute", "command", "ls -l"): "ls -l",
        ("Grep", "search", "pattern", "x+"): "Grep `x+`",
        ("WebSearch", "search", "query", "tides"): 'WebSearch "tides"',
        ("WebFetch", "fetch", "url", "http://a"): "Fetch http://a",
        ("Agent", "think", "description", "Look"): "Look",
        ("mcp__tide__level", "other", "x", "y"): "tide: level",
        ("ExitPlanMode", "think", "plan", "1."): "The plan",
        ("New", "other", "x", "y"): "New",
        ("Bash", "execute", "command", "x" * 1000): "x" * 299 + "…",
    }
    for (name, kind, field, value), title in titles.items():
        assert written(*call(name, kind, {field: value}))[-1]["title"] == title
    ranged = written(*call("Read", "read", {"file_path": "/w/a", "offset": 5, "limit": 10}))[-1]
    assert (ranged["title"], ranged["locations"]) == ("Read a (5 - 14)", [{"path": "/w/a", "line": 5}])


def test_inputs_of_any_shape_are_shown_as_far_as_they_can_be() -> None:
    shapes: list[Any] = [
        None,
        5,
        "text",
        [],
        {"file_path": 7},
        {"command": None},
        {"questions": [5]},
        {"edits": [None]},
    ]
    for given in shapes:
        for name, kind in (("Edit", "edit"), ("Bash", "execute"), ("AskUserQuestion", "think"), ("Read", "read")):
            *_, update = written(*call(name, kind, given))
            assert update["title"]


def test_several_edits_are_several_differences_and_a_new_file_has_no_old_text() -> None:
    edits = [{"old_string": "a", "new_string": "b"}, {"old_string": "c", "new_string": "d"}]
    many = written(*call("MultiEdit", "edit", {"file_path": "/w/a", "edits": edits}))[-1]["content"]
    assert [(each["oldText"], each["newText"]) for each in many] == [("a", "b"), ("c", "d")]
    new = written(*call("Write", "edit", {"file_path": "/w/a", "content": "x"}))[-1]["content"]
    assert new == [{"type": "diff", "path": "/w/a", "oldText": None, "newText": "x"}]


def test_a_file_that_is_overwritten_is_shown_with_its_old_text_unless_that_is_the_new_one_already() -> None:
    for old, shown in (("before", "before"), ("after", None), (None, None)):
        writer = UpdateWriter(Client(), "/w", lambda _, old=old: old)  # type: ignore[misc]
        updates = [
            update
            for event in call("Write", "edit", {"file_path": "/w/a", "content": "after"})
            for update in writer.write(event)
        ]
        assert updates[-1]["content"][0]["oldText"] == shown


def test_an_edits_output_tells_what_it_really_changed_and_a_failed_ones_why() -> None:
    edit = call("Edit", "edit", {"file_path": "/w/a", "old_string": "a", "new_string": "b"})
    change = FileChange(path="/w/a", line=7, old_text="x\na", new_text="x\nb")
    done = written(*edit, output("ok", changes=[change]))[-1]
    assert done["content"] == [{"type": "diff", "path": "/w/a", "oldText": "x\na", "newText": "x\nb"}]
    assert (done["locations"], done["status"]) == ([{"path": "/w/a", "line": 7}], "completed")
    assert "content" not in written(*edit, output("ok"))[-1]  # the difference of the input stays
    failed = written(*edit, output("no such text", is_error=True))[-1]
    assert (failed["status"], failed["content"][0]["content"]["text"]) == ("failed", "no such text")


def test_output_is_fenced_so_that_it_cannot_end_its_fence_and_images_stay_images() -> None:
    fenced = written(*call("Bash", "execute", {"command": "x"}), output("a\n```\nb"))[-1]["content"][0]["content"]
    assert fenced["text"] == "````console\na\n```\nb\n````"
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AA=="}}
    content = written(*call("Read", "read", {"file_path": "/w/a.png"}), output([image]))[-1]["content"]
    assert content == [{"type": "content", "content": {"type": "image", "data": "AA==", "mimeType": "image/png"}}]


def test_nothing_is_said_about_a_call_that_was_not_announced() -> None:
    strays = [
        ToolCallInput(tool_call_id="x", input={}),
        ToolCallProgress(tool_call_id="x", content="more"),
        PermissionResolved(tool_call_id="x", outcome="allow", by="parent"),
        output("x", id="x"),
    ]
    assert written(*strays) == []


def test_the_tools_behind_the_plan_are_shown_only_when_they_fail() -> None:
    todo = call("TaskCreate", "think", {"subject": "A"})
    assert written(*todo, output("ok")) == []
    updates = written(*todo, output("no", is_error=True))
    assert [each["sessionUpdate"] for each in updates] == ["tool_call", "tool_call_update", "tool_call_update"]
    assert updates[-1]["status"] == "failed"


def test_a_terminal_shows_live_output_once_and_its_rest_at_the_end() -> None:
    live = [ToolCallProgress(tool_call_id="c", content=text) for text in ("one\n", "two\n")]
    updates = written(*call("Bash", "execute", {"command": "x"}), *live, output("one\ntwo\nthree"), client=ALL)
    shown = [
        update["_meta"]["terminal_output"]["data"] for update in updates if "terminal_output" in update.get("_meta", {})
    ]
    assert "".join(shown) == "one\ntwo\nthree"
    assert updates[-1]["_meta"]["terminal_exit"] == {"terminal_id": "c", "exit_code": 0, "signal": None}


def test_the_code_of_a_command_that_failed_is_what_the_cli_says_or_else_1() -> None:
    for text, code in (("Exit code 3\nout", 3), ("Exit code 130", 130), ("Killed", 1), ("x Exit code 3", 1)):
        ended = written(*call("Bash", "execute", {"command": "x"}), output(text, is_error=True), client=ALL)[-1]
        assert ended["_meta"]["terminal_exit"]["exit_code"] == code


def test_live_output_without_a_terminal_grows_in_the_calls_content() -> None:
    live = [ToolCallProgress(tool_call_id="c", content=text) for text in ("one\n", "two\n")]
    *_, last = written(*call("Bash", "execute", {"command": "x"}), *live)
    assert last["content"][0]["content"]["text"] == "```console\none\ntwo\n```"


def test_what_an_agent_in_the_background_does_ends_when_it_ends() -> None:
    task = Task(task_id="t", kind="agent", status="running", description="Look", tool_call_id="c", background=True)
    done = Task(task_id="t", kind="agent", status="completed", description="Look", tool_call_id="c", background=True)
    inner = call("Bash", "execute", {"command": "x"}, parent="c", id="i")
    writer = UpdateWriter(Client(), "/w")
    begun = [*call("Agent", "think", {"description": "Look"}), Tasks(tasks=[task]), output("launched"), *inner]
    ended = [output(NO_OUTPUT, is_error=True, id="i"), TurnCompleted(stop_reason="end_turn")]
    before = [update for event in [*begun, *ended] for update in writer.write(event)]
    assert {update.get("status") for update in before} == {"pending"}
    late = ToolCallProgress(tool_call_id="i", content="real", is_error=False)
    after = [update for event in [late, Tasks(tasks=[done])] for update in writer.write(event)]
    assert [(each["toolCallId"], each["status"]) for each in after] == [("i", "completed"), ("c", "completed")]
    assert writer.calls.close() == []


def test_a_call_of_an_agent_that_begins_again_after_its_turn_is_announced_once() -> None:
    task = Task(task_id="t", kind="agent", status="running", tool_call_id="c", background=True)
    inner = call("Bash", "execute", {"command": "x"}, parent="c", id="i")
    begun = [*call("Agent", "think", {}), Tasks(tasks=[task]), output("launched"), *inner]
    ended = [output(NO_OUTPUT, is_error=True, id="i"), TurnCompleted(stop_reason="end_turn")]
    updates = written(*begun, *ended, *call("Bash", "execute", {"command": "x"}, id="i"), output("ok", id="i"))
    told = [each for each in updates if each["toolCallId"] == "i"]
    assert [each["sessionUpdate"] for each in told].count("tool_call") == 1
    assert [each["status"] for each in told][-1] == "completed"


def test_a_call_of_an_agent_that_is_asked_for_after_its_turn_is_announced_once_and_ends() -> None:
    task = Task(task_id="t", kind="agent", status="running", tool_call_id="c", background=True)
    inner = call("Bash", "execute", {"command": "x"}, parent="c", id="i")
    begun = [*call("Agent", "think", {}), Tasks(tasks=[task]), output("launched"), *inner]
    for real in (output("ok", id="i"), ToolCallProgress(tool_call_id="i", content="ok", is_error=False)):
        writer = UpdateWriter(Client(), "/w")
        for event in [*begun, output(NO_OUTPUT, is_error=True, id="i"), TurnCompleted(stop_reason="end_turn")]:
            writer.write(event)
        assert writer.calls.announce("i", "Bash", "execute", {"command": "x"}) == []
        assert writer.calls.describe("i", {"command": "x"})["title"] == "x"
        allowed = PermissionResolved(tool_call_id="i", outcome="allow", by="parent")
        assert [each["status"] for event in (allowed, real) for each in writer.write(event)] == [
            "in_progress",
            "completed",
        ]
        assert [each["toolCallId"] for each in writer.calls.close()] == ["c"]


def test_what_the_cli_tells_the_model_of_an_agents_launch_is_not_shown_in_a_history() -> None:
    launch = [{"type": "text", "text": "Async agent launched successfully. (never quote this) agentId: a1"}]
    ended = written(*call("Agent", "think", {"description": "Look"}), output(launch), replaying=True)[-1]
    assert (ended["status"], ended["rawOutput"]) == ("completed", "Works in the background.")
    assert "agentId" not in str(ended)


def test_calls_of_which_nothing_more_comes_are_failed_at_the_end() -> None:
    task = Task(task_id="t", kind="agent", status="running", tool_call_id="c", background=True)
    writer = UpdateWriter(Client(), "/w")
    for event in [*call("Agent", "think", {}), Tasks(tasks=[task]), output("launched")]:
        writer.write(event)
    assert [(each["toolCallId"], each["status"]) for each in writer.calls.close()] == [("c", "failed")]


def test_usage_is_told_once_the_size_of_the_context_is_known_and_adds_up_the_costs() -> None:
    usage = Usage(input_tokens=1, output_tokens=2, cache_read_input_tokens=3, cache_creation_input_tokens=4)
    done = TurnCompleted(stop_reason="end_turn", cost_usd=0.25, context_window=200_000)
    updates = written(usage, done, usage, done)
    assert [(each["used"], each["size"], each["cost"]["amount"]) for each in updates] == [
        (10, 200_000, 0.25),
        (10, 200_000, 0.25),
        (10, 200_000, 0.5),
    ]


def test_what_a_compaction_leaves_is_in_the_context_and_a_turn_without_the_model_changes_nothing() -> None:
    known = TurnCompleted(stop_reason="end_turn", context_window=200_000)
    compacted = Notice(level="info", message="", compaction=Compaction(status="completed", post_tokens=900))
    updates = written(Usage(input_tokens=5000), known, compacted, Usage(), known)
    assert [each["used"] for each in updates if each["sessionUpdate"] == "usage_update"] == [5000, 900, 900]


def test_notices_go_where_the_client_has_a_place_for_them() -> None:
    notices: list[Any] = [TurnStarted(origin="message")]
    notices += [Notice(level=level, message=level) for level in ("debug", "info", "warning", "error")]
    assert [each["severity"] for each in written(*notices, client=ALL)] == ["info", "warning", "error"]
    assert [each["content"]["text"] for each in written(*notices)] == ["warning\n"]
    retry = Notice(level="warning", message="again", retry=Retry(attempt=1, max_attempts=2, delay_ms=5))
    assert written(retry) == []  # outside of a turn, an editor without notices hears of it in the next one
    assert written(retry, TurnStarted(origin="message"))[0]["sessionUpdate"] == "agent_thought_chunk"
    title = Notice(level="info", message="x", title="High water")
    assert written(title) == [{"sessionUpdate": "session_info_update", "title": "High water"}]


def test_each_compaction_is_one_entity_from_its_beginning_to_its_end() -> None:
    steps = [
        Notice(level="info", message=status, compaction=Compaction(status=status))
        for status in ("started", "completed", "started", "failed", "started")
    ]
    written_steps = written(*steps, TurnCompleted(stop_reason="interrupted"), client=ALL)
    told = [(each["compactionId"], each["status"]) for each in written_steps]
    assert told == [
        ("compaction-1", "in_progress"),
        ("compaction-1", "completed"),
        ("compaction-2", "in_progress"),
        ("compaction-2", "failed"),
        ("compaction-3", "in_progress"),
        ("compaction-3", "cancelled"),
    ]
