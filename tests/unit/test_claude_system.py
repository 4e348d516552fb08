"""The `system` lines of Claude Code: what the session is, and what happens beside the answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from protocol.codecs.claude import ClaudeCodec
from protocol.events import (
    Compaction,
    Notice,
    PermissionResolved,
    Raw,
    Retry,
    SessionUpdated,
    ToolCallProgress,
)
from protocol.signals import Compacting, TurnBegan


def hear(codec: ClaudeCodec, subtype: str, **members: Any) -> list[Any]:
    items = codec.receive(json.dumps({"type": "system", "subtype": subtype, **members}).encode())
    return [item for item in items if not isinstance(item, TurnBegan)]


def info(message: str, **more: Any) -> Notice:
    return Notice(level="info", message=message, **more)


def warning(message: str, **more: Any) -> Notice:
    return Notice(level="warning", message=message, **more)


def debug(message: str) -> Notice:
    return Notice(level="debug", message=message)


FULL = {
    "session_id": "s1",
    "model": "opus",
    "cwd": "/work",
    "tools": ["Bash"],
    "slash_commands": ["compact"],
    "mcp_servers": [{"name": "demo", "status": "connected"}],
    "claude_code_version": "2.1.197",
    "apiKeySource": "none",
    "permissionMode": "acceptEdits",
}


def test_the_init_line_tells_the_session_once_and_later_only_what_changed() -> None:
    codec = ClaudeCodec()
    assert hear(codec, "init", **FULL) == [
        SessionUpdated(
            provider_session_id="s1",
            model="opus",
            working_dir="/work",
            runtime_mode="accept_edits",
            tools=["Bash"],
            slash_commands=["compact"],
            mcp_servers=[{"name": "demo", "status": "connected"}],
            cli_version="2.1.197",
            api_key_source="none",
        )
    ]
    assert hear(codec, "init", **FULL) == []
    assert hear(codec, "init", **{**FULL, "model": "haiku", "tools": []}) == [SessionUpdated(model="haiku", tools=[])]


def test_an_init_line_of_wrong_types_is_raw_and_nothing_of_it_is_remembered() -> None:
    codec = ClaudeCodec()
    (raw,) = hear(codec, "init", **{**FULL, "tools": "Bash"})
    assert isinstance(raw, Raw)
    assert codec.system.known == {}
    assert len(hear(codec, "init", **FULL)) == 1


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("default", "supervised"),
        ("acceptEdits", "accept_edits"),
        ("plan", "plan"),
        ("bypassPermissions", "full_access"),
        ("dontAsk", "dontAsk"),
        ("auto", "auto"),
    ],
)
def test_a_permission_mode_is_told_in_our_words_where_we_have_one(theirs: str, ours: str) -> None:
    codec = ClaudeCodec()
    assert hear(codec, "status", status="requesting", permissionMode=theirs) == [SessionUpdated(runtime_mode=ours)]
    assert hear(codec, "status", status="requesting", permissionMode=theirs) == []


@pytest.mark.parametrize(
    ("members", "items"),
    [
        ({"status": "requesting"}, []),
        (
            {"status": "compacting"},
            [Compacting(active=True), info("The context is being compacted.", compaction=Compaction(status="started"))],
        ),
        ({"status": None}, [Compacting(active=False)]),
        ({"status": None, "compact_result": "success"}, [Compacting(active=False)]),
        (
            {"status": None, "compact_result": "failed", "compact_error": "too short"},
            [
                Compacting(active=False),
                warning("Compaction failed: too short", compaction=Compaction(status="failed")),
            ],
        ),
        (
            {"status": None, "compact_result": "failed"},
            [
                Compacting(active=False),
                warning("Compaction failed: no reason given", compaction=Compaction(status="failed")),
            ],
        ),
    ],
)
def test_a_status_tells_of_compaction(members: dict[str, Any], items: list[Any]) -> None:
    assert hear(ClaudeCodec(), "status", **members) == items


RETRY = {"attempt": 1, "max_retries": 10, "retry_delay_ms": 595.44, "error_status": 500, "error": "server_error"}
TASK = {"task_id": "b1", "tool_use_id": "t1", "status": "completed"}
LINES: list[tuple[str, dict[str, Any], list[Any]]] = [
    (
        "api_retry",
        RETRY,
        [
            warning(
                "The model API answered with error 500 (server_error); retry 1 of 10 in 0.6 s.",
                retry=Retry(attempt=1, max_attempts=10, delay_ms=595, status=500),
            )
        ],
    ),
    (
        "api_retry",
        {**RETRY, "error_status": None, "error": "unknown"},
        [
            warning(
                "The model API answered with no connection (unknown); retry 1 of 10 in 0.6 s.",
                retry=Retry(attempt=1, max_attempts=10, delay_ms=595),
            )
        ],
    ),
    (
        "compact_boundary",
        {"compact_metadata": {"trigger": "manual", "pre_tokens": 19, "post_tokens": 5}},
        [
            Compacting(active=False),
            info(
                "The context was compacted from 19 to 5 tokens (manual).",
                compaction=Compaction(status="completed", trigger="manual", pre_tokens=19, post_tokens=5),
            ),
        ],
    ),
    (
        "compact_boundary",
        {},
        [
            Compacting(active=False),
            info("The context was compacted (auto).", compaction=Compaction(status="completed")),
        ],
    ),
    (
        "model_fallback",
        {"content": "Switched.", "fallback_model": "haiku"},
        [warning("Switched."), SessionUpdated(model="haiku")],
    ),
    ("model_fallback", {"content": "Switched."}, [warning("Switched.")]),
    (
        "permission_denied",
        {"tool_use_id": "t1", "tool_name": "Bash", "message": "not here"},
        [
            PermissionResolved(tool_call_id="t1", outcome="deny", by="mode"),
            warning("Bash was denied: not here"),
        ],
    ),
    (
        "permission_denied",
        {"tool_use_id": "t1", "tool_name": "Bash"},
        [
            PermissionResolved(tool_call_id="t1", outcome="deny", by="mode"),
            warning("Bash was denied: by the permission mode"),
        ],
    ),
    ("task_progress", TASK, [ToolCallProgress(tool_call_id="t1", content="")]),
    ("background_tasks_changed", {"tasks": [{"task_id": "b1", "description": "work"}]}, []),
    (
        "hook_response",
        {"hook_name": "Stop", "exit_code": 0, "outcome": "success"},
        [debug("Hook Stop success.")],
    ),
    (
        "hook_response",
        {"hook_name": "Stop", "exit_code": 2, "outcome": "error", "stderr": " bad \n", "output": "x"},
        [warning("Hook Stop error. bad")],
    ),
    ("hook_progress", {"hook_name": "Stop", "output": "half"}, [debug("Hook Stop ran. half")]),
    ("notification", {"text": "hello"}, [info("hello")]),
    ("informational", {"content": "hello"}, [info("hello")]),
    ("local_command_output", {"content": "hello"}, [info("hello")]),
    ("session_title_changed", {"title": "A talk"}, [info("A talk", title="A talk")]),
    ("model_refusal_no_fallback", {}, [warning("The model refused to answer.")]),
    ("model_refusal_fallback", {"content": ""}, [warning("The model refused; another one takes over.")]),
    ("control_request_progress", {"status": 5}, [debug("The CLI works on a control request.")]),
    ("notification", {}, [info("notification")]),
    (
        "commands_changed",
        {"commands": [{"name": "a"}, "b"]},
        [SessionUpdated(slash_commands=["a", "b"])],
    ),
    ("commands_changed", {"slash_commands": ["c"]}, [SessionUpdated(slash_commands=["c"])]),
    ("commands_changed", {}, [SessionUpdated(slash_commands=[])]),
]


@pytest.mark.parametrize(("subtype", "members", "items"), LINES)
def test_a_system_line_becomes_these_events(subtype: str, members: dict[str, Any], items: list[Any]) -> None:
    assert hear(ClaudeCodec(), subtype, **members) == items


@pytest.mark.parametrize(
    ("members", "said"),
    [({**TASK, "summary": "done well"}, "done well"), (TASK, "b1")],
)
def test_the_end_of_a_task_is_told(members: dict[str, Any], said: str) -> None:
    (notice,) = hear(ClaudeCodec(), "task_notification", **members)
    assert notice.level == "info"
    assert "completed" in notice.message
    assert said in notice.message


@pytest.mark.parametrize(
    ("subtype", "members"),
    [
        ("api_retry", {**RETRY, "retry_delay_ms": "soon"}),
        ("api_retry", {}),
        ("compact_boundary", {"compact_metadata": "x"}),
        ("permission_denied", {}),
        ("task_notification", {}),
        ("task_progress", {"tool_use_id": 5}),
        ("background_tasks_changed", {"tasks": 5}),
        ("hook_response", {}),
        ("model_fallback", {}),
        ("commands_changed", {"commands": [{}]}),
        ("commands_changed", {"commands": [5]}),
        ("of_the_future", {"x": 1}),
    ],
)
def test_a_system_line_of_another_shape_is_raw(subtype: str, members: dict[str, Any]) -> None:
    items = hear(ClaudeCodec(), subtype, **members)
    assert [item for item in items if isinstance(item, Raw)] == items[-1:]
    assert json.loads(items[-1].content)["subtype"] == subtype
