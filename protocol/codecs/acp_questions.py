"""What the agent asks the user, as requests of the Agent Client Protocol, and the answers as decisions. Pure.

A permission becomes `session/request_permission`. What the agent asks in words becomes a form (`elicitation/create`)
where the client has forms, and otherwise one permission request per question, with its options to choose from. Every
answer that is not understood is a denial.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from protocol.signals import PermissionAsked

Json = dict[str, Any]

DENY: Final[Json] = {"outcome": "deny"}
DENY_AND_STOP: Final[Json] = {"outcome": "deny", "interrupt": True}
"""The client says that the question was cancelled: the user wants to have the word."""

KEEP_PLANNING: Final[Json] = {"outcome": "deny", "message": "The user wants the plan to be changed first."}

_CUSTOM: Final = "_custom"
"""Ends the name of the field in which a user answers in words of their own."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An option that the client shows, and what it means.

    Attributes:
        id, name, kind: as sent.
        answer: the contract's answer to the permission request.
        for_good: whether the same question is to be answered like this from now on, without being put again.
    """

    id: str
    name: str
    kind: str
    answer: Json
    for_good: bool = False

    def render(self) -> Json:
        """As sent."""
        return {"optionId": self.id, "name": self.name, "kind": self.kind}


def permission_choices(asked: PermissionAsked) -> list[Choice]:
    """The options of a permission request."""
    if asked.kind == "plan":
        return _plan_choices(asked)
    choices = [Choice("allow", "Allow", "allow_once", {"outcome": "allow"})]
    for at, suggestion in enumerate(asked.suggestions):
        name = _suggestion_name(suggestion)
        if name is not None:
            answer = {"outcome": "allow", "remember": suggestion}
            choices.append(Choice(f"allow-always-{at}", name, "allow_always", answer))
    never = "Reject, also the next times in this session"
    return [
        *choices,
        Choice("reject", "Reject", "reject_once", DENY),
        Choice("reject-always", never, "reject_always", DENY, for_good=True),
    ]


def chosen(result: Any, choices: list[Choice]) -> Choice | None:
    """The option that the client's answer names; None where it cancels, or names none."""
    outcome = result.get("outcome") if isinstance(result, dict) else None
    if not isinstance(outcome, dict) or outcome.get("outcome") != "selected":
        return None
    return next((choice for choice in choices if choice.id == outcome.get("optionId")), None)


def sameness(asked: PermissionAsked) -> str:
    """What makes two questions the same: the rule that the CLI would remember, else the tool and its input."""
    rules = [rule for suggestion in asked.suggestions for rule in _rules(suggestion)]
    return json.dumps([asked.tool_name, rules or asked.input], sort_keys=True, default=str)


# The agent's own questions


def questions_of(asked: PermissionAsked) -> list[Json]:
    """The questions of an ask-the-user tool, those that have a text; empty for every other question."""
    given = asked.input.get("questions")
    return [each for each in given if _question_text(each)] if isinstance(given, list) else []


def question_form(questions: list[Json]) -> Json:
    """The form that puts them all: a choice each, and a field for an answer in the user's own words."""
    properties: Json = {}
    for at, question in enumerate(questions):
        options = [
            {"const": label, "title": label, **({"description": text} if text else {})}
            for label, text in _options(question)
        ]
        about = {"title": _question_text(question)}
        header = question.get("header")
        if isinstance(header, str) and header:
            about = {"title": header, "description": _question_text(question)}
        if not options:
            properties[f"question_{at}"] = {"type": "string", **about}
            continue
        if question.get("multiSelect") is True:
            properties[f"question_{at}"] = {"type": "array", **about, "items": {"anyOf": options}}
        else:
            properties[f"question_{at}"] = {"type": "string", **about, "oneOf": options}
        properties[f"question_{at}{_CUSTOM}"] = {"type": "string", "title": "Other", "description": "In your own words"}
    return {"type": "object", "properties": properties, "required": []}


def form_answers(asked: PermissionAsked, questions: list[Json], result: Any) -> Json:
    """The decision that a filled form comes to."""
    content = accepted_content(result)
    if content is None:
        return DENY
    answers: dict[str, str] = {}
    for at, question in enumerate(questions):
        value = content.get(f"question_{at}{_CUSTOM}") or content.get(f"question_{at}")
        words = [each for each in value if isinstance(each, str)] if isinstance(value, list) else [value]
        answer = ", ".join(each for each in words if isinstance(each, str) and each)
        if answer:
            answers[str(_question_text(question))] = answer
    return answered(asked, answers)


def answered(asked: PermissionAsked, answers: dict[str, str]) -> Json:
    """The decision that holds the answers."""
    return {"outcome": "allow", "updated_input": {**asked.input, "answers": answers}}


def question_choices(question: Json) -> list[Choice]:
    """One question as the options of a permission request, for clients without forms."""
    choices = [
        Choice(f"answer-{at}", f"{label}: {text}" if text else label, "allow_once", {"answer": label})
        for at, (label, text) in enumerate(_options(question))
    ]
    return [*choices, Choice("skip", "Leave it open", "reject_once", {})]


