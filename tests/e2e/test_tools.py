"""Tools and questions: what the real CLI asks, what it makes of each answer, and what it does without asking."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.model_server.scenarios import PLAN, QUESTION
from tests.support.real_session import allow, deny

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Heard, Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]


async def test_a_bash_call_is_asked_for_runs_when_allowed_and_its_output_is_told(stage: Stage) -> None:
    async with stage.conversation() as talk:
        turn = await talk.send("SC:saybash touch made && echo made it")
        question = (await talk.question())["params"]
        assert not (talk.folder / "made").exists()
        await talk.decide(await talk.question(), "allow")
        heard = await talk.heard(turn)
    started, resolved = heard.one("tool_call_started"), heard.one("permission_resolved")
    call = started["tool_call_id"]
    assert (started["name"], started["kind"]) == ("Bash", "execute")
    command = {"command": "touch made && echo made it", "description": "Run a command"}
    assert heard.one("tool_call_input") == {"type": "tool_call_input", "tool_call_id": call, "input": command}
    suggestions = question.pop("suggestions")
    assert isinstance(suggestions, list)
    assert question == {
        "session_id": talk.id,
        "turn_id": turn,
        "tool_call_id": call,
        "tool_name": "Bash",
        "kind": "execute",
        "input": command,
        "title": "Run a command",
    }
    assert (resolved["tool_call_id"], resolved["outcome"], resolved["by"]) == (call, "allow", "parent")
    output = heard.one("tool_call_output")
    assert (output["tool_call_id"], output["is_error"], output["content"]) == (call, False, "made it")
    kinds = [event["type"] for event in heard.events]
    order = ["tool_call_started", "tool_call_input", "permission_resolved", "tool_call_output"]
    assert sorted(order, key=kinds.index) == order
    assert heard.text == "I will run it.Done."
    assert (talk.folder / "made").exists()


async def test_a_denial_with_a_message_reaches_the_model_and_the_turn_goes_on(stage: Stage) -> None:
    async with stage.conversation(deny(message="Not on a Sunday.")) as talk:
        heard = await talk.turn("SC:bash touch made")
        (result,) = talk.requests[-1].conversation.results
    assert "Not on a Sunday." in json.dumps(result)
    assert result["is_error"] is True
    output = heard.one("tool_call_output", is_error=True)
    assert "Not on a Sunday." in str(output["content"])
    assert heard.one("permission_resolved")["outcome"] == "deny"
    assert (heard.completed["stop_reason"], heard.text) == ("end_turn", "Command finished.")
    assert not (talk.folder / "made").exists()


async def test_a_denial_with_an_interrupt_ends_the_turn_and_keeps_the_session(stage: Stage) -> None:
    async with stage.conversation(deny(message="Stop it.", interrupt=True)) as talk:
        heard = await talk.turn("SC:bash touch made")
        after = await talk.turn("SC:echo")
    assert (heard.completed["stop_reason"], heard.completed["error"]) == ("interrupted", None)
    assert heard.one("tool_call_output")["is_error"] is True
    assert not (talk.folder / "made").exists()
    assert after.text == "history: 2 user messages; first: SC:bash touch made"


async def test_an_edited_input_is_what_runs(stage: Stage) -> None:
    edited = {"command": "touch other", "description": "Something else"}
    async with stage.conversation(allow(updated_input=edited)) as talk:
        heard = await talk.turn("SC:bash touch made")
    assert heard.one("tool_call_output")["is_error"] is False
    assert (talk.folder / "other").exists()
    assert not (talk.folder / "made").exists()


async def test_a_remembered_suggestion_spares_the_next_question(stage: Stage, workspace: Path) -> None:
    async def answer(params: Json) -> Json:
        (mode,) = [each for each in params["suggestions"] if each["type"] == "setMode"]
        return {"outcome": "allow", "remember": mode}

    async with stage.session(workspace, answer=answer) as talk:
        await talk.turn(f"SC:write {workspace / 'first'}")
        await talk.turn(f"SC:write {workspace / 'second'}")
        assert len(talk.questions) == 1
        await talk.wait("session_updated", runtime_mode="accept_edits")
    assert (workspace / "second").exists()


async def test_parallel_calls_each_have_their_input_and_their_output(stage: Stage) -> None:
    async with stage.conversation(allow()) as talk:
        heard = await talk.turn("SC:parallel touch a; echo one | touch b; echo two | touch c; echo three")
    calls = {event["tool_call_id"]: event["input"]["command"] for event in heard.all("tool_call_input")}
    outputs = {event["tool_call_id"]: event["content"] for event in heard.all("tool_call_output", is_error=False)}
    assert {calls[call]: output for call, output in outputs.items()} == {
        "touch a; echo one": "one", "touch b; echo two": "two", "touch c; echo three": "three",
    }  # fmt: skip
    assert heard.text == "All finished."


async def test_several_open_questions_are_answered_in_any_order(stage: Stage, tmp_path: Path) -> None:
    notes = [tmp_path / name for name in ("one.txt", "two.txt")]
    for note in notes:
        note.write_text(f"inside {note.name}\n")
    async with stage.conversation() as talk:
        turn = await talk.send(f"SC:parallelread {notes[0]} {notes[1]}")
        first, second = await talk.question(0), await talk.question(1)
        await talk.decide(second, "allow")
        await talk.wait("tool_call_output", tool_call_id=second["params"]["tool_call_id"])
        await talk.decide(first, "deny", message="Private.")
        heard = await talk.heard(turn)
    outputs = {event["tool_call_id"]: event for event in heard.all("tool_call_output")}
    allowed, denied = (outputs[each["params"]["tool_call_id"]] for each in (second, first))
    assert (allowed["is_error"], denied["is_error"]) == (False, True)
    assert f"inside {second['params']['input']['file_path'].rsplit('/', 1)[-1]}" in str(allowed["content"])
    assert "Private." in str(denied["content"])


@pytest.mark.spec("7.2")
async def test_a_subagents_open_questions_are_its_own_and_are_answered_in_any_order(
    stage: Stage, tmp_path: Path
) -> None:
    notes = [tmp_path / name for name in ("one.txt", "two.txt")]
    for note in notes:
        note.write_text(f"inside {note.name}\n")
    agent = {"description": "Look", "subagent_type": "general-purpose", "run_in_background": False}
    prompt = f"SC:parallelread {notes[0]} {notes[1]}"
    async with stage.conversation() as talk:
        turn = await talk.send(f"SC:tool Agent {json.dumps({**agent, 'prompt': prompt})}")
        first, second = await talk.question(0), await talk.question(1)
        await talk.decide(second, "allow")
        await talk.wait("tool_call_output", tool_call_id=second["params"]["tool_call_id"])
        await talk.decide(first, "deny", message="Private.")
        heard = await talk.heard(turn)
    (call,) = [each["tool_call_id"] for each in heard.all("tool_call_started", name="Agent")]
    reads = {each["tool_call_id"]: each["parent_tool_call_id"] for each in heard.all("tool_call_started", name="Read")}
    assert reads == {question["params"]["tool_call_id"]: call for question in (first, second)}
    outputs = {each["tool_call_id"]: each["is_error"] for each in heard.all("tool_call_output")}
    assert [outputs[question["params"]["tool_call_id"]] for question in (first, second)] == [True, False]


async def test_a_failing_command_is_told_as_an_error_and_the_turn_goes_on(stage: Stage) -> None:
    async with stage.conversation(allow()) as talk:
        heard = await talk.turn("SC:bash echo oops >&2; exit 3")
    output = heard.one("tool_call_output")
    assert output["is_error"] is True
    assert "oops" in str(output["content"])
    assert heard.completed["stop_reason"] == "end_turn"


async def test_in_accept_edits_a_file_is_written_without_a_question(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, runtime_mode="accept_edits") as talk:
        heard = await talk.turn(f"SC:write {workspace / 'made'}")
    assert talk.questions == []
    assert heard.one("tool_call_started")["kind"] == "edit"
    assert (workspace / "made").read_text() == "written\n"


async def test_in_plan_mode_every_change_is_denied_and_the_parent_is_not_asked(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, runtime_mode="plan", answer=allow()) as talk:
        written = await talk.turn(f"SC:write {workspace / 'made'}")
        touched = await talk.turn("SC:bash touch made")
    assert talk.questions == []
    for heard in (written, touched):
        assert heard.one("tool_call_output")["is_error"] is True
        resolved = heard.one("permission_resolved")
        assert (resolved["outcome"], resolved["by"]) == ("deny", "mode")
    assert not (workspace / "made").exists()


async def test_a_plan_is_put_to_the_parent_and_once_approved_the_session_may_change_things(
    stage: Stage, workspace: Path
) -> None:
    plans = workspace / "plans"
    async with stage.session(workspace, runtime_mode="plan", plans_directory="./plans", answer=allow()) as talk:
        heard = await talk.turn("SC:plan")
        (question,) = talk.questions
        await talk.wait("session_updated", runtime_mode="supervised")
        await talk.turn(f"SC:write {workspace / 'made'}")
    assert (question["tool_name"], question["kind"]) == ("ExitPlanMode", "plan")
    assert question["input"]["plan"] == PLAN
    assert [path.read_text() for path in plans.iterdir()] == [PLAN]
    assert heard.text == "Plan handled."
    assert not heard.all("tool_call_output", is_error=True)
    assert [each["tool_name"] for each in talk.questions] == ["ExitPlanMode", "Write"]
    assert (workspace / "made").exists()


async def test_a_plan_that_is_turned_down_keeps_plan_mode_and_tells_the_model_why(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace, runtime_mode="plan", answer=deny(message="Think again.")) as talk:
        heard = await talk.turn("SC:plan")
        touched = await talk.turn("SC:bash touch made")
    assert "Think again." in str(_output_of(heard, "ExitPlanMode")["content"])
    assert touched.one("permission_resolved")["by"] == "mode"
    assert not (workspace / "made").exists()


async def test_a_question_of_the_agent_is_answered_through_the_updated_input(stage: Stage) -> None:
    async def answer(params: Json) -> Json:
        return {"outcome": "allow", "updated_input": {**params["input"], "answers": {"Which color?": "Blue"}}}

    async with stage.conversation(answer) as talk:
        heard = await talk.turn("SC:askuser")
        (question,) = talk.questions
    assert (question["tool_name"], question["kind"]) == ("AskUserQuestion", "question")
    assert question["input"]["questions"] == [QUESTION]
    assert heard.text.startswith("You said: ")
    assert "Blue" in heard.text


def _output_of(heard: Heard, name: str) -> Json:
    (call,) = [event["tool_call_id"] for event in heard.all("tool_call_started", name=name)]
    return heard.one("tool_call_output", tool_call_id=call)
