"""The vendors' own clients, which nobody here wrote, drive the real CLI through the HTTP face: the Python packages and
their twins for Node, in the same scenes, held to the same expectations. Two clients at once on one daemon, for each
version of the CLI: Python's for Anthropic and Node's for OpenAI on the newest, the other two on the oldest. So each
client runs all scenes, and both versions answer both vendors'.

Owns those expectations and the stage. What the scenes are is in `python_clients` and `tests/foreign/*_client.mjs`.
"""

from __future__ import annotations

import json
import subprocess
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.foreign import SOURCE, npm_package
from tests.support.http_daemon import HttpDaemon, run_http
from tests.support.model_server import ModelServer
from tests.support.real_cli import installed_versions
from tests.support.real_session import Stage, marked_processes

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable
    from pathlib import Path

    from tests.support.daemon import Json

VERSIONS = installed_versions()
SCENES_S = 100.0
"""All scenes of two clients take about eight seconds on an idle machine."""
TOOL = "mcp__parent__tide"
"""How the agent calls the client's tool."""
SCRIPTS = {"@anthropic-ai/sdk": "anthropic_client.mjs", "openai": "openai_client.mjs"}
"""The clients for Node, and their scenes."""

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_cli,
    pytest.mark.timeout(160),
    pytest.mark.skipif(not VERSIONS, reason="no real Claude CLI is installed (it takes npm: `make real-cli`)"),
]


@asynccontextmanager
async def http_stage(version: str, folder: Path) -> AsyncIterator[tuple[HttpDaemon, ModelServer]]:
    """`agent-adapter http` with the real CLI behind and a model of ours behind that; nothing is left of it."""
    home, workspace = folder / "home", folder / "workspace"
    home.mkdir()
    trap = folder / "ran-by-the-project"
    set_trap(workspace, trap)
    with ModelServer() as model:
        stage = Stage(version, VERSIONS[version], home, model)
        flags = ["--claude-path", str(stage.cli), "--working-dir", str(workspace), "--allowed-tools", "Bash(echo:*)"]
        # What the CLI repeats by itself is of no interest here, and takes seconds.
        environment = {**stage.environment, "CLAUDE_CODE_MAX_RETRIES": "0"}
        async with run_http(*flags, env=environment) as server:
            yield server, model
        with anyio.fail_after(10):
            while left := marked_processes(home):
                await anyio.to_thread.run_sync(left[0].wait, 5)
        assert not trap.exists(), "what the folder brings along ran unasked"


def set_trap(workspace: Path, trap: Path) -> None:
    """Make a folder that would have the CLI run something by itself."""
    (workspace / ".claude").mkdir(parents=True)
    hook = {"hooks": [{"type": "command", "command": f"touch {trap}"}]}
    (workspace / ".claude" / "settings.json").write_text(json.dumps({"hooks": {"UserPromptSubmit": [hook]}}))
    server = {"command": "/bin/sh", "args": ["-c", f"touch {trap}"]}
    (workspace / ".mcp.json").write_text(json.dumps({"mcpServers": {"trap": server}}))


async def node_scenes(name: str, server: HttpDaemon) -> Json:
    """What a client for Node saw."""
    environment = {
        "BASE_URL": server.url,
        "TOKEN": server.token,
        "TOOL": TOOL,
        "PACKAGE": str(npm_package(name)),
        "PATH": "/usr/bin",
    }
    command = ["node", str(SOURCE / SCRIPTS[name])]
    run = await anyio.run_process(command, stderr=subprocess.PIPE, env=environment, check=False)
    assert run.returncode == 0, run.stderr.decode()[-3000:]
    return json.loads(run.stdout)  # type: ignore[no-any-return]


def check_anthropic(seen: Json) -> None:
    """What Anthropic's client must have seen, in whatever language."""
    whole = seen["whole"]
    assert (whole["text"], whole["stop_reason"]) == ("Hello there, friend.", "end_turn")
    assert (whole["type"], whole["role"], whole["output_tokens"] > 0) == ("message", "assistant", True)
    assert whole["request_id"].startswith("req_")
    assert seen["streamed"] == {"text": "Second answer.", "stop_reason": "end_turn"}
    assert seen["merged"]["text"].replace("\n", "") == "I will run it.Done."
    assert (seen["merged"]["stop_reason"], set(seen["merged"]["types"])) == ("end_turn", {"text"})
    assert seen["goes_on"] == "history: 4 user messages; first: SC:hello"
    assert seen["tool_call"] == {"stop_reason": "tool_use", "name": "tide", "input": {"at": "noon"}}
    assert seen["tool_told"] == {"text": "Tool said: high water", "stop_reason": "end_turn"}
    assert seen["tokens"] > 0
    check_failures(seen, "SC:hello")


