"""The HTTP face with the real CLI behind: what the model is given of a client's history, whose tools run where, and
what is left when a client goes."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from tests.e2e.conftest import PARAMETERS
from tests.http.calls import Answer, Streamed, said
from tests.http.sse import read_message
from tests.support.http_daemon import run_http

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import httpx

    from tests.support.daemon import Json
    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.timeout(120)]

SCHEMA: Json = {"type": "object", "properties": {"n": {"type": "integer"}}}
LOOK: Json = {"name": "look", "description": "Looks.", "input_schema": SCHEMA}
DIG: Json = {"name": "dig", "description": "Digs.", "input_schema": SCHEMA}


@asynccontextmanager
async def http_client(stage: Stage, workspace: Path, *flags: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a daemon on this stage."""
    options = ("--claude-path", str(stage.cli), "--working-dir", str(workspace), *flags)
    async with run_http(*options, env=stage.environment) as server, server.client() as client:
        yield client


async def ask(
    client: httpx.AsyncClient, messages: Any, headers: dict[str, str] | None = None, **members: Any
) -> Answer:
    body = {"model": "claude-cli/sonnet", "max_tokens": 1000, "messages": messages, **members}
    response = await client.post("/v1/messages", json=body, headers=headers)
    streamed = response.headers["content-type"].startswith("text/event-stream")
    return Answer(response, read_message(response.content) if streamed else response.json())


def heard(stage: Stage) -> list[tuple[str, str]]:
    """The conversation that the model was given last: roles, and texts without the CLI's remarks."""
    told = []
    for message in stage.server.requests[-1].body["messages"]:
        content = message["content"]
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        texts = [
            block["text"] for block in blocks if block["type"] == "text" and "<system-reminder>" not in block["text"]
        ]
        if texts and message["role"] != "system":
            told.append((message["role"], "".join(texts)))
    return told


async def kill_cli(stage: Stage, client: httpx.AsyncClient) -> None:
    """Kill the CLI, and wait until the daemon has seen that no turn is left."""
    (cli,) = [process for process in stage.running() if process.cmdline()[:1] == [str(stage.cli)]]
    cli.kill()
    with anyio.fail_after(60):
        while any(session["state"] == "busy" for session in (await client.get("/v1/sessions")).json()["data"]):
            await anyio.lowlevel.checkpoint()


async def test_the_model_is_given_each_message_once_however_the_history_goes_on(stage: Stage, workspace: Path) -> None:
    async with http_client(stage, workspace) as client:
        first = await ask(client, said("SC:hello one"))
        assert first.history == "new"
        second = await ask(client, said("SC:hello one", first.text, "SC:hello two"), stream=True)
        assert (second.history, second.session) == ("continued", first.session)
        answer = first.text
        assert heard(stage) == [("user", "SC:hello one"), ("assistant", answer), ("user", "SC:hello two")]

        edited = await ask(client, said("SC:hello one", answer, "SC:hello changed"))
        assert (edited.history, edited.session != first.session) == ("forked", True)
        assert heard(stage) == [("user", "SC:hello one"), ("assistant", answer), ("user", "SC:hello changed")]

        whole = said("SC:hello one", answer, "SC:hello two", second.text, "SC:hello three")
        third = await ask(client, whole, system="You are a pilot.")
        assert "You are a pilot." in str(stage.server.requests[-1].body["system"])
        # The newer CLI would go on with the system prompt that the conversation began with.
        assert (third.history, third.session) == ("continued" if stage.is_old else "replayed", first.session)
        assert sum(text.count("SC:hello two") for _, text in heard(stage)) == 1

        foreign = await ask(client, said("before", "elsewhere", "SC:hello here"))
        assert foreign.history == "replayed"
        ((role, told),) = heard(stage)
        assert (role, "elsewhere" in told) == ("user", True)

        shaped: Any = {"output_config": {"format": {"type": "json_schema", "schema": {**SCHEMA, "required": ["n"]}}}}
        structured = await ask(client, said('SC:tool StructuredOutput {"n": 3}'), **shaped)
        assert json.loads(structured.text) == {"n": 3}


