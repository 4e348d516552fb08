"""What the real CLI goes on with by itself: background commands, background agents, and the turns that they begin."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.bell import Bell
from tests.support.real_session import Heard, allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage, Talk

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

NEWS = "Background news noted."
"""What the model says when the CLI tells it that a background task has ended."""


async def _background_turn(talk: Talk) -> Heard:
    began = await talk.wait("turn_started", origin="background")
    return await talk.heard(began["turn_id"])


async def test_a_background_command_that_finishes_begins_a_turn_of_its_own(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "go") as go:
        prompt = f"SC:bashbg read x < {go}; touch made"
        async with stage.session(workspace, answer=allow()) as talk:
            asked = await talk.turn(prompt)
            go.ring()
            background = await _background_turn(talk)
            after = await talk.turn("SC:echo")
    assert asked.text == "Started in the background."
    assert asked.one("tool_call_output")["is_error"] is False
    assert background.id != asked.id
    assert (background.text, background.completed["stop_reason"]) == (NEWS, "end_turn")
    assert background.completed["cost_usd"] > 0
    assert after.text == f"history: 2 user messages; first: {prompt}"
    assert [each["event"]["message"] for each in talk.events if "exit code 0" in each["event"].get("message", "")]
    assert (workspace / "made").exists()


async def test_one_that_finishes_while_a_turn_runs_leaves_that_turn_alone(stage: Stage, workspace: Path) -> None:
    gate = f"background {stage.version}"
    with Bell(workspace / "go") as go, Bell(workspace / "gone") as gone:
        async with stage.session(workspace, answer=allow()) as talk:
            await talk.turn(f"SC:bashbg read x < {go}; echo over > {gone}")
            turn = await talk.send(f"SC:gate {gate}")
            await talk.wait("text_delta", turn_id=turn)
            go.ring()
            await gone.heard()
            stage.server.release(gate)
            heard = await talk.heard(turn)
            background = await _background_turn(talk)
    assert heard.text == "First half, second half."
    assert background.text == NEWS


async def test_a_message_that_meets_a_turn_of_the_clis_own_is_answered_in_its_own_turn(
    stage: Stage, workspace: Path
) -> None:
    with Bell(workspace / "go") as go, Bell(workspace / "gone") as gone:
        async with stage.session(workspace, answer=allow()) as talk:
            await talk.turn(f"SC:bashbg read x < {go}; echo over > {gone}")
            go.ring()
            await gone.heard()
            heard = await talk.turn("SC:two")
            after = await talk.turn("SC:hello")
    assert heard.text.endswith("Second answer.")
    assert after.text.endswith("Hello there, friend.")
    news = [each for each in talk.events if each["event"].get("text") == NEWS]
    assert len(news) == 1


async def test_nothing_of_a_background_command_outlives_its_session(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "bell") as bell, Bell(workspace / "never") as never:
        async with stage.session(workspace, answer=allow()) as talk:
            await talk.turn(f"SC:bashbg echo on > {bell}; (setsid cat {never} &); cat {never}")
            await bell.heard()
            assert len(stage.running()) > 1
        assert stage.running() == []


@pytest.mark.spec("4.7")
async def test_tasks_are_listed_and_stopped_one_by_one(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "never") as never:
        async with stage.session(workspace, answer=allow()) as talk:
            for _ in range(2):
                await talk.turn(f"SC:bashbg cat {never}")
            first, second = (await talk.call("list_tasks"))["tasks"]
            assert {each["status"] for each in (first, second)} == {"running"}
            assert first["background"] is second["background"] is True
            assert first["tool_call_id"] != second["tool_call_id"]
            await talk.call("stop_task", task_id=first["task_id"])
            assert (await talk.call("list_tasks"))["tasks"] == [second]
            # An interrupt is about the turn, and leaves what is in the background alone.
            turn = await talk.send(f"SC:gate beside tasks {stage.version}")
            await talk.wait("text_delta", turn_id=turn)
            await talk.call("interrupt")
            assert (await talk.call("list_tasks"))["tasks"] == [second]
            assert (await talk.turn("SC:two")).text == "Second answer."
        lists = [each["event"]["tasks"] for each in talk.events if each["event"]["type"] == "tasks"]
        stopped = [task["task_id"] for tasks in lists for task in tasks if task["status"] == "stopped"]
        assert stopped == [first["task_id"], second["task_id"]]


@pytest.mark.spec("5.11")
async def test_what_a_command_writes_comes_while_it_runs(stage: Stage, workspace: Path) -> None:
    with Bell(workspace / "go") as go:
        async with stage.session(workspace, answer=allow()) as talk:
            turn = await talk.send(f"SC:bash echo one; read x < {go}; echo two")
            # After about three seconds the CLI tells where a command's output is.
            await talk.wait("tool_call_progress", turn_id=turn, content="one\n")
            (task,) = (await talk.call("list_tasks"))["tasks"]
            go.ring()
            heard = await talk.heard(turn)
            assert (await talk.call("list_tasks"))["tasks"] == []
    assert (task["kind"], task["status"], task["background"]) == ("shell", "running", False)
    assert heard.one("tool_call_output")["content"] == "one\ntwo"
    assert task["tool_call_id"] == heard.one("tool_call_output")["tool_call_id"]


async def test_an_agents_tool_is_asked_for_and_its_calls_name_the_agents_call(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        heard = await talk.turn("SC:agent SC:bash touch made && echo made it")
        if not stage.is_old:
            # It runs agents in the background: its own turn is over long before the agent's work.
            assert (await _background_turn(talk)).text == NEWS
        after = await talk.turn("SC:two")
        events = [each["event"] for each in talk.events]
    assert (heard.text, after.text) == ("Agent handled.", "Second answer.")
    agent = heard.one("tool_call_started", name="Agent")
    assert (agent["kind"], agent["parent_tool_call_id"]) == ("think", None)
    (call,) = [event for event in events if event["type"] == "tool_call_started" and event["name"] == "Bash"]
    assert call["parent_tool_call_id"] == agent["tool_call_id"]
    (question,) = talk.questions
    assert (question["tool_name"], question["tool_call_id"]) == ("Bash", call["tool_call_id"])
    said = [event["text"] for event in events if event["type"] == "text_delta" and event["parent_tool_call_id"]]
    assert said == ["Command finished."]
    told = [event.get("content") for event in events if event.get("tool_call_id") == call["tool_call_id"]]
    assert "made it" in told
    assert (workspace / "made").exists()


@pytest.mark.spec("4.7")
async def test_what_an_agent_of_an_agent_does_names_the_call_that_it_is(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        await talk.turn("SC:agent SC:agent SC:bash touch made")
        if not stage.is_old:
            await _background_turn(talk)
        events = [each["event"] for each in talk.events]
        (question,) = talk.questions
    calls = {each["tool_call_id"]: each for each in events if each["type"] == "tool_call_started"}
    inner = calls[calls[question["tool_call_id"]]["parent_tool_call_id"]]
    outer = calls[inner["parent_tool_call_id"]]
    assert (inner["name"], outer["name"], outer["parent_tool_call_id"]) == ("Agent", "Agent", None)
    assert (workspace / "made").exists()
    tasks = [task for each in events if each["type"] == "tasks" for task in each["tasks"]]
    ended = {task["tool_call_id"]: (task["kind"], task["status"]) for task in tasks if task["status"] != "running"}
    assert ended == dict.fromkeys((outer["tool_call_id"], inner["tool_call_id"]), ("agent", "completed"))