def elicitation(asked: PermissionAsked) -> Json | None:
    """An MCP server's question, as params of `elicitation/create` without its scope; None where it is of no kind that
    is known."""
    message = asked.input.get("message")
    about = {"message": message if isinstance(message, str) else asked.tool_name}
    url, schema = asked.input.get("url"), asked.input.get("requested_schema")
    if asked.input.get("mode") == "url" and isinstance(url, str):
        return {"mode": "url", **about, "url": url, "elicitationId": asked.request_id}
    if isinstance(schema, dict):
        return {"mode": "form", **about, "requestedSchema": schema}
    return None


def elicitation_answer(result: Any) -> Json:
    """The decision that the client's answer to it comes to."""
    content = accepted_content(result)
    return DENY if content is None else {"outcome": "allow", "updated_input": content}


def accepted_content(result: Any) -> Json | None:
    """What the user filled in; None where the form was declined or cancelled."""
    if not isinstance(result, dict) or result.get("action") != "accept":
        return None
    content = result.get("content")
    return content if isinstance(content, dict) else {}


_TRUST: Final = "trust"
_RUN: Final = "run"


def trust_form(asked: PermissionAsked) -> Json:
    """Whether what a project brings with it may run, as params of `elicitation/create` without its scope."""
    answers = [
        {"const": _RUN, "title": "I trust this folder: use them"},
        {"const": "leave", "title": "Start without them"},
    ]
    items = asked.input.get("items")
    found = [_finding(item) for item in items if isinstance(item, dict)] if isinstance(items, list) else []
    if asked.input.get("more"):
        found.append(f"and {asked.input['more']} more")
    about = {"type": "string", "title": "What it brings", "description": "\n".join(found), "oneOf": answers}
    return {
        "mode": "form",
        "message": asked.title or "Does this folder have your trust?",
        "requestedSchema": {"type": "object", "properties": {_TRUST: about}, "required": [_TRUST]},
    }


def trust_answer(result: Any) -> Json:
    """The decision that the answer to it comes to."""
    content = accepted_content(result) or {}
    return {"outcome": "allow"} if content.get(_TRUST) == _RUN else DENY


def _finding(item: Json) -> str:
    scripts = item.get("scripts")
    named = f" (with {', '.join(map(str, scripts))})" if isinstance(scripts, list) and scripts else ""
    return f"{item.get('what')} {item.get('name')} in {item.get('file')}: {item.get('detail')}{named}"


def _plan_choices(asked: PermissionAsked) -> list[Choice]:
    choices = [Choice("plan-ask-first", "Yes, and ask before each change", "allow_once", {"outcome": "allow"})]
    for at, suggestion in enumerate(asked.suggestions):
        name = _PLAN_MODES.get(str(suggestion.get("mode"))) if isinstance(suggestion, dict) else None
        if name is not None:
            answer = {"outcome": "allow", "remember": suggestion}
            choices.append(Choice(f"plan-{at}", name, "allow_always", answer))
    return [*choices, Choice("plan-reject", "No, keep planning", "reject_once", KEEP_PLANNING)]


_PLAN_MODES: Final = {
    "acceptEdits": "Yes, and accept edits",
    "bypassPermissions": "Yes, and ask for nothing",
}
"""Modes that a plan can be carried out in, besides asking before each change."""

_WHERE: Final = {
    "session": "in this session",
    "localSettings": "in this project",
    "projectSettings": "in this project, for everybody",
    "userSettings": "everywhere",
}


def _suggestion_name(suggestion: Any) -> str | None:
    """What a suggestion of the CLI does, in words; None for one that allows nothing."""
    if not isinstance(suggestion, dict):
        return None
    where = _WHERE.get(str(suggestion.get("destination")), "from now on")
    kind = suggestion.get("type")
    if kind == "setMode":
        edits = suggestion.get("mode") == "acceptEdits"
        return f"Allow all edits {where}" if edits else f"Switch to {suggestion.get('mode')} {where}"
    if kind == "addDirectories":
        folders = suggestion.get("directories")
        names = ", ".join(map(str, folders)) if isinstance(folders, list) else ""
        return f"Always allow access to {names} {where}" if names else None
    rules = _rules(suggestion)
    if kind != "addRules" or suggestion.get("behavior") != "allow" or not rules:
        return None
    return f"Always allow {', '.join(rules)} {where}"


def _rules(suggestion: Any) -> list[str]:
    """The rules of a suggestion: `Bash(echo hi *)`."""
    given = suggestion.get("rules") if isinstance(suggestion, dict) else None
    rules = [rule for rule in given if isinstance(rule, dict)] if isinstance(given, list) else []
    return [
        f"{rule.get('toolName')}({rule['ruleContent']})" if rule.get("ruleContent") else str(rule.get("toolName"))
        for rule in rules
    ]


def _question_text(question: Any) -> str | None:
    text = question.get("question") if isinstance(question, dict) else None
    return text if isinstance(text, str) and text else None


def _options(question: Json) -> list[tuple[str, str]]:
    given = question.get("options")
    found = []
    for option in given if isinstance(given, list) else []:
        label = option.get("label") if isinstance(option, dict) else None
        if isinstance(label, str) and label:
            description = option.get("description")
            found.append((label, description if isinstance(description, str) else ""))
    return found