def check_openai(seen: Json) -> None:
    """What OpenAI's client must have seen, in whatever language."""
    whole = {"text": "Hello there, friend.", "finish_reason": "stop", "object": "chat.completion"}
    assert seen["whole"] == {**whole, "total_is_sum": True, "is_named": True}
    assert seen["streamed"] == {"text": "Second answer.", "finish_reason": "stop", "usage": True}
    assert (seen["merged"]["text"].replace("\n", ""), seen["merged"]["finish_reason"]) == (
        "I will run it.Done.",
        "stop",
    )
    assert seen["goes_on"] == "history: 4 user messages; first: SC:hello from another client"
    assert seen["tool_call"] == {"finish_reason": "tool_calls", "name": "tide", "input": {"at": "noon"}}
    assert seen["tool_told"] == {"text": "Tool said: high water", "finish_reason": "stop"}
    assert seen["response"] == {"text": "Hello there, friend.", "status": "completed"}
    goes_on = "history: 2 user messages; first: SC:hello"
    assert seen["response_goes_on"] == {"text": goes_on, "status": "completed"}
    assert seen["response_tool"] == {"name": "tide", "text": "Tool said: low water"}
    check_failures(seen, "SC:hello from another client")


def check_failures(seen: Json, first: str) -> None:
    """What all of them must have seen of what goes wrong."""
    assert seen["after_leaving"].startswith("history: ")
    assert seen["after_leaving"].endswith(f"first: {first}")
    assert seen["wrong_token"] == {"status": 401, "type": "authentication_error"}
    assert seen["no_messages"] == {"status": 400, "type": "invalid_request_error"}
    assert seen["failed_stream"] == {"status": 529, "type": "overloaded_error"}
    assert any("sonnet" in name for name in seen["models"])


async def anthropic_seen(server: HttpDaemon, *, in_node: bool) -> Json:
    """What Anthropic's client sees, for Python or for Node."""
    from tests.http.python_clients import anthropic_scenes  # not by every worker: it takes seconds

    return await (node_scenes("@anthropic-ai/sdk", server) if in_node else anthropic_scenes(server, TOOL))


async def openai_seen(server: HttpDaemon, *, in_node: bool) -> Json:
    """What OpenAI's client sees, for Python or for Node."""
    from tests.http.python_clients import openai_scenes  # as above

    return await (node_scenes("openai", server) if in_node else openai_scenes(server, TOOL))


@pytest.mark.parametrize("version", VERSIONS)
async def test_the_vendors_clients_see_a_model_that_is_an_agent(version: str, tmp_path: Path) -> None:
    missing = [name for name in SCRIPTS if npm_package(name) is None]
    is_newest = version == list(VERSIONS)[-1]
    seen: dict[str, Json] = {}
    async with http_stage(version, tmp_path) as (server, model):
        with anyio.fail_after(SCENES_S):
            async with anyio.create_task_group() as tasks:

                async def watch(name: str, scenes: Awaitable[Json]) -> None:
                    seen[name] = await scenes

                tasks.start_soon(watch, "anthropic", anthropic_seen(server, in_node=not (missing or is_newest)))
                tasks.start_soon(watch, "openai", openai_seen(server, in_node=is_newest and not missing))
    check_anthropic(seen["anthropic"])
    check_openai(seen["openai"])
    # The clients repeat what fails with 529 by themselves; each such repetition would be a session of its own here.
    failed = [each for each in model.requests if each.directive is not None and each.directive.name == "error"]
    assert {len(each.conversation.prompts) for each in failed} == {1}
    assert len({str(each.body["metadata"]) for each in failed}) == len(seen)
    if missing:
        pytest.skip(f"with Python's clients only; for Node's `make foreign` installs {', '.join(missing)}")
