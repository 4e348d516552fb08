"""A parent's answer to a permission request: what counts, and what counts as deny."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protocol.methods import PermissionAnswer
from protocol.permissions import DENIED_BY_PARENT, Decision, deny, parse_decision
from protocol.signals import PermissionAsked

RULE = {"type": "addRules", "rules": [{"toolName": "Bash"}], "behavior": "allow", "destination": "session"}
ASKED = PermissionAsked(
    request_id="r1",
    tool_call_id="t1",
    tool_name="Bash",
    kind="execute",
    input={"command": "ls"},
    title=None,
    suggestions=[RULE, "always"],
)

GOOD: list[tuple[dict[str, Any], Decision]] = [
    ({"outcome": "allow"}, Decision("allow")),
    ({"outcome": "deny"}, Decision("deny")),
    ({"outcome": "deny", "message": "no", "interrupt": True}, Decision("deny", message="no", interrupt=True)),
    ({"outcome": "allow", "interrupt": None, "message": None, "updated_input": None}, Decision("allow")),
    ({"outcome": "allow", "updated_input": {}}, Decision("allow", updated_input={})),
    ({"outcome": "allow", "updated_input": {"a": [1]}}, Decision("allow", updated_input={"a": [1]})),
    ({"outcome": "allow", "remember": RULE}, Decision("allow", remember=RULE)),
    ({"outcome": "allow", "remember": "always"}, Decision("allow", remember="always")),
    ({"outcome": "allow", "remember": None}, Decision("allow")),
]
BAD: list[tuple[Any, str]] = [
    (None, "object"),
    ("allow", "object"),
    ([{"outcome": "allow"}], "object"),
    ({}, "outcome"),
    ({"outcome": None}, "outcome"),
    ({"outcome": "ALLOW"}, "outcome"),
    ({"outcome": ["allow"]}, "outcome"),
    ({"outcome": True}, "outcome"),
    ({"outcome": "allow", "updatedInput": {}}, "unknown members: updatedInput"),
    ({"outcome": "allow", "b": 1, "a": 1}, "unknown members: a, b"),
    ({"outcome": "allow", "updated_input": [1]}, "updated_input"),
    ({"outcome": "allow", "updated_input": "x"}, "updated_input"),
    ({"outcome": "deny", "message": 5}, "message"),
    ({"outcome": "deny", "interrupt": 1}, "interrupt"),
    ({"outcome": "deny", "interrupt": "yes"}, "interrupt"),
]


@pytest.mark.parametrize(("answer", "decision"), GOOD)
def test_an_answer_of_the_contracts_form_is_a_decision(answer: dict[str, Any], decision: Decision) -> None:
    assert parse_decision(answer, ASKED) == decision


@pytest.mark.parametrize(("answer", "named"), BAD)
def test_any_other_answer_is_refused_and_the_reason_says_where(answer: Any, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        parse_decision(answer, ASKED)


@pytest.mark.parametrize("remember", [{**RULE, "behavior": "deny"}, "never", {}, [], 0, False])
def test_only_a_suggestion_can_be_remembered(remember: Any) -> None:
    with pytest.raises(ValueError, match="remember must be one of the suggestions"):
        parse_decision({"outcome": "allow", "remember": remember}, ASKED)


def test_the_document_promises_just_what_is_accepted() -> None:
    for answer, _ in GOOD:
        PermissionAnswer.model_validate(answer)
    for answer, _ in BAD:
        with pytest.raises(ValidationError):
            PermissionAnswer.model_validate(answer)


def test_what_goes_wrong_comes_to_a_deny_that_interrupts_nothing() -> None:
    assert deny(DENIED_BY_PARENT) == Decision("deny", message=DENIED_BY_PARENT)
