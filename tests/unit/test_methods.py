"""The params of every method: what is taken, and what a parent reads where it is not."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from protocol.errors import CODES, INTERNAL_ERROR, AdapterError, ErrorKind, invalid_param
from protocol.methods import METHODS, Params, Result, StartSessionParams
from protocol.session_config import SessionConfig

UUID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CONFIG = {"working_dir": "/work"}
LINK = {"type": "url", "url": "https://example.com/tide"}
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}
PLAIN = {"type": "text", "media_type": "text/plain", "data": "High water at nine."}
IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}

GOOD: list[tuple[str, dict[str, Any]]] = [
    ("initialize", {}),
    ("initialize", {"client_info": {"name": "editor"}, "protocol_version": 1}),
    ("initialize", {"client_info": {"name": "editor", "version": "1", "title": "more"}, "protocol_version": 7}),
    ("health_check", {}),
    ("health_check", {"provider": "claude"}),
    ("list_providers", {}),
    ("start_session", {"config": CONFIG}),
    ("start_session", {"provider": "claude", "session_id": UUID, "config": CONFIG}),
    ("start_session", {"session_id": None, "config": CONFIG}),
    ("start_session", {"config": {**CONFIG, "env": {"A": "=", "B": ""}, "extra_args": ["--flag", ""], "fork": True}}),
    (
        "start_session",
        {"config": {**CONFIG, "max_budget_usd": 1, "max_turns": 1, "mcp_servers": {"a": {"command": "x"}}}},
    ),
    ("send_message", {"session_id": "s", "message": "hi"}),
    ("send_message", {"session_id": "s", "message": "hi", "idempotency_key": "k"}),
    ("send_message", {"session_id": "s", "message": [{"type": "text", "text": "hi"}, IMAGE]}),
    ("send_message", {"session_id": "s", "message": [{**IMAGE, "cache_control": {"type": "ephemeral"}}]}),
    ("send_message", {"session_id": "s", "message": [{"type": "document", "source": LINK}]}),
    ("send_message", {"session_id": "s", "message": [{"type": "image", "source": LINK}], "when": "now"}),
    ("send_message", {"session_id": "s", "message": [{"type": "document", "source": PDF, "title": "A tide table"}]}),
    ("send_message", {"session_id": "s", "message": [{"type": "document", "source": PLAIN}]}),
    ("interrupt", {"session_id": "s"}),
    ("stop_session", {"session_id": "s"}),
    ("list_tasks", {"session_id": "s"}),
    ("list_sessions", {}),
    ("list_sessions", {"include_ended": True}),
    ("set_model", {"session_id": "s", "model": "opus"}),
    ("set_runtime_mode", {"session_id": "s", "runtime_mode": "full_access"}),
    ("rpc.discover", {}),
    ("shutdown", {}),
    ("list_models", {"session_id": "s"}),
    ("list_commands", {"session_id": "s"}),
    ("get_defaults", {"session_id": "s"}),
    ("get_context", {"session_id": "s"}),
    ("set_effort", {"session_id": "s", "effort": "low"}),
    ("set_thinking_budget", {"session_id": "s", "max_thinking_tokens": 0}),
    ("set_thinking_budget", {"session_id": "s", "max_thinking_tokens": None}),
    ("list_mcp_servers", {"session_id": "s"}),
    ("reconnect_mcp_server", {"session_id": "s", "server": "tide"}),
    ("toggle_mcp_server", {"session_id": "s", "server": "tide", "enabled": False}),
    ("stop_task", {"session_id": "s", "task_id": "b1"}),
    ("rewind_files", {"session_id": "s", "turn_id": "t"}),
    ("rewind_files", {"session_id": "s", "turn_id": "t", "dry_run": True}),
    ("list_conversations", {}),
    ("list_conversations", {"working_dir": "/w", "cursor": "c", "limit": 5, "env": {"HOME": "/h"}}),
    ("get_history", {"session_id": "s"}),
    ("get_history", {"session_id": "s", "provider": "claude", "cursor": "2.m", "limit": 5000}),
    ("rename_session", {"session_id": "s", "title": "High water"}),
    ("delete_session", {"session_id": "s"}),
]

BAD: list[tuple[str, dict[str, Any], set[str]]] = [
    ("initialize", {"client_info": {}}, {"client_info.name"}),
    ("initialize", {"client_info": "editor"}, {"client_info"}),
    ("initialize", {"protocol_version": "1"}, {"protocol_version"}),
    ("initialize", {"protocol_version": True}, {"protocol_version"}),
    ("initialize", {"protocol_version": 0}, {"protocol_version"}),
    ("initialize", {"clientInfo": {"name": "x"}}, {"clientInfo"}),
    ("health_check", {"provider": ""}, {"provider"}),
    ("health_check", {"provider": None}, {"provider"}),
    ("list_providers", {"provider": "claude"}, {"provider"}),
    ("list_conversations", {"limit": 0}, {"limit"}),
    ("get_history", {"session_id": "--dangerous"}, {"session_id"}),
    ("get_history", {"session_id": "s", "limit": 5001}, {"limit"}),
    ("rename_session", {"session_id": "s", "title": ""}, {"title"}),
    ("delete_session", {"session_id": ""}, {"session_id"}),
    ("start_session", {"config": {**CONFIG, "resume": "-p"}}, {"config.resume"}),
    ("start_session", {"config": {**CONFIG, "resume": "r", "resume_at": "-p"}}, {"config.resume_at"}),
    ("start_session", {}, {"config"}),
    ("start_session", {"config": {}}, {"config.working_dir"}),
    ("start_session", {"config": None}, {"config"}),
    ("start_session", {"config": {"working_dir": ""}}, {"config.working_dir"}),
    ("start_session", {"config": {**CONFIG, "runtimeMode": "plan"}}, {"config.runtimeMode"}),
    ("start_session", {"config": {**CONFIG, "runtime_mode": "yolo"}}, {"config.runtime_mode"}),
    ("start_session", {"config": {**CONFIG, "max_turns": 0}}, {"config.max_turns"}),
    ("start_session", {"config": {**CONFIG, "max_turns": 1.5}}, {"config.max_turns"}),
    ("start_session", {"config": {**CONFIG, "max_budget_usd": 0}}, {"config.max_budget_usd"}),
    ("start_session", {"config": {**CONFIG, "max_budget_usd": "1"}}, {"config.max_budget_usd"}),
    ("start_session", {"config": {**CONFIG, "allowed_dirs": "/a"}}, {"config.allowed_dirs"}),
    ("start_session", {"config": {**CONFIG, "allowed_dirs": ["/a", 5]}}, {"config.allowed_dirs.1"}),
    ("start_session", {"config": {**CONFIG, "fork": 1}}, {"config.fork"}),
    ("start_session", {"config": {**CONFIG, "env": {"A": 1}}}, {"config.env.A"}),
    ("start_session", {"config": {**CONFIG, "env": {"A=B": "x"}}}, {"config.env"}),
    ("start_session", {"config": {**CONFIG, "env": {"": "x"}}}, {"config.env"}),
    ("start_session", {"config": {**CONFIG, "env": {"A": "x\0"}}}, {"config.env"}),
    ("start_session", {"config": {**CONFIG, "extra_args": ["a\0b"]}}, {"config.extra_args"}),
    ("start_session", {"config": {**CONFIG, "transport": "socket"}}, {"config.transport"}),
    ("start_session", {"config": {**CONFIG, "mcp_servers": {"a": "x"}}}, {"config.mcp_servers.a"}),
    ("start_session", {"config": {**CONFIG, "output_schema": "{}"}}, {"config.output_schema"}),
    ("start_session", {"session_id": "mine", "config": CONFIG}, {"session_id"}),
    ("start_session", {"session_id": 5, "config": {**CONFIG, "x": 1}}, {"session_id", "config.x"}),
    ("send_message", {}, {"session_id", "message"}),
    ("send_message", {"session_id": "s", "message": ""}, {"message"}),
    ("send_message", {"session_id": "s", "message": "x", "when": "soon"}, {"when"}),
    ("send_message", {"session_id": "s", "message": " \n"}, {"message"}),
    ("send_message", {"session_id": "s", "message": []}, {"message"}),
    ("send_message", {"session_id": "", "message": "x"}, {"session_id"}),
    ("send_message", {"session_id": "s", "message": "x", "idempotency_key": ""}, {"idempotency_key"}),
    ("send_message", {"session_id": "s", "message": "x", "idempotency_key": "k" * 201}, {"idempotency_key"}),
    ("interrupt", {"session_id": None}, {"session_id"}),
    ("stop_session", {"session_id": 1}, {"session_id"}),
    ("list_sessions", {"include_ended": "yes"}, {"include_ended"}),
    ("set_model", {"session_id": "s", "model": ""}, {"model"}),
    ("set_runtime_mode", {"session_id": "s", "runtime_mode": "default"}, {"runtime_mode"}),
    ("shutdown", {"now": True}, {"now"}),
]


def places(method: str, params: dict[str, Any]) -> set[str]:
    with pytest.raises(ValidationError) as caught:
        METHODS[method].params.model_validate(params)
    return {".".join(map(str, error["loc"])) for error in caught.value.errors()}


@pytest.mark.parametrize(("method", "params"), GOOD)
def test_good_params_are_taken(method: str, params: dict[str, Any]) -> None:
    METHODS[method].params.model_validate(params)


@pytest.mark.parametrize(("method", "params", "where"), BAD)
def test_bad_params_are_refused_and_the_error_names_each_of_them(
    method: str, params: dict[str, Any], where: set[str]
) -> None:
    assert places(method, params) == where


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text"},
        {"type": "text", "text": 5},
        {"type": "text", "text": "x", "extra": 1},
        {"type": "image"},
        {"type": "image", "source": "x"},
        {"type": "video", "source": {}},
        {"text": "x"},
        "text",
    ],
)
def test_a_bad_content_block_is_named_by_its_place_in_the_list(block: Any) -> None:
    found = places("send_message", {"session_id": "s", "message": [{"type": "text", "text": "ok"}, block]})
    assert found
    assert all(".1" in place for place in found), found


@pytest.mark.parametrize(
    ("kind", "source", "where"),
    [
        ("document", {**PDF, "data": None}, "data"),
        ("document", {**PDF, "data": ""}, "data"),
        ("document", {"type": "base64", "media_type": "application/pdf"}, "data"),
        ("document", {**PDF, "media_type": "image/png"}, "media_type"),
        ("document", {**PLAIN, "media_type": "text/html"}, "media_type"),
        ("image", {**PDF}, "media_type"),
        ("image", {**IMAGE["source"], "data": "aGk"}, "data"),
        ("image", {**IMAGE["source"], "data": "not base64"}, "data"),
        ("image", {**IMAGE["source"], "data": "aGk=\u00fc"}, "data"),
        ("image", {**IMAGE["source"], "media_type": "image/svg+xml"}, "media_type"),
        ("image", {"type": "url", "url": "file:///etc/passwd"}, "url"),
        ("image", {"type": "url", "url": "http://[::1"}, "url"),
        ("image", {**LINK, "extra": 1}, "extra"),
    ],
)
@pytest.mark.spec("2.18")
def test_a_source_that_would_spoil_the_conversation_is_refused_at_its_place(
    kind: str, source: dict[str, Any], where: str
) -> None:
    found = places("send_message", {"session_id": "s", "message": [{"type": kind, "source": source}]})
    assert {place.rsplit(".", 1)[-1] for place in found} == {where}


@pytest.mark.parametrize("source", [{"type": "file", "file_id": "f"}, {"type": "content", "content": []}, {}])
def test_a_kind_of_source_that_is_not_known_is_refused_as_a_whole(source: dict[str, Any]) -> None:
    found = places("send_message", {"session_id": "s", "message": [{"type": "document", "source": source}]})
    assert {place.rsplit(".", 1)[-1] for place in found} == {"source"}


def test_every_method_of_the_contract_is_tested_here() -> None:
    assert {method for method, _ in GOOD} == set(METHODS)


def test_every_params_model_refuses_unknown_members_and_every_result_is_a_result() -> None:
    for method in METHODS.values():
        assert issubclass(method.params, Params)
        assert issubclass(method.result, Result)
        assert method.params.model_config["extra"] == "forbid"
        assert method.summary.endswith(".")
        assert set(method.errors) <= set(CODES)


def test_a_session_id_of_the_parents_choice_takes_its_usual_form() -> None:
    for written in (UUID.upper(), f"urn:uuid:{UUID}", UUID.replace("-", "")):
        params = StartSessionParams.model_validate({"session_id": written, "config": CONFIG})
        assert params.session_id == UUID


def test_a_config_of_nothing_but_a_folder_asks_for_every_guarded_tool() -> None:
    config = SessionConfig.model_validate(CONFIG)
    assert config.runtime_mode == "supervised"
    assert (config.allowed_dirs, config.env, config.extra_args, config.fork) == ([], {}, [], False)


def test_an_error_carries_its_code_its_kind_and_what_can_be_done() -> None:
    error = AdapterError(ErrorKind.BUSY, "Too many.", hint="Wait.", session_id="s", stderr_tail=None)
    assert error.code == -32006
    assert error.data == {"kind": "busy", "hint": "Wait.", "session_id": "s"}
    assert str(error) == "Too many."
    assert AdapterError(ErrorKind.API_ERROR, "x").code == INTERNAL_ERROR
    assert AdapterError(ErrorKind.TIMEOUT, "x").data == {"kind": "timeout"}


def test_a_param_that_only_the_world_can_refuse_looks_like_any_other() -> None:
    error = invalid_param("config.working_dir", "no such folder")
    assert error.code == -32602
    assert error.data["errors"] == [{"path": "config.working_dir", "message": "no such folder"}]


def test_every_kind_of_the_contract_has_a_code_of_its_own() -> None:
    assert len(set(CODES.values())) == len(CODES)
    assert set(ErrorKind) - set(CODES) == {ErrorKind.API_ERROR}
