"""The guard of plan mode: what the daemon's own hook lets pass, and how it learns of the mode."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.codecs.claude_guard import FLAGS_ID, GUARD_ID, HOOK, SETTINGS_ID, WATCH, WATCH_ID, PlanGuard, with_guard
from protocol.events import Notice, PermissionResolved, ToolCallStarted
from protocol.permissions import DENIED_BY_PLAN_MODE
from protocol.tools import ParentTool

CONFIG_DIR = "/home/me/.claude"


def call(tool: str, **given: Any) -> dict[str, Any]:
    transcript = f"{CONFIG_DIR}/projects/-home-me-project/s.jsonl"
    return {"tool_name": tool, "tool_input": given, "cwd": "/home/me/project", "transcript_path": transcript}


def planning() -> PlanGuard:
    guard = PlanGuard()
    assert guard.follow("plan")
    return guard


@pytest.mark.spec("7.9")
@pytest.mark.parametrize(
    "consulted",
    [
        call("Read", file_path="/a"),
        call("Grep", pattern="x"),
        call("Agent", prompt="look around"),
        call("AskUserQuestion", questions=[]),
        call("ExitPlanMode"),
        call("Bash", command="git status"),
        call("Write", file_path=f"{CONFIG_DIR}/plans/quiet-otter.md", content="# Plan"),
    ],
)
def test_what_only_reads_gets_no_opinion_in_plan_mode(consulted: dict[str, Any]) -> None:
    assert not planning().denies(consulted)


@pytest.mark.spec("7.9")
@pytest.mark.parametrize(
    "consulted",
    [
        call("Write", file_path="/home/me/project/a.md", content="x"),
        call("Write", file_path=f"{CONFIG_DIR}/plans/../settings.json", content="x"),
        call("Write", file_path=f"{CONFIG_DIR}/plans/../../a.md", content="x"),
        call("Edit", file_path=f"{CONFIG_DIR}/plans/deeper/a.md"),
        call("Write"),
        call("NotebookEdit", notebook_path=f"{CONFIG_DIR}/plans/a.md"),
        call("Bash", command="touch a"),
        call("Bash", command="ls", run_in_background=True),
        call("Bash"),
        call("Agent", prompt="look around", isolation="worktree"),
        call("Skill", skill="x"),
        call("KillShell", shell_id="1"),
        call("mcp__files__read"),
        call("FromTheFuture"),
        {"tool_name": "Read", "tool_input": "not an object"},
        {"tool_name": None, "tool_input": {}},
        "not an object",
    ],
)
def test_whatever_could_change_something_is_denied_in_plan_mode(consulted: Any) -> None:
    assert planning().denies(consulted)
    assert not PlanGuard().denies(consulted)


def test_the_plans_folder_of_the_settings_takes_the_place_of_the_clis_own() -> None:
    guard = planning()
    guard.learn({"effective": {"plansDirectory": "./plans"}})
    assert not guard.denies(call("Write", file_path="/home/me/project/plans/a.md"))
    assert guard.denies(call("Write", file_path=f"{CONFIG_DIR}/plans/a.md"))


@pytest.mark.parametrize("settings", [None, "x", {}, {"effective": None}, {"effective": {"plansDirectory": 1}}])
def test_settings_of_another_shape_leave_the_clis_own_plans_folder(settings: Any) -> None:
    guard = planning()
    guard.learn(settings)
    assert not guard.denies(call("Write", file_path=f"{CONFIG_DIR}/plans/a.md"))


def test_a_switch_to_plan_mode_is_guarded_before_the_cli_has_made_it() -> None:
    guard = PlanGuard()
    guard.hold()
    assert guard.denies(call("Bash", command="touch a"))
    assert not guard.follow("supervised")
    assert guard.active, "a line about something else says nothing about the switch"
    assert guard.follow("plan")
    assert not guard.follow("plan")
    assert guard.follow("accept_edits")
    assert not guard.active


def test_a_switch_that_the_cli_refuses_is_guarded_no_longer() -> None:
    guard = PlanGuard()
    guard.hold()
    guard.release()
    guard.follow("supervised")
    assert not guard.active


def test_the_guard_is_consulted_before_every_hook_of_the_parent() -> None:
    theirs = {"hookCallbackIds": ["parent:x"]}
    assert with_guard(None) == {"PreToolUse": [HOOK], "ConfigChange": [WATCH]}
    assert with_guard({"PreToolUse": [theirs], "Stop": [theirs]}, watched=False) == {
        "PreToolUse": [HOOK, theirs],
        "Stop": [theirs],
    }


def test_a_parents_tool_that_only_reads_may_be_called_in_plan_mode() -> None:
    tools = [
        ParentTool(name=name, description="", input_schema={"type": "object"}, read_only=name == "look")
        for name in ("look", "touch")
    ]
    codec = ClaudeCodec(tools)
    codec.guard.follow("plan")
    assert not codec.guard.denies(call("mcp__parent__look"))
    assert codec.guard.denies(call("mcp__parent__touch"))


def status(mode: str) -> bytes:
    return jsontext.dumps({"type": "system", "subtype": "status", "status": None, "permissionMode": mode})


def consult(given: Any, callback_id: str = GUARD_ID) -> bytes:
    body = {"subtype": "hook_callback", "callback_id": callback_id, "tool_use_id": "t1", "input": given}
    return jsontext.dumps({"type": "control_request", "request_id": "r1", "request": body})


def replies(codec: ClaudeCodec) -> list[Any]:
    return [json.loads(line) for line in codec.control.take_replies().splitlines()]


@pytest.mark.spec("7.9")
def test_the_codec_follows_the_clis_mode_and_answers_the_hook_at_once() -> None:
    codec = ClaudeCodec()
    codec.receive(consult(call("Write", file_path="/a")))
    (reply,) = replies(codec)
    assert reply["response"] == {"subtype": "success", "request_id": "r1", "response": {}}

    codec.receive(status("plan"))
    flags, settings = replies(codec)
    assert (flags["request_id"], flags["request"]["settings"]) == (FLAGS_ID, {"disableSkillShellExecution": True})
    assert (settings["request_id"], settings["request"]["subtype"]) == (SETTINGS_ID, "get_settings")

    out = codec.receive(consult(call("Write", file_path="/a")))
    (reply,) = replies(codec)
    specific = reply["response"]["response"]["hookSpecificOutput"]
    assert (specific["permissionDecision"], specific["permissionDecisionReason"]) == ("deny", DENIED_BY_PLAN_MODE)
    assert [type(item) for item in out] == [ToolCallStarted, PermissionResolved]
    assert out[1] == PermissionResolved(tool_call_id="t1", outcome="deny", by="mode")

    codec.receive(status("default"))
    (flags,) = replies(codec)
    assert flags["request"]["settings"] == {"disableSkillShellExecution": False}


def test_the_answers_to_the_guards_own_requests_reach_nobody_else() -> None:
    codec = ClaudeCodec()
    codec.receive(status("plan"))
    for id, answer in ((FLAGS_ID, None), (SETTINGS_ID, {"effective": {"plansDirectory": "plans"}})):
        response = {"subtype": "success", "request_id": id, "response": answer}
        assert codec.receive(jsontext.dumps({"type": "control_response", "response": response})) == []
    assert codec.control.take_answers() == []
    assert not codec.guard.denies(call("Write", file_path="/home/me/project/plans/a.md"))


def test_a_consultation_without_an_input_is_denied_in_plan_mode_and_answered() -> None:
    codec = ClaudeCodec()
    codec.guard.follow("plan")
    assert codec.receive(consult(None)) == []
    (reply,) = replies(codec)
    assert reply["response"]["response"]["hookSpecificOutput"]["permissionDecision"] == "deny"


@pytest.mark.spec("7.10")
def test_settings_of_the_project_that_change_are_kept_from_a_running_cli_and_told() -> None:
    codec = ClaudeCodec()
    for source in ("project_settings", "local_settings", "skills"):
        (notice,) = codec.receive(consult({"source": source, "file_path": "/p/.claude/settings.json"}, WATCH_ID))
        assert isinstance(notice, Notice)
        assert "/p/.claude/settings.json" in notice.message
        (reply,) = replies(codec)
        assert reply["response"]["response"]["decision"] == "block"


OWN_SKILL = {
    "source": "skills",
    "file_path": f"{CONFIG_DIR}/skills/a/SKILL.md",
    "transcript_path": f"{CONFIG_DIR}/projects/p/s.jsonl",
}


@pytest.mark.parametrize("given", [{"source": "user_settings"}, OWN_SKILL, {}, None])
def test_settings_of_the_user_that_change_are_taken_in(given: Any) -> None:
    codec = ClaudeCodec()
    assert codec.receive(consult(given, WATCH_ID)) == []
    (reply,) = replies(codec)
    assert reply["response"]["response"] == {}
