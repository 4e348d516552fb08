"""The parent's own tools, called by the real CLI: offered to the model, run by the parent, answered in every way."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.real_session import deny

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAIAAAACCAIAAAD91JpzAAAAEElEQVR4nGP4z8AARAwQCgAf7gP9i18U1AAAAABJRU5ErkJggg=="
IMAGE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
NUMBER = {"type": "object", "properties": {"n": {"type": "integer"}}}


def tool(name: str, **more: object) -> Json:
    return {"name": name, "description": f"The {name} of the harbour.", "input_schema": NUMBER, **more}


TOOLS = [tool("depth", read_only=True), tool("dredge")]


def use(*calls: tuple[str, Json]) -> str:
    """The directive that has the model call the parent's tools, all in one message."""
    return f"SC:tools {json.dumps([[f'mcp__parent__{name}', given] for name, given in calls])}"


def results(talk: Talk) -> list[Json]:
    """The tool results that the model got last."""
    return [dict(result) for result in talk.requests[-1].conversation.results]


@pytest.fixture(autouse=True)
def nobody_answers_afterwards(stage: Stage) -> Iterator[None]:
    """The daemon is shared; the next test answers by itself."""
    yield
    stage.daemon.answers = {}


async def wait_asked(talk: Talk, number: int) -> Json:
    """Wait for the session's `call_tool` or `run_hook` of this number; the whole request."""

    def ours() -> list[Json]:
        return [each for each in talk.daemon.asked if each["params"]["session_id"] == talk.id]

    await talk.daemon.wait_for(lambda _: len(ours()) > number)
    return ours()[number]


@pytest.mark.spec("14.1", "14.2", "14.3", "14.4")
async def test_the_parents_tools_are_offered_run_side_by_side_and_answered_with_text_images_and_errors(
    stage: Stage, workspace: Path
) -> None:
    async def answer(params: Json) -> Json:
        number = params["input"]["n"]
        if number == 2:
            await both.wait()
            return {"content": [{"type": "text", "text": "Two."}, IMAGE]}
        both.set()
        return {"content": "Aground!", "is_error": True}

    both = anyio.Event()
    stage.daemon.answers["call_tool"] = answer
    async with stage.session(workspace, tools=TOOLS, answer=deny()) as talk:
        heard = await talk.turn(use(("depth", {"n": 2}), ("depth", {"n": 3})))
        offered = {each["name"]: each for each in talk.requests[-1].body["tools"]}
        got = {result["tool_use_id"]: result for result in results(talk)}
        asked = [each["params"] for each in stage.daemon.asked if each["params"]["session_id"] == talk.id]
        questions = talk.questions
        # Long results reach the model whole, and no permission is asked for a tool that the parent runs itself.
        stage.daemon.answers["call_tool"] = lambda params: _answer({"content": "x" * 400_000})
        await talk.turn(use(("dredge", {})))
        (long,) = results(talk)
        # A broken answer is an error that the agent can read.
        stage.daemon.answers["call_tool"] = lambda params: _answer({"content": [{"type": "sound"}]})
        broken = await talk.turn(use(("dredge", {})))
    assert offered["mcp__parent__depth"]["description"] == "The depth of the harbour."
    assert offered["mcp__parent__depth"]["input_schema"]["properties"] == NUMBER["properties"]
    assert "mcp__parent__dredge" in offered
    assert questions == []
    assert {(each["name"], each["input"]["n"], each["turn_id"]) for each in asked} == {
        ("depth", 2, heard.id),
        ("depth", 3, heard.id),
    }
    started = {each["tool_call_id"]: each for each in heard.all("tool_call_started")}
    assert {each["tool_call_id"] for each in asked} == set(started) == set(got)
    assert {each["name"] for each in started.values()} == {"mcp__parent__depth"}
    (two,) = [each["tool_call_id"] for each in asked if each["input"]["n"] == 2]
    assert PIXEL in json.dumps(got.pop(two)["content"])
    ((_, three),) = got.items()
    assert (three["is_error"], "Aground!" in str(three["content"])) == (True, True)
    assert "x" * 400_000 in str(long["content"])
    output = broken.one("tool_call_output", is_error=True)
    assert 'content.0 must be a block of type "text" or "image"' in str(output["content"])


@pytest.mark.spec("14.5", "14.6")
async def test_an_interrupt_takes_a_call_back_and_in_plan_mode_only_what_reads_is_run(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace, tools=TOOLS) as talk:
        turn = await talk.send(use(("dredge", {"n": 1})))
        call = await wait_asked(talk, 0)
        assert await talk.call("interrupt") == {"interrupted": True}
        heard = await talk.heard(turn)
        taken_back = {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": call["id"]}}
        assert taken_back in talk.daemon.messages
        assert heard.completed["stop_reason"] == "interrupted"
        assert talk.daemon.messages.index(taken_back) < next(
            at
            for at, message in enumerate(talk.daemon.messages)
            if message.get("params") == {**message.get("params", {}), "turn_id": turn}
            and message["params"].get("event", {}).get("type") == "turn_completed"
        )
        stage.daemon.answers["call_tool"] = lambda params: _answer({"content": f"Fathoms: {params['input']['n']}"})
        await talk.call("set_runtime_mode", runtime_mode="plan")
        await talk.turn(use(("depth", {"n": 7}), ("dredge", {"n": 8})))
        text = json.dumps(results(talk))
        ran = [each["params"]["name"] for each in stage.daemon.asked if each["params"]["session_id"] == talk.id]
    assert "Fathoms: 7" in text
    assert "Plan mode" in text
    assert ran == ["dredge", "depth"]


async def _answer(result: Json) -> Json:
    return result
