"""MCP servers of every kind with the real CLI: connected with their secrets kept, in trouble, and asking the user."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.support import mcp_stdio
from tests.support.mcp_http import mcp_http_server

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

SECRET = "s3cret-of-the-harbour"


@pytest.mark.spec("17.1", "17.2", "17.3")
async def test_servers_over_http_and_sse_get_their_headers_and_one_in_trouble_is_told(
    stage: Stage, workspace: Path
) -> None:
    lost = workspace / "lost"
    with mcp_http_server() as server:
        headers = {"Authorization": f"Bearer {SECRET}"}
        servers = {
            "newer": {"type": "http", "url": f"{server.url}/mcp", "headers": headers},
            "older": {"type": "sse", "url": f"{server.url}/sse", "headers": headers},
            "lost": {"command": str(lost)},
        }
        async with stage.session(workspace, mcp_servers=servers, allowed_tools=["mcp__newer", "mcp__older"]) as talk:
            arguments = " ".join(psutil.Process(talk.started["pid"]).cmdline())
            calls = [["mcp__newer__tide", {}], ["mcp__older__tide", {}]]
            heard = await talk.turn(f"SC:tools {json.dumps(calls)}")
            listed = {each["name"]: each for each in (await talk.call("list_mcp_servers"))["servers"]}
            again = await talk.turn("SC:hello")
            lost.write_text(f"#!/bin/sh\nexec {sys.executable} {mcp_stdio.__file__}\n")
            lost.chmod(0o755)
            await talk.call("reconnect_mcp_server", server="lost")
            await talk.turn("SC:hello")
        seen = [(path, told.get("Authorization")) for path, told in server.headers_seen]
    assert [output["content"] for output in heard.all("tool_call_output")] == [
        [{"type": "text", "text": "High water at noon."}]
    ] * 2
    assert {path for path, _ in seen} >= {"/mcp", "/sse", "/messages"}
    assert {told for _, told in seen} == {f"Bearer {SECRET}"}
    assert SECRET not in arguments
    assert {name: each["status"] for name, each in listed.items()} == {
        "newer": "connected",
        "older": "connected",
        "lost": "failed",
    }
    assert listed["lost"]["error"]
    told = [each for params in talk.events for each in params["event"].get("mcp_servers") or ()]
    assert [each["status"] for each in told if each["name"] == "lost"] == ["failed", "connected"]
    notices = [params["event"]["message"] for params in talk.events if params["event"]["type"] == "notice"]
    assert len([each for each in notices if "The MCP server lost could not be reached" in each]) == 1
    assert not any("MCP server" in each for each in again.notices)


@pytest.mark.spec("7.8", "17.4")
async def test_what_an_mcp_server_asks_is_answered_by_the_user_and_seen_by_the_model(
    stage: Stage, workspace: Path
) -> None:
    async def answer(params: Json) -> Json:
        asked.append(params)
        return answers.pop(0)

    asked: list[Json] = []
    answers: list[Json] = [
        {"outcome": "allow", "updated_input": {"name": "Dory"}},
        {"outcome": "deny"},
        {"outcome": "sometimes"},
        {"outcome": "allow"},
    ]
    servers = {"harbour": {"command": sys.executable, "args": [mcp_stdio.__file__]}}
    async with stage.session(workspace, mcp_servers=servers, allowed_tools=["mcp__harbour"], answer=answer) as talk:
        given, refused, broken, visited = [
            await talk.turn(f"SC:tool mcp__harbour__{name} {{}}") for name in ("ask", "ask", "ask", "visit")
        ]
    assert '"action": "accept", "content": {"name": "Dory"}' in given.text
    assert '"action": "decline"' in refused.text
    assert '"action": "cancel"' in broken.text
    form = asked[0]
    assert (form["kind"], form["tool_name"], form["title"]) == ("question", "harbour", "Which ship?")
    assert form["input"]["requested_schema"]["properties"]["name"]["type"] == "string"
    assert given.one("permission_resolved")["outcome"] == "allow"
    if stage.is_old:
        assert "does not support" in visited.text
        assert len(asked) == 3
    else:
        page = asked[3]["input"]
        assert (page["mode"], page["url"]) == ("url", "https://example.com/login")
        assert '"action": "accept"' in visited.text
        assert "What the MCP server harbour asked of the user is done (e-1)." in visited.notices
