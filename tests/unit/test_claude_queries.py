"""Questions to a session, in Claude Code's control channel: rendered, and answers parsed, also odd ones."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codecs import claude_queries
from protocol.errors import RemoteProtocolError
from protocol.queries import QUERIES

ANSWERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "get_context",
        {
            "totalTokens": 10,
            "maxTokens": 20,
            "percentage": 50,
            "categories": [{"name": "A", "tokens": 1, "color": "x"}],
        },
        {"total_tokens": 10, "max_tokens": 20, "percentage": 50, "categories": [{"name": "A", "tokens": 1}]},
    ),
    ("get_context", {"totalTokens": 1, "maxTokens": 2, "percentage": 5.5}, {"categories": []}),
    (
        "list_mcp_servers",
        {"mcpServers": [{"name": "tide", "status": "connected", "tools": [{"name": "level"}]}]},
        {"servers": [{"name": "tide", "status": "connected", "error": None, "tools": ["level"]}]},
    ),
    (
        "list_mcp_servers",
        {"mcpServers": [{"name": "tide", "status": "failed", "error": "no"}]},
        {"servers": [{"name": "tide", "status": "failed", "error": "no", "tools": []}]},
    ),
    ("rewind_files", {"canRewind": True}, {"files": [], "insertions": 0, "deletions": 0}),
    (
        "rewind_files",
        {"canRewind": True, "filesChanged": ["/a"], "insertions": 1, "deletions": 2},
        {"files": ["/a"], "insertions": 1, "deletions": 2},
    ),
    ("set_effort", {"anything": 1}, {}),
    (
        "get_defaults",
        {"effective": {"model": "haiku", "effortLevel": "low"}, "sources": [], "applied": {"model": "h5"}},
        {"model": "haiku", "runtime_mode": None, "effort": "low", "current_model": "h5"},
    ),
    (
        "get_defaults",
        {
            "effective": {"permissions": {"defaultMode": "bypassPermissions"}},
            "sources": [
                {"source": "userSettings", "settings": {"permissions": {"defaultMode": "plan"}}},
                {"source": "projectSettings", "settings": {"permissions": {"defaultMode": "bypassPermissions"}}},
            ],
        },
        {"model": None, "runtime_mode": "plan", "effort": None, "current_model": None},
    ),
]


@pytest.mark.parametrize(("name", "answer", "expected"), ANSWERS)
def test_an_answer_becomes_our_result(name: str, answer: dict[str, Any], expected: dict[str, Any]) -> None:
    result = claude_queries.parse(name, answer)
    assert {key: result[key] for key in expected} == expected
    QUERIES[name].result.model_validate(result)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("get_context", {}),
        ("get_context", {"totalTokens": 1, "maxTokens": 2, "percentage": 3, "categories": [5]}),
        ("list_mcp_servers", {"mcpServers": None}),
        ("rewind_files", {"canRewind": False, "error": "no checkpoint"}),
        ("rewind_files", {}),
        ("get_defaults", {}),
        ("get_defaults", {"effective": {}, "sources": [{"source": "userSettings"}]}),
    ],
)
def test_an_answer_that_says_no_or_is_not_understood_is_an_error(name: str, answer: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        claude_queries.parse(name, answer)


def test_each_question_that_the_handshake_has_not_answered_has_its_subtype_and_takes_the_params_of_its_method() -> None:
    assert set(claude_queries.QUERIES) == set(QUERIES) - {"list_models", "list_commands"} | {"rename_session"}
    params = {"effort": "low", "max_thinking_tokens": 1, "server": "s", "enabled": True, "task_id": "t"}
    params |= {"title": "T", "turn_id": "u", "dry_run": True}
    fields = {name: query.fields(params) for name, query in claude_queries.QUERIES.items()}
    assert fields["set_effort"] == {"settings": {"effortLevel": "low"}}
    assert fields["toggle_mcp_server"] == {"serverName": "s", "enabled": True}
    assert fields["rewind_files"] == {"user_message_id": "u", "dry_run": True}


def test_the_models_of_a_handshake_are_told_in_our_words() -> None:
    models = [{"value": "opus", "displayName": "Opus", "resolvedModel": "o5", "supportedEffortLevels": ["low"]}]
    expected = {"value": "opus", "name": "Opus", "description": None, "resolved_model": "o5", "effort_levels": ["low"]}
    assert claude_queries.parse_told("list_models", {"models": [*models, {"value": "x"}]})["models"][0] == expected


def test_the_commands_of_a_handshake_are_told_in_our_words() -> None:
    commands = [{"name": "review", "description": "Look", "argumentHint": "[pr]", "builtin": True}, {"name": "x"}]
    told = claude_queries.parse_told("list_commands", {"commands": commands})["commands"]
    assert told == [
        {"name": "review", "description": "Look", "argument_hint": "[pr]"},
        {"name": "x", "description": None, "argument_hint": None},
    ]


@pytest.mark.parametrize(
    ("model", "levels"),
    [("deep-1", ["low", "max"]), ("deep", ["low", "max"]), (None, ["high"]), ("stranger", ["high", "low", "max"])],
)
def test_the_levels_of_effort_are_the_models_own(model: str | None, levels: list[str]) -> None:
    models = [
        {"value": "default", "resolvedModel": "plain-1", "supportedEffortLevels": ["high"]},
        {"value": "deep", "resolvedModel": "deep-1", "supportedEffortLevels": ["low", "max"]},
        {"value": "none"},
    ]
    assert claude_queries.effort_levels({"models": models}, model) == levels
    assert claude_queries.effort_levels({}, model) == []


@pytest.mark.parametrize("handshake", [{}, {"models": None}, {"models": ["opus"]}])
def test_what_the_handshake_does_not_tell_is_an_error_of_the_clis(handshake: dict[str, Any]) -> None:
    with pytest.raises(RemoteProtocolError):
        claude_queries.parse_told("list_models", handshake)
