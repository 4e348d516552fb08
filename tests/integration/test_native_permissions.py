"""SPEC.md, section 7: what the CLI asks is put to the parent, answered in any order, and denied when in doubt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.mock_daemon import RecordedCli, mock_daemon, mocked, session_of, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def daemon(anyio_backend: str) -> AsyncIterator[Daemon]:
    """One daemon; each test has its session, and looks at no question of another's."""
    async with mock_daemon() as daemon:
        await daemon.request("list_providers")
        yield daemon


async def ask(daemon: Daemon, session_id: str, message: str = "run it", *, count: int = 1) -> tuple[str, list[Json]]:
    """Send a message that makes the CLI ask; the turn's id, and its first `count` questions."""
    seen = len(daemon.questions)
    turn_id: str = (await daemon.request("send_message", session_id=session_id, message=message))["turn_id"]
    return turn_id, [await daemon.wait_question(after=seen + at) for at in range(count)]


async def end_of(daemon: Daemon, turn_id: str) -> Json:
    """Wait for a turn's end; its `turn_completed`."""
    return (await daemon.wait_event("turn_completed", turn_id=turn_id))["event"]  # type: ignore[no-any-return]


def resolved(daemon: Daemon, turn_id: str) -> list[tuple[str, str]]:
    """How the questions of a turn ended, and by whom, in order."""
    events = [params["event"] for params in daemon.events(turn_id=turn_id)]
    return [(event["outcome"], event["by"]) for event in events if event["type"] == "permission_resolved"]


async def taken_back(daemon: Daemon, *questions: Json) -> None:
    """Wait until the daemon has taken these questions back."""
    for question in questions:
        wanted = {"jsonrpc": "2.0", "method": "cancel_request", "params": {"id": question["id"]}}
        await daemon.wait_for(lambda message, wanted=wanted: message == wanted)  # type: ignore[misc]


async def test_a_question_tells_what_is_to_be_done_and_an_allow_lets_it_happen(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        params = question["params"]
        assert (params["session_id"], params["turn_id"]) == (session_id, turn_id)
        assert (params["tool_name"], params["kind"]) == ("Bash", "execute")
        assert params["input"]["command"] == "echo hi > touched.txt && echo done"
        assert params["title"] == "Touch a file"
        assert len(params["suggestions"]) == 1
        await daemon.reply(question["id"], {"outcome": "allow"})
        assert (await end_of(daemon, turn_id))["result"] == "Command finished."
        assert resolved(daemon, turn_id) == [("allow", "parent")]
        output = (await daemon.wait_event("tool_call_output", turn_id=turn_id))["event"]
        assert (output["tool_call_id"], output["is_error"], output["content"]) == (
            params["tool_call_id"],
            False,
            "done",
        )


async def test_a_deny_tells_the_agent_why(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        await daemon.reply(question["id"], {"outcome": "deny", "message": "Not on a Friday."})
        assert (await end_of(daemon, turn_id))["result"] == "Then I will not."
        assert resolved(daemon, turn_id) == [("deny", "parent")]
        output = (await daemon.wait_event("tool_call_output", turn_id=turn_id))["event"]
        assert (output["is_error"], output["content"]) == (True, "Not on a Friday.")


@pytest.mark.spec("7.2")
async def test_several_questions_may_be_answered_in_any_order(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "two_permissions") as session_id:
        turn_id, questions = await ask(daemon, session_id, count=2)
        assert [each["params"]["tool_call_id"] for each in questions] == ["toolu_first", "toolu_second"]
        await daemon.reply(questions[1]["id"], {"outcome": "deny"})
        await daemon.wait_event("tool_call_output", turn_id=turn_id, tool_call_id="toolu_second")
        assert resolved(daemon, turn_id) == [("deny", "parent")], "the other question is still open"
        await daemon.reply(questions[0]["id"], {"outcome": "allow"})
        assert (await end_of(daemon, turn_id))["result"] == "Read both."
        assert resolved(daemon, turn_id) == [("deny", "parent"), ("allow", "parent")]


async def test_an_updated_input_takes_the_place_of_the_agents(daemon: Daemon, tmp_path: Path) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "rm -rf /"}, "ask": True, "output": "ran ${input.command}"}
    async with session_of(daemon, tmp_path, write_scenario(tmp_path, {"turn": [tool]})) as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        await daemon.reply(question["id"], {"outcome": "allow", "updated_input": {"command": "ls"}})
        assert (await daemon.wait_event("tool_call_output", turn_id=turn_id))["event"]["content"] == "ran ls"