async def test_the_clients_tools_are_called_all_at_once_and_their_results_reach_the_model(
    stage: Stage, workspace: Path
) -> None:
    calls = [["mcp__parent__look", {"n": 1}], ["mcp__parent__dig", {"n": 2}], ["Bash", {"command": "echo mine"}]]
    question = {"role": "user", "content": f"SC:tools {json.dumps(calls)}"}
    async with http_client(stage, workspace, "--allowed-tools", "Bash(echo:*)") as client:
        first = await ask(client, [question], tools=[LOOK, DIG], stream=True)
        uses = [block for block in first.body["content"] if block["type"] == "tool_use"]
        assert first.body["stop_reason"] == "tool_use"
        assert [(use["name"], use["input"]) for use in uses] == [("look", {"n": 1}), ("dig", {"n": 2})]
        given = [{"type": "tool_result", "tool_use_id": use["id"], "content": f"from {use['name']}"} for use in uses]
        given[1]["is_error"] = True
        messages = [
            question,
            {"role": "assistant", "content": first.body["content"]},
            {"role": "user", "content": given},
        ]
        second = await ask(client, messages, tools=[LOOK, DIG])
        assert (second.history, second.session) == ("tool_results", first.session)
        assert second.body["stop_reason"] == "end_turn"
        results = {result["tool_use_id"]: result for result in stage.server.requests[-1].conversation.results}
        look, dig = (results[use["id"]] for use in uses)
        assert ("from look" in str(look), "from dig" in str(dig), dig.get("is_error")) == (True, True, True)
        assert any("mine" in str(result) for result in results.values()), "the agent's own tool ran beside them"

        messages += [{"role": "assistant", "content": second.body["content"]}, *said("SC:hello now")]
        third = await ask(client, messages, tools=[LOOK])
        assert (third.history, third.session) == ("continued" if stage.is_old else "replayed", first.session)
        offered = [tool["name"] for tool in stage.server.requests[-1].body["tools"]]
        assert "mcp__parent__look" in offered
        assert "mcp__parent__dig" not in offered


@pytest.mark.parametrize("version", PARAMETERS[-1:], indirect=True)
async def test_a_client_that_goes_stops_the_command_that_ran_for_it(stage: Stage, workspace: Path) -> None:
    mark = workspace / "began"
    name = {"x-agent-adapter-session": "left-alone"}
    async with http_client(stage, workspace, "--allowed-tools", "Bash", "--visibility", "text") as client:
        with anyio.fail_after(60):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, client, said(f"SC:bash touch {mark}; sleep 613"), name)
                while not mark.exists():
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        after = await ask(client, said("SC:hello again"), {**name, "x-agent-adapter-history": "append"})
        assert (after.history, after.status) == ("continued", 200)
        running = [process for process in stage.running() if "sleep" in process.name()]
        assert running == [], "the command ended with its turn"
        failed = await ask(client, said("SC:error 400"))
        assert (failed.status, failed.body["error"]["type"]) == (400, "invalid_request_error")
        assert failed.response.headers["x-should-retry"] == "false"


@pytest.mark.parametrize("version", PARAMETERS[-1:], indirect=True)
async def test_a_cli_that_is_killed_ends_its_answer_with_an_error_and_the_next_request_goes_on(
    stage: Stage, workspace: Path
) -> None:
    texts = [f"SC:hello killed {stage.version}", "Hello there, friend."]
    async with http_client(stage, workspace) as client:
        session = (await ask(client, said(texts[0]), tools=[LOOK])).session
        texts += [f"SC:gate killed over http {stage.version}"]
        body = {"model": "claude-cli/sonnet", "max_tokens": 1000, "messages": said(*texts), "tools": [LOOK]}
        async with client.stream("POST", "/v1/messages", json={**body, "stream": True}) as response:
            streamed = Streamed(response)
            await streamed.read_until("First half")
            await kill_cli(stage, client)
            told = (await streamed.rest()).split("event: ")
        assert [piece for piece in told if piece.startswith(("error", "message_stop"))] == told[-1:]
        assert "SIGKILL" in told[-1]

        past = said(*texts, "First half, ", 'SC:tool mcp__parent__look {"n": 1}')
        asked = await ask(client, past, tools=[LOOK])
        assert (asked.history, asked.session, asked.body["stop_reason"]) == ("continued", session, "tool_use")
        assert texts[0] in str(stage.server.requests[-1].body["messages"])
        await kill_cli(stage, client)
        (use,) = [block for block in asked.body["content"] if block["type"] == "tool_use"]
        given = [{"type": "tool_result", "tool_use_id": use["id"], "content": "seen"}]
        past += [{"role": "assistant", "content": asked.body["content"]}, {"role": "user", "content": given}]
        answered = await ask(client, past, tools=[LOOK])
        assert (answered.status, answered.history, answered.session) == (200, "continued", session)
        assert "seen" in str(stage.server.requests[-1].body["messages"]), "what the client's tool said is not lost"
