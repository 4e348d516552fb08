"""The parent's hooks on the way to the CLI and back."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest

from protocol.codecs.claude_control import ControlChannel
from protocol.codecs.claude_hooks import SLACK_S, hook_fields, render_answer
from protocol.hooks import (
    DECISIONS,
    DENIED_BY_HOOK,
    GUARDS,
    HOOK_FAILED,
    HOOK_TIMEOUT_S,
    WITH_CONTEXT,
    HookAnswer,
    HookEvent,
    HookSubscription,
    failed_hook,
    parse_hook_answer,
)
from protocol.signals import HookFired
from tests.support import spec

GUARD = HookSubscription(hook_id="guard", event="PreToolUse", matcher="Bash", timeout=2)
END = HookSubscription(hook_id="end", event="Stop")


def test_the_handshake_names_each_hook_and_gives_the_cli_more_time_than_the_parent() -> None:
    assert hook_fields([]) is None
    assert hook_fields([GUARD, END]) == {
        "PreToolUse": [{"hookCallbackIds": ["parent:guard"], "matcher": "Bash", "timeout": 2 + SLACK_S}],
        "Stop": [{"hookCallbackIds": ["parent:end"], "timeout": HOOK_TIMEOUT_S + SLACK_S}],
    }


@pytest.mark.parametrize(
    ("id", "given", "call"),
    [
        ("parent:guard", {"tool_name": "Bash"}, "t1"),
        ("parent:end", {"stop_hook_active": False}, None),
    ],
)
def test_a_callback_is_a_question_about_a_tool_call_where_it_is_about_one(
    id: str, given: dict[str, Any], call: str | None
) -> None:
    body = {"subtype": "hook_callback", "callback_id": id, "input": given, "tool_use_id": "t1"}
    fired = ControlChannel(hooks=[GUARD, END]).receive_request({"request_id": "r1", "request": body})
    assert isinstance(fired, HookFired)
    assert (fired.hook_id, fired.tool_call_id, fired.input) == (id.partition(":")[2], call, given)


@pytest.mark.spec("7.9")
def test_an_input_that_plan_mode_forbids_is_not_let_in_by_a_hook() -> None:
    channel = ControlChannel(hooks=[GUARD], forbids=lambda call: call["tool_input"] == {"command": "touch a"})
    given = {"tool_name": "Bash", "tool_input": {"command": "ls"}}
    body = {"subtype": "hook_callback", "callback_id": "parent:guard", "input": given, "tool_use_id": "t1"}
    for command, decision in (("touch a", "deny"), ("ls -a", "allow")):
        channel.receive_request({"request_id": "r1", "request": body})
        line = channel.answer("r1", HookAnswer("allow", updated_input={"command": command}))
        told = json.loads(line)["response"]["response"]["hookSpecificOutput"]
        assert (told["permissionDecision"], "updatedInput" in told) == (decision, decision == "allow")


def test_a_callback_that_nobody_asked_for_is_refused() -> None:
    channel = ControlChannel(hooks=[GUARD])
    body = {"subtype": "hook_callback", "callback_id": "guard", "input": {}}
    assert channel.receive_request({"request_id": "r1", "request": body}) is None
    assert "No hook" in json.loads(channel.take_replies())["response"]["error"]


@pytest.mark.parametrize(
    ("event", "answer", "told"),
    [
        ("PreToolUse", HookAnswer(), {"continue": True}),
        (
            "PreToolUse",
            HookAnswer("deny"),
            {"permissionDecision": "deny", "permissionDecisionReason": DENIED_BY_HOOK},
        ),
        (
            "PreToolUse",
            HookAnswer("allow", updated_input={"a": 1}, additional_context="c"),
            {
                "permissionDecision": "allow",
                "permissionDecisionReason": "",
                "updatedInput": {"a": 1},
                "additionalContext": "c",
            },
        ),
        ("PermissionRequest", HookAnswer("deny", reason="r"), {"decision": {"behavior": "deny", "message": "r"}}),
        (
            "PermissionRequest",
            HookAnswer("allow", updated_input={"a": 1}),
            {"decision": {"behavior": "allow", "updatedInput": {"a": 1}}},
        ),
        ("Stop", HookAnswer("block", reason="r"), {"continue": True, "decision": "block", "reason": "r"}),
        ("PostToolUse", HookAnswer("block"), {"continue": True, "decision": "block", "reason": DENIED_BY_HOOK}),
        ("Stop", HookAnswer(go_on=False, stop_reason="s"), {"continue": False, "stopReason": "s"}),
    ],
)
def test_an_answer_is_told_in_the_clis_own_words(event: str, answer: HookAnswer, told: dict[str, Any]) -> None:
    response = render_answer(event, answer)
    specific = response.pop("hookSpecificOutput", None)
    if "continue" in told:
        assert (response, specific) == (told, None)
    else:
        assert (response, specific) == ({"continue": True}, {"hookEventName": event, **told})


@pytest.mark.spec("15.5")
@pytest.mark.parametrize(
    ("event", "answer", "words"),
    [
        ("Stop", [], "must be an object"),
        ("Stop", {"allow": True}, "unknown members: allow"),
        ("Stop", {"decision": "allow"}, "decision 'allow' does not fit Stop: it decides block"),
        ("PostCompact", {"decision": "block"}, "it decides nothing"),
        ("PreToolUse", {"decision": ["deny"]}, "decision must be a string"),
        ("PreToolUse", {"updated_input": "x"}, "updated_input must be an object"),
        ("PostToolUse", {"updated_input": {}}, "updated_input does not fit PostToolUse"),
        ("Stop", {"additional_context": "x"}, "additional_context does not fit Stop"),
        ("Stop", {"continue": "no"}, "continue must be true or false"),
    ],
)
def test_an_answer_that_does_not_fit_its_event_is_refused(event: str, answer: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse_hook_answer(answer, event)


def test_an_empty_answer_has_no_opinion() -> None:
    assert parse_hook_answer({}, "PreToolUse") == HookAnswer()
    assert parse_hook_answer({"continue": None, "decision": None}, "Stop") == HookAnswer()
    assert parse_hook_answer({"continue": False, "stop_reason": "s"}, "Stop") == HookAnswer(
        go_on=False, stop_reason="s"
    )


@pytest.mark.spec("15.5")
@pytest.mark.parametrize("event", get_args(HookEvent))
def test_no_answer_denies_at_guards_and_does_nothing_elsewhere(event: str) -> None:
    assert failed_hook(event) == (HookAnswer("deny", reason=HOOK_FAILED) if event in GUARDS else HookAnswer())


@pytest.mark.spec("15.4")
def test_the_table_of_events_says_what_each_may_decide() -> None:
    table = spec.table("at")
    shown: dict[str, tuple[set[str], bool, bool]] = {}
    for at, decides, also in zip(
        *(table.column(name) for name in ("at", "`decision` and its effect", "also")), strict=True
    ):
        words = {"allow", "deny", "ask", "block"} & set(spec.code_spans(decides))
        for event in spec.code_spans(at):
            shown[event] = (words, "`updated_input`" in also, "`additional_context`" in also)
    assert shown == {
        event: (set(DECISIONS.get(event, ())), event in GUARDS, event in WITH_CONTEXT) for event in get_args(HookEvent)
    }