async def test_a_remembered_suggestion_is_not_asked_again(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        remember = question["params"]["suggestions"][0]
        await daemon.reply(question["id"], {"outcome": "allow", "remember": remember})
        await end_of(daemon, turn_id)
        asked = len(daemon.questions)
        assert (await daemon.turn(session_id, "again"))["result"] == "Command finished."
        assert len(daemon.questions) == asked


INVALID: list[Any] = [
    None,
    True,
    "allow",
    ["allow"],
    {},
    {"outcome": "yes"},
    {"outcome": ["allow"]},
    {"outcome": {"outcome": "allow"}},
    {"outcome": "allow", "updated_input": "ls"},
    {"outcome": "allow", "updated_input": [1]},
    {"outcome": "allow", "remember": {"type": "addRules", "rules": [{"toolName": "Everything"}]}},
    {"outcome": "allow", "message": 7},
    {"outcome": "allow", "interrupt": "no"},
    {"outcome": "allow", "always": True},
]
"""Answers of no form that the contract knows."""


async def test_an_answer_of_no_known_form_counts_as_deny(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        for answer in INVALID:
            turn_id, (question,) = await ask(daemon, session_id)
            await daemon.reply(question["id"], answer)
            assert (answer, (await end_of(daemon, turn_id))["result"]) == (answer, "Then I will not.")
            assert resolved(daemon, turn_id) == [("deny", "parent")]


async def test_an_error_for_an_answer_counts_as_deny(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        for error in ({"code": -32601, "message": "what?"}, {}, "text", 7):
            turn_id, (question,) = await ask(daemon, session_id)
            await daemon.send({"jsonrpc": "2.0", "id": question["id"], "error": error})
            assert (error, (await end_of(daemon, turn_id))["result"]) == (error, "Then I will not.")


async def test_an_answer_without_a_result_or_without_its_version_counts_as_deny(
    daemon: Daemon, workspace: Path
) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        for answer in ({"jsonrpc": "2.0"}, {"result": {"outcome": "allow"}}):
            for as_batch in (False, True):
                turn_id, (question,) = await ask(daemon, session_id)
                broken = {**answer, "id": question["id"]}
                await daemon.send([broken] if as_batch else broken)
                assert (await end_of(daemon, turn_id))["result"] == "Then I will not."


@pytest.mark.spec("1.7")
async def test_only_the_first_answer_counts_and_answers_to_nothing_are_ignored(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        for stray in (None, 10**9, "x", 1.5):
            await daemon.reply(stray, {"outcome": "deny"})
        await daemon.reply(question["id"], {"outcome": "allow"})
        await daemon.reply(question["id"], {"outcome": "deny"})
        assert (await end_of(daemon, turn_id))["result"] == "Command finished."
        assert resolved(daemon, turn_id) == [("allow", "parent")]


async def test_an_answer_may_come_in_a_batch(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "two_permissions") as session_id:
        turn_id, questions = await ask(daemon, session_id, count=2)
        answers = [{"jsonrpc": "2.0", "id": each["id"], "result": {"outcome": "allow"}} for each in questions]
        await daemon.send([*answers, {"jsonrpc": "2.0", "id": "beside", "method": "list_sessions"}])
        assert (await end_of(daemon, turn_id))["result"] == "Read both."


async def test_a_deny_may_end_the_turn_as_well(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "tool_allowed") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        await daemon.reply(question["id"], {"outcome": "deny", "interrupt": True})
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        assert resolved(daemon, turn_id) == [("deny", "parent")]


async def test_an_interrupt_takes_open_questions_back(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "two_permissions") as session_id:
        turn_id, questions = await ask(daemon, session_id, count=2)
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        assert resolved(daemon, turn_id) == [("cancelled", "interrupt")] * 2
        await taken_back(daemon, *questions)
        for question in questions:
            await daemon.reply(question["id"], {"outcome": "allow"})
        assert (await daemon.turn(session_id, "hello"))["result"] == "You said: hello"


async def test_a_question_that_the_cli_withdraws_is_taken_back(daemon: Daemon, workspace: Path) -> None:
    async with session_of(daemon, workspace, "withdrawn_permission") as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        ended = await end_of(daemon, turn_id)
        assert ended["stop_reason"] == "end_turn"
        await taken_back(daemon, question)
        assert [outcome for outcome, _ in resolved(daemon, turn_id)] == ["cancelled"]
        await daemon.reply(question["id"], {"outcome": "allow"})
        assert (await daemon.turn(session_id, "hello"))["result"] == "You said: hello"


async def test_a_stop_takes_open_questions_back(daemon: Daemon, workspace: Path) -> None:
    session_id = await daemon.start_session(workspace, config=mocked("two_permissions"))
    turn_id, questions = await ask(daemon, session_id, count=2)
    await daemon.request("stop_session", session_id=session_id)
    assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
    await taken_back(daemon, *questions)


async def test_a_cli_that_dies_takes_its_questions_with_it(daemon: Daemon, tmp_path: Path) -> None:
    tool: Json = {"tool": "Bash", "input": {"command": "x"}, "ask": True, "during": [{"crash": "SIGKILL"}]}
    other: Json = {"tool": "Read", "input": {"file_path": "x"}, "ask": True}
    path = write_scenario(tmp_path, {"turn": [tool, other], "asks": "together"})
    async with session_of(daemon, tmp_path, path) as session_id:
        turn_id, questions = await ask(daemon, session_id, count=2)
        await daemon.reply(questions[0]["id"], {"outcome": "allow"})
        assert (await end_of(daemon, turn_id))["error"]["kind"] == "process_exited"
        await taken_back(daemon, questions[1])
        assert resolved(daemon, turn_id)[0] == ("allow", "parent")


async def test_no_answer_within_the_timeout_counts_as_deny(workspace: Path) -> None:
    async with mock_daemon("--permission-timeout", "0.3", scenario="two_permissions") as daemon:
        session_id = await daemon.start_session(workspace)
        turn_id, questions = await ask(daemon, session_id, count=2)
        assert (await end_of(daemon, turn_id))["result"] == "Read both."
        assert resolved(daemon, turn_id) == [("deny", "timeout")] * 2
        await taken_back(daemon, *questions)


async def test_plan_mode_changes_nothing_and_asks_nobody_about_it(daemon: Daemon, tmp_path: Path) -> None:
    write: Json = {"tool": "Write", "input": {"file_path": "x"}, "ask": "always", "output": "written"}
    read: Json = {"tool": "Read", "input": {"file_path": "x"}, "ask": "always", "output": "text"}
    plan: Json = {"tool": "ExitPlanMode", "input": {"plan": "1. Write"}, "ask": "always", "output": "approved"}
    path = write_scenario(tmp_path, {"turn": [write, {"text": "So be it."}, read, {"text": "Now."}, plan]})
    async with session_of(daemon, tmp_path, path, runtime_mode="plan") as session_id:
        turn_id, (first,) = await ask(daemon, session_id)
        assert (first["params"]["tool_name"], first["params"]["kind"]) == ("Read", "read")
        seen = len(daemon.questions)
        await daemon.reply(first["id"], {"outcome": "allow"})
        second = await daemon.wait_question(after=seen)
        assert (second["params"]["kind"], second["params"]["input"]) == ("plan", {"plan": "1. Write"})
        await daemon.reply(second["id"], {"outcome": "allow"})
        await end_of(daemon, turn_id)
        assert resolved(daemon, turn_id) == [("deny", "mode"), ("allow", "parent"), ("allow", "parent")]
        await daemon.wait_event("session_updated", session_id=session_id, runtime_mode="supervised")


@pytest.mark.spec("7.9")
async def test_a_call_that_is_allowed_after_plan_mode_has_begun_is_denied_by_it(daemon: Daemon, tmp_path: Path) -> None:
    write: Json = {"tool": "Write", "input": {"file_path": "x"}, "ask": "always", "output": "written"}
    read: Json = {"tool": "Read", "input": {"file_path": "x"}, "ask": "always", "output": "text"}
    path = write_scenario(tmp_path, {"turn": [write, {"text": "So be it."}, read, {"text": "Now."}]})
    async with session_of(daemon, tmp_path, path) as session_id:
        turn_id, (first,) = await ask(daemon, session_id)
        await daemon.request("set_runtime_mode", session_id=session_id, runtime_mode="plan")
        seen = len(daemon.questions)
        await daemon.reply(first["id"], {"outcome": "allow"})
        second = await daemon.wait_question(after=seen)
        await daemon.reply(second["id"], {"outcome": "allow"})
        await end_of(daemon, turn_id)
        assert resolved(daemon, turn_id) == [("deny", "mode"), ("allow", "parent")]


@pytest.mark.spec("7.8")
async def test_a_question_of_the_agent_is_answered_in_the_updated_input(workspace: Path, tmp_path: Path) -> None:
    asked = {"questions": [{"question": "Tabs or spaces?", "options": [{"label": "Tabs"}, {"label": "Spaces"}]}]}
    tool: Json = {"tool": "AskUserQuestion", "input": asked, "ask": "always", "output": "${input.answers}"}
    cli = RecordedCli(tmp_path, write_scenario(tmp_path, {"turn": [tool]}))
    async with mock_daemon(cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        turn_id, (question,) = await ask(daemon, session_id)
        assert (question["params"]["kind"], question["params"]["input"]) == ("question", asked)
        answers = {"Tabs or spaces?": "Spaces"}
        await daemon.reply(question["id"], {"outcome": "allow", "updated_input": {**asked, "answers": answers}})
        await end_of(daemon, turn_id)
    (told,) = cli.told()
    (answer,) = [line["response"]["response"] for line in told if line["type"] == "control_response"]
    assert (answer["behavior"], answer["updatedInput"]["answers"]) == ("allow", answers)


@pytest.mark.spec("7.5")
async def test_an_interrupt_takes_a_question_back_even_where_the_cli_does_not(daemon: Daemon, tmp_path: Path) -> None:
    request: Json = {
        "subtype": "can_use_tool",
        "tool_name": "Bash",
        "input": {"command": "ls"},
        "tool_use_id": "toolu_1",
    }
    began: Json = {"type": "command_lifecycle", "command_uuid": "$message", "state": "started"}
    done: Json = {"subtype": "error_during_execution", "is_error": True, "terminal_reason": "aborted_tools"}
    interrupt: Json = {"type": "control_request", "request_id": "$id", "request": {"subtype": "interrupt"}}
    steps: list[Json] = [
        {"expect": {"type": "user", "uuid": "$message"}},
        {"reply": [began, {"type": "control_request", "request_id": "q1", "request": request}]},
        {"expect": interrupt},
        {
            "reply": [
                {"type": "control_response", "response": {"subtype": "success", "request_id": "$id"}},
                {"type": "result", **done},
            ]
        },
        {"turn": [{"text": "Still here."}]},
    ]
    scenario = write_scenario(tmp_path, *steps, on={"interrupt": "queue"})
    async with session_of(daemon, tmp_path, scenario) as session_id:
        turn_id, (question,) = await ask(daemon, session_id)
        assert await daemon.request("interrupt", session_id=session_id) == {"interrupted": True}
        await taken_back(daemon, question)
        assert resolved(daemon, turn_id) == [("cancelled", "interrupt")]
        assert (await end_of(daemon, turn_id))["stop_reason"] == "interrupted"
        await daemon.reply(question["id"], {"outcome": "allow"})
        turn_id, _ = await ask(daemon, session_id, count=0)
        assert (await end_of(daemon, turn_id))["result"] == "Still here."
