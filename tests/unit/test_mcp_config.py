"""The MCP servers of a session's config: what is taken as it is, and what is refused with its path."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.dispatch import Dispatcher
from adapter.peer import Call
from protocol import jsonrpc
from protocol.mcp_config import dump_servers
from protocol.methods import METHODS
from protocol.session_config import SessionConfig
from tests.support.alone import run_alone

SERVERS = {
    "files": {"command": "files", "args": ["--all"], "env": {"TOKEN": "t"}, "timeout": 5},
    "bare": {"type": "stdio", "command": "bare"},
    "web": {"type": "http", "url": "https://example.com/mcp", "headers": {"Authorization": "Bearer t"}, "oauth": {}},
    "old": {"type": "sse", "url": "http://127.0.0.1:1/sse"},
}
TOOL = {"name": "depth", "description": "d", "input_schema": {"type": "object"}}


def errors_of(**config: Any) -> dict[str, str]:
    """Path to message, as a parent gets them."""

    async def never(call: Call, valid: Any) -> dict[str, Any]:
        raise AssertionError("these params are valid")

    params = {"config": {"working_dir": "/", **config}}
    dispatcher = Dispatcher({"start_session": (METHODS["start_session"].params, never)})

    async def ask() -> Any:
        return await dispatcher.serve(Call(jsonrpc.Request(1, "start_session", params)))

    reply = run_alone(ask)
    assert reply is not None
    assert reply["error"]["code"] == -32602
    return {each["path"]: each["message"] for each in reply["error"]["data"]["errors"]}


def test_servers_are_passed_on_as_they_were_given() -> None:
    config = SessionConfig.model_validate({"working_dir": "/", "mcp_servers": SERVERS})
    assert config.mcp_servers is not None
    assert dump_servers(config.mcp_servers) == SERVERS


@pytest.mark.spec("17.1")
@pytest.mark.parametrize(
    ("server", "path", "words"),
    [
        ({}, "command", "required"),
        ("files", "", "must be an object"),
        ({"command": ""}, "command", "at least 1"),
        ({"command": "x", "args": ["a", 1]}, "args.1", "string"),
        ({"command": "x", "args": "-v"}, "args", "list"),
        ({"command": "x", "env": {"TOKEN": 4}}, "env.TOKEN", "string"),
        ({"command": "x", "args": ["\0"]}, "args", "NUL"),
        ({"type": "http"}, "url", "required"),
        ({"type": "sse", "url": "nowhere"}, "url", "match"),
        ({"type": "http", "url": "http://h/", "headers": {"X": "a\r\nb"}}, "headers", "cannot be a header"),
        ({"type": "sdk", "name": "x"}, "type", "'http', 'sse' or 'ws'"),
    ],
)
def test_a_server_that_cannot_be_meant_is_refused_with_its_path(server: Any, path: str, words: str) -> None:
    errors = errors_of(mcp_servers={"tide": server})
    assert words in errors[f"config.mcp_servers.tide{path and '.'}{path}"]


@pytest.mark.spec("14.1")
@pytest.mark.parametrize(
    ("tools", "path", "words"),
    [
        ([{**TOOL, "name": "a b"}], "0.name", "match"),
        ([{**TOOL, "name": "x" * 65}], "0.name", "match"),
        ([{**TOOL, "input_schema": {}}], "0.input_schema", "object"),
        ([{**TOOL, "input_schema": {"type": "object", "properties": []}}], "0.input_schema", "properties"),
        ([{**TOOL, "colour": "red"}], "0.colour", "not permitted"),
        ([TOOL, TOOL], "", "two tools are called 'depth'"),
    ],
)
def test_a_tool_that_cannot_be_offered_is_refused_with_its_path(tools: Any, path: str, words: str) -> None:
    errors = errors_of(tools=tools)
    assert words in errors[f"config.tools{path and '.'}{path}"]


@pytest.mark.spec("14.1")
def test_no_server_takes_the_name_of_the_parents_own() -> None:
    errors = errors_of(tools=[TOOL], mcp_servers={"parent": {"command": "x"}})
    assert "'parent'" in errors["config.tools"]


@pytest.mark.spec("15.1")
@pytest.mark.parametrize(
    ("hook", "path"),
    [
        ({"event": "SessionEnd"}, "event"),
        ({"timeout": 0}, "timeout"),
        ({"timeout": 100_000}, "timeout"),
        ({"hook_id": ""}, "hook_id"),
        ({"matchers": "Bash"}, "matchers"),
    ],
)
def test_a_hook_that_never_fires_or_waits_for_ever_is_refused(hook: dict[str, Any], path: str) -> None:
    errors = errors_of(hooks=[{"hook_id": "h", "event": "Stop", **hook}])
    assert f"config.hooks.0.{path}" in errors


@pytest.mark.spec("15.1")
def test_two_hooks_of_one_id_are_refused() -> None:
    hook = {"hook_id": "h", "event": "Stop"}
    assert "two hooks have the id 'h'" in errors_of(hooks=[hook, hook])["config.hooks"]
