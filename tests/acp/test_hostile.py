"""A hostile or broken client of the ACP face, with the mock CLI: any value in any place gets an answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.acp import scenario
from tests.acp.editor import run_editor
from tests.support.mock_daemon import MOCK, mock_environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio

NASTY: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**70,
    "",
    " ",
    "\u0000",
    "../..",
    "x" * 5000,
    [],
    [None],
    [[]],
    {},
    {"a": {}},
]
"""Values of every kind of JSON."""

LIMIT = 64 * 1024
"""Of a message, so that one over it is cheap to send."""


def params_of(session: str, workspace: Path) -> dict[str, Json]:
    """Each method with params that are as they should be, but for one that keeps a CLI from being started."""
    place: Json = {"cwd": str(workspace / "nowhere"), "mcpServers": [], "additionalDirectories": []}
    missing = "11111111-2222-4333-8444-555555555555"
    return {
        "initialize": {"protocolVersion": 1, "clientCapabilities": {}, "clientInfo": {"name": "x", "version": "1"}},
        "authenticate": {"methodId": "terminal-login"},
        "session/new": place,
        "session/load": {"sessionId": missing, **place},
        "session/resume": {"sessionId": missing, **place},
        "session/fork": {"sessionId": missing, **place},
        "session/list": {"cwd": str(workspace), "cursor": None},
        "session/delete": {"sessionId": missing},
        "session/close": {"sessionId": missing},
        "session/set_mode": {"sessionId": session, "modeId": "plan"},
        "session/set_config_option": {"sessionId": session, "configId": "mode", "value": "default"},
        "session/prompt": {"sessionId": session, "prompt": [{"type": "text", "text": "hello"}]},
    }


def broken_requests(session: str, workspace: Path) -> Iterator[tuple[str, Json]]:
    """Each param of each method in turn with each value; `_meta` has what the params lack."""
    for method, params in params_of(session, workspace).items():
        for name in params:
            if (method, name) != ("initialize", "clientCapabilities"):
                yield from ((method, {**params, name: value, "_meta": params}) for value in NASTY)


async def test_any_value_in_the_place_of_any_param_is_answered_and_the_session_goes_on(
    workspace: Path, tmp_path: Path
) -> None:
    environment = mock_environment(scenario.write(tmp_path), "acp-hostile", str(tmp_path)) | {"HOME": str(tmp_path)}
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        session = await editor.new(workspace)
        posted = [await editor.post(method, **params) for method, params in broken_requests(session, workspace)]
        for id in posted:
            answer = await editor.daemon.wait_response(id)
            assert answer.get("error", {}).get("code", -32602) in (-32602, -32002, -32603), answer
            asked = next(each.message for each in editor.talk if not each.by_agent and each.message.get("id") == id)
            assert "defect" not in str(answer), (asked, editor.daemon.stderr[-3000:])
        for value in NASTY:
            await editor.notify("session/cancel", sessionId=value)
            await editor.notify("$/cancel_request", requestId=value)
        assert await editor.prompt(session, "hello") == "end_turn"


BLOCKS: list[Any] = [
    {"type": "text", "text": 5},
    {"type": "image"},
    {"type": "image", "data": "AA==", "mimeType": 5},
    {"type": "image", "data": None, "uri": "file:///etc/passwd"},
    {"type": "resource_link", "name": "x"},
    {"type": "resource_link", "uri": {}},
    {"type": "resource"},
    {"type": "resource", "resource": {"uri": "file:///x"}},
    {"type": "resource", "resource": {"uri": "file:///x", "blob": "AA==", "mimeType": "application/zip"}},
    {"type": ["text"]},
    {"type": "nonsense"},
]


async def test_a_block_that_cannot_be_used_is_named_and_what_is_too_long_costs_nothing_else(
    workspace: Path, tmp_path: Path
) -> None:
    environment = mock_environment(scenario.write(tmp_path), "acp-blocks", str(tmp_path)) | {"HOME": str(tmp_path)}
    flags = ("--claude-path", str(MOCK), "--max-message", str(LIMIT))
    async with run_editor(*flags, env=environment, capabilities={}) as editor:
        session = await editor.new(workspace)
        for block in BLOCKS:
            good = {"type": "text", "text": "hello"}
            id = await editor.post("session/prompt", sessionId=session, prompt=[good, block])
            error = (await editor.daemon.wait_response(id))["error"]
            assert error["code"] == -32602
            assert error["data"]["errors"][0]["path"].startswith("prompt.1")
        prompt = await editor.post_prompt(session, "wait")
        await editor.wait_update("tool_call")
        start = editor.heard
        await editor.daemon.send_raw(json.dumps({"jsonrpc": "2.0", "id": 1, "x": "y" * LIMIT}).encode() + b"\n")
        refused = await editor.daemon.wait_for(lambda message: message.get("id", "") is None, after=start)
        assert refused["error"]["code"] == -32600
        await editor.notify("session/cancel", sessionId=session)
        assert await editor.response(prompt) == {"stopReason": "cancelled"}
