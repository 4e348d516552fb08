"""Claude Code's control channel: its questions, our answers, and what must never be sent."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs.claude_control import ControlAnswered, ControlChannel
from protocol.permissions import DENIED_BY_PARENT, Decision, deny
from protocol.signals import PermissionAsked

RULE = {"type": "addRules", "rules": [{"toolName": "Bash"}], "behavior": "allow", "destination": "session"}


def question(subtype: str = "can_use_tool", **members: Any) -> dict[str, Any]:
    return {"type": "control_request", "request_id": "r1", "request": {"subtype": subtype, **members}}


def bash(**members: Any) -> dict[str, Any]:
    return question(tool_name="Bash", input={"command": "ls"}, tool_use_id="t1", **members)


def answer(channel: ControlChannel, decision: Decision, request_id: str = "r1") -> Any:
    """What the answer tells the CLI; None where nothing is written."""
    line = channel.answer(request_id, decision)
    if not line:
        return None
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    value = json.loads(line)
    assert value["type"] == "control_response"
    assert value["response"]["request_id"] == request_id
    return value["response"].get("response", value["response"])


def test_a_request_of_ours_is_one_line() -> None:
    line = ControlChannel().request("id", "set_model", model="a\nb")
    assert line.count(b"\n") == 1
    assert json.loads(line) == {
        "type": "control_request",
        "request_id": "id",
        "request": {"subtype": "set_model", "model": "a\nb"},
    }


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (
            {"subtype": "success", "request_id": "a", "response": {"x": 1}},
            ControlAnswered(request_id="a", response={"x": 1}),
        ),
        ({"subtype": "success", "request_id": "a"}, ControlAnswered(request_id="a", response={})),
        ({"subtype": "success", "request_id": "a", "response": None}, ControlAnswered(request_id="a", response={})),
        (
            {"subtype": "error", "request_id": "a", "error": "no"},
            ControlAnswered(request_id="a", response={}, error="no"),
        ),
        (
            {"subtype": "error", "request_id": "a"},
            ControlAnswered(request_id="a", response={}, error="refused without a reason"),
        ),
    ],
)
def test_an_answer_of_the_cli_is_kept_until_it_is_taken(body: dict[str, Any], expected: ControlAnswered) -> None:
    channel = ControlChannel()
    channel.receive_response({"response": body})
    assert channel.take_answers() == [expected]
    assert channel.take_answers() == []


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("Bash", "execute"),
        ("Edit", "edit"),
        ("WebFetch", "fetch"),
        ("AskUserQuestion", "question"),
        ("ExitPlanMode", "plan"),
        ("mcp__demo__ask", "other"),
    ],
)
def test_a_question_about_a_tool_has_the_tools_kind(name: str, kind: str) -> None:
    asked = ControlChannel().receive_request(question(tool_name=name, input={}, tool_use_id="t1"))
    assert isinstance(asked, PermissionAsked)
    assert (asked.kind, asked.tool_name, asked.tool_call_id) == (kind, name, "t1")


def test_a_plan_suggests_the_mode_in_which_it_can_be_carried_out() -> None:
    asked = ControlChannel().receive_request(question(tool_name="ExitPlanMode", input={}, tool_use_id="t1"))
    assert isinstance(asked, PermissionAsked)
    assert asked.suggestions == [{"type": "setMode", "mode": "acceptEdits", "destination": "session"}]


@pytest.mark.parametrize(
    ("members", "title"),
    [
        ({}, None),
        ({"display_name": "Bash"}, "Bash"),
        ({"display_name": "Bash", "description": "List"}, "List"),
        ({"display_name": "Bash", "description": "List", "title": "Allow?"}, "Allow?"),
    ],
)
def test_a_questions_title_is_the_best_that_the_cli_gives(members: dict[str, Any], title: str | None) -> None:
    asked = ControlChannel().receive_request(bash(**members))
    assert isinstance(asked, PermissionAsked)
    assert asked.title == title


def test_a_question_without_a_tool_call_is_known_by_its_own_id() -> None:
    asked = ControlChannel().receive_request(question(tool_name="Bash", input={}))
    assert isinstance(asked, PermissionAsked)
    assert asked.tool_call_id == "r1"
    assert not asked.by_mode


def test_a_question_that_only_the_mode_asks_is_marked() -> None:
    asked = ControlChannel().receive_request(bash(decision_reason_type="mode", permission_suggestions=[RULE]))
    assert isinstance(asked, PermissionAsked)
    assert asked.by_mode
    assert asked.suggestions == [RULE]


@pytest.mark.parametrize("subtype", ["request_user_dialog", "of_the_future"])
def test_a_question_that_nobody_knows_is_refused_at_once(subtype: str) -> None:
    channel = ControlChannel()
    assert channel.receive_request(question(subtype)) is None
    reply = json.loads(channel.take_replies())
    assert reply["response"]["subtype"] == "error"
    assert reply["response"]["request_id"] == "r1"
    assert subtype in reply["response"]["error"]
    assert channel.take_replies() == b""
    assert channel.answer("r1", Decision("allow")) == b""


def test_several_refusals_go_out_as_a_line_each() -> None:
    channel = ControlChannel()
    channel.receive_request(question("a"))
    channel.receive_request(question("b"))
    assert channel.take_replies().count(b"\n") == 2


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Decision("allow"), {"behavior": "allow", "updatedInput": {"command": "ls"}}),
        (Decision("allow", updated_input={"command": "id"}), {"behavior": "allow", "updatedInput": {"command": "id"}}),
        (Decision("allow", updated_input={}), {"behavior": "allow", "updatedInput": {}}),
        (
            Decision("allow", remember=RULE),
            {"behavior": "allow", "updatedInput": {"command": "ls"}, "updatedPermissions": [RULE]},
        ),
        (Decision("deny"), {"behavior": "deny", "message": DENIED_BY_PARENT, "interrupt": False}),
        (Decision("deny", message=""), {"behavior": "deny", "message": DENIED_BY_PARENT, "interrupt": False}),
        (deny("no"), {"behavior": "deny", "message": "no", "interrupt": False}),
        (
            Decision("deny", message="stop", interrupt=True),
            {"behavior": "deny", "message": "stop", "interrupt": True},
        ),
    ],
)
def test_an_allow_always_has_an_input_and_a_deny_always_a_message(decision: Decision, told: dict[str, Any]) -> None:
    channel = ControlChannel()
    channel.receive_request(bash())
    assert answer(channel, decision) == told
    assert answer(channel, decision) is None, "a question is answered once"


def test_a_question_without_an_input_of_its_own_is_allowed_with_an_empty_one() -> None:
    channel = ControlChannel()
    asked = channel.receive_request(question(tool_name="X", input={}))
    assert isinstance(asked, PermissionAsked)
    assert answer(channel, Decision("allow"))["updatedInput"] == {}


def test_an_approved_plan_leaves_plan_mode_and_a_chosen_mode_is_kept() -> None:
    mode = {"type": "setMode", "mode": "acceptEdits", "destination": "session"}
    for remember, expected in ((None, "default"), (mode, "acceptEdits")):
        channel = ControlChannel()
        channel.receive_request(question(tool_name="ExitPlanMode", input={"plan": "p"}))
        told = answer(channel, Decision("allow", remember=remember))
        assert [update["mode"] for update in told["updatedPermissions"]] == [expected]
    channel = ControlChannel()
    channel.receive_request(question(tool_name="ExitPlanMode", input={}))
    assert "updatedPermissions" not in answer(channel, deny("no"))


def test_a_withdrawn_question_takes_no_answer_any_more() -> None:
    channel = ControlChannel()
    channel.receive_request(bash())
    assert channel.withdraw("r1")
    assert not channel.withdraw("r1")
    assert answer(channel, Decision("allow")) is None


def test_open_questions_are_answered_in_any_order() -> None:
    channel = ControlChannel()
    for id in ("r1", "r2", "r3"):
        channel.receive_request({**bash(), "request_id": id})
    assert [answer(channel, Decision("allow"), id)["behavior"] for id in ("r3", "r1", "r2")] == ["allow"] * 3


@pytest.mark.parametrize(
    ("decision", "told"),
    [
        (Decision("allow", updated_input={"name": "Bob"}), {"action": "accept", "content": {"name": "Bob"}}),
        (Decision("allow"), {"action": "accept", "content": {}}),
        (deny("no"), {"action": "decline"}),
    ],
)
def test_an_elicitation_is_a_question_and_answered_in_its_own_words(decision: Decision, told: dict[str, Any]) -> None:
    channel = ControlChannel()
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    asked = channel.receive_request(
        question("elicitation", mcp_server_name="demo", message="Name?", mode="form", requested_schema=schema)
    )
    assert isinstance(asked, PermissionAsked)
    assert (asked.kind, asked.tool_name, asked.title) == ("question", "demo", "Name?")
    assert asked.input == {"message": "Name?", "mode": "form", "requested_schema": schema}
    assert answer(channel, decision) == told


def test_an_elicitation_that_says_little_is_a_question_all_the_same() -> None:
    asked = ControlChannel().receive_request(question("elicitation"))
    assert isinstance(asked, PermissionAsked)
    assert (asked.tool_name, asked.title, asked.input) == ("mcp", None, {})


@pytest.mark.spec("7.4")
def test_a_denial_that_ends_the_turn_ends_it_also_where_an_agent_of_it_asked() -> None:
    refused = Decision("deny", message="no", interrupt=True)
    for members, subtypes in (({}, []), ({"agent_id": "a1"}, ["interrupt"])):
        channel = ControlChannel()
        channel.receive_request(bash(**members))
        first, *more = [json.loads(line) for line in channel.answer("r1", refused).splitlines()]
        assert first["response"]["response"]["interrupt"] is True
        assert [line["request"]["subtype"] for line in more] == subtypes
    channel = ControlChannel()
    channel.receive_request(bash(agent_id="a1"))
    assert answer(channel, deny("no"))["behavior"] == "deny"
