"""Prompts and what is told of their turns, with the mock CLI: order, cancelling, failing, queueing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.acp import scenario
from tests.acp.editor import ALL_CAPABILITIES, Editor, choose, run_editor
from tests.support.daemon import RpcError
from tests.support.mock_daemon import MOCK, RecordedCli, mock_environment, write_scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """As in the other tests, for a daemon that several tests share."""
    return "asyncio"


@pytest.fixture(scope="module")
async def editor(anyio_backend: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Editor]:
    """One editor for all tests; each has its session."""
    folder = tmp_path_factory.mktemp("acp")
    environment = mock_environment(scenario.write(folder), "acp-turns", str(folder))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        await editor.request("session/list")  # answered with all of the daemon there: its guardian is no test's child
        yield editor


@pytest.fixture
async def session(editor: Editor, workspace: Path) -> AsyncIterator[str]:
    """A session for a test; its id."""
    id = await editor.new(workspace)
    await editor.wait_update("available_commands_update", after=editor.heard - 1)
    yield id
    await editor.request("session/close", sessionId=id)


async def test_a_turn_is_told_by_chunks_and_all_of_them_come_before_the_answer(editor: Editor, session: str) -> None:
    start = editor.heard
    assert await editor.prompt(session, "hello") == "end_turn"
    answered = next(at for at, each in enumerate(editor.daemon.messages[start:]) if each.get("id"))
    assert editor.text(after=start) == "Hello there."
    assert editor.text("agent_thought_chunk", after=start) == "Politely."
    assert [each for each in editor.daemon.messages[start + answered + 1 :] if each.get("method")] == []
    chunks = editor.updates("agent_message_chunk", after=start)
    assert len({chunk["messageId"] for chunk in chunks}) == 2


async def test_nothing_is_said_of_a_session_before_its_answer_and_its_commands_come_right_after(
    editor: Editor, workspace: Path
) -> None:
    start = editor.heard
    session = await editor.new(workspace)
    update = await editor.wait_update("available_commands_update", after=start)
    first = next(each for each in editor.daemon.messages[start:] if "sessionId" in str(each))
    assert first["result"]["sessionId"] == session
    assert {"name", "description"} <= set(update["availableCommands"][0])
    await editor.request("session/close", sessionId=session)


async def test_a_tool_call_is_announced_asked_for_run_and_completed(editor: Editor, session: str) -> None:
    start, asked = editor.heard, len(editor.questions)
    prompt = await editor.post_prompt(session, "run")
    question = await editor.wait_question("session/request_permission", after=asked)
    call = question["params"]["toolCall"]
    assert (call["toolCallId"], call["title"], call["kind"], call["status"]) == (
        "call_run",
        "make test",
        "execute",
        "pending",
    )
    kinds = [option["kind"] for option in question["params"]["options"]]
    assert kinds == ["allow_once", "allow_always", "reject_once", "reject_always"]
    await editor.answer(question, choose("allow")({}))
    assert await editor.response(prompt) == {"stopReason": "end_turn"}
    told = [each for each in editor.updates(after=start) if each.get("toolCallId") == "call_run"]
    assert told[0]["sessionUpdate"] == "tool_call"
    assert [each["status"] for each in told] == ["pending", "pending", "in_progress", "completed"]
    assert told[-1]["content"][0]["content"]["text"] == "```console\nok\n```"
    assert editor.text(after=start) == "I run it. It ran."


async def test_a_rejected_tool_call_fails_and_the_turn_goes_on(editor: Editor, session: str) -> None:
    start, asked = editor.heard, len(editor.questions)
    prompt = await editor.post_prompt(session, "run")
    question = await editor.wait_question("session/request_permission", after=asked)
    await editor.answer(question, choose("reject")({}))
    assert await editor.response(prompt) == {"stopReason": "end_turn"}
    assert (await editor.wait_update("tool_call_update", after=start, status="failed"))["toolCallId"] == "call_run"
    assert "Not run" in editor.text(after=start)


async def test_what_is_rejected_for_good_is_not_asked_again_in_the_session(editor: Editor, session: str) -> None:
    asked = len(editor.questions)
    prompt = await editor.post_prompt(session, "run")
    question = await editor.wait_question("session/request_permission", after=asked)
    await editor.answer(question, choose("reject-always")({}))
    await editor.response(prompt)
    start = editor.heard
    assert await editor.prompt(session, "run") == "end_turn"
    assert len(editor.questions) == asked + 1
    assert "Not run" in editor.text(after=start)


async def test_an_answer_that_names_no_option_runs_nothing_and_stops_the_turn(editor: Editor, session: str) -> None:
    nonsense = {"outcome": {"outcome": "selected", "optionId": "nonsense"}}
    answers: list[object] = [{}, {"outcome": {}}, nonsense, "yes", None, 5]
    for answer in answers:
        start, asked = editor.heard, len(editor.questions)
        prompt = await editor.post_prompt(session, "run")
        question = await editor.wait_question("session/request_permission", after=asked)
        await editor.answer(question, answer)
        assert await editor.response(prompt) == {"stopReason": "cancelled"}
        assert "It ran" not in editor.text(after=start)


async def test_an_error_for_an_answer_runs_nothing(editor: Editor, session: str) -> None:
    start, asked = editor.heard, len(editor.questions)
    prompt = await editor.post_prompt(session, "run")
    question = await editor.wait_question("session/request_permission", after=asked)
    await editor.send({"jsonrpc": "2.0", "id": question["id"], "error": {"code": -32601, "message": "no"}})
    assert await editor.response(prompt) == {"stopReason": "end_turn"}
    assert "Not run" in editor.text(after=start)


async def test_cancelling_takes_the_question_back_fails_the_call_and_answers_cancelled(
    editor: Editor, session: str
) -> None:
    start, asked = editor.heard, len(editor.questions)
    prompt = await editor.post_prompt(session, "run")
    question = await editor.wait_question("session/request_permission", after=asked)
    await editor.notify("session/cancel", sessionId=session)
    assert await editor.response(prompt) == {"stopReason": "cancelled"}
    taken_back = {"jsonrpc": "2.0", "method": "$/cancel_request", "params": {"requestId": question["id"]}}
    assert taken_back in editor.daemon.messages[start:]
    assert (await editor.wait_update("tool_call_update", after=start, status="failed"))["toolCallId"] == "call_run"
    await editor.answer(question, {"outcome": {"outcome": "cancelled"}})
    assert await editor.prompt(session, "hello") == "end_turn"


async def test_cancelling_means_the_waiting_prompts_too_and_each_is_answered(editor: Editor, session: str) -> None:
    start = editor.heard
    prompts = [await editor.post_prompt(session, text) for text in ("wait", "hello", "hello")]
    await editor.wait_update("tool_call", after=start)
    await editor.notify("session/cancel", sessionId=session)
    assert [await editor.response(prompt) for prompt in prompts] == [{"stopReason": "cancelled"}] * 3
    assert "Hello" not in editor.text(after=start)


async def test_a_prompt_that_is_taken_back_as_a_request_is_answered_as_cancelled(editor: Editor, session: str) -> None:
    start = editor.heard
    prompt = await editor.post_prompt(session, "wait")
    await editor.wait_update("tool_call", after=start)
    await editor.notify("$/cancel_request", requestId=prompt)
    assert await editor.response(prompt) == {"stopReason": "cancelled"}


async def test_prompts_queue_in_their_order(editor: Editor, session: str) -> None:
    start = editor.heard
    prompts = [await editor.post_prompt(session, text) for text in ("first", "second", "third")]
    for prompt in prompts:
        assert await editor.response(prompt) == {"stopReason": "end_turn"}
    assert editor.text(after=start) == "You said: firstYou said: secondYou said: third"


async def test_cancelling_with_nothing_to_cancel_is_harmless(editor: Editor, session: str) -> None:
    await editor.notify("session/cancel", sessionId=session)
    await editor.notify("session/cancel", sessionId="nobody")
    await editor.notify("$/cancel_request", requestId="nothing")
    await editor.notify("$/cancel_request")
    assert await editor.prompt(session, "hello") == "end_turn"


async def test_an_edit_shows_its_difference_and_its_place(editor: Editor, session: str) -> None:
    start = editor.heard
    await editor.prompt(session, "edit")
    update = await editor.wait_update("tool_call_update", after=start, title="Edit /w/a.txt")
    assert update["content"] == [{"type": "diff", "path": "/w/a.txt", "oldText": "one", "newText": "two"}]
    assert update["locations"] == [{"path": "/w/a.txt"}]


async def test_a_plan_is_told_whole_and_the_tool_behind_it_is_not_shown(editor: Editor, session: str) -> None:
    start = editor.heard
    await editor.prompt(session, "todo")
    assert editor.updates("plan", after=start)[0]["entries"] == [
        {"content": "Look", "priority": "medium", "status": "completed"},
        {"content": "Mend", "priority": "medium", "status": "in_progress"},
    ]
    assert editor.updates("tool_call", after=start) == []


async def test_a_failed_turn_is_an_error_and_the_session_lives_on(editor: Editor, session: str) -> None:
    with pytest.raises(RpcError) as failure:
        await editor.prompt(session, "broke")
    assert (failure.value.code, failure.value.data["kind"]) == (-32603, "api_error")
    assert "529" in failure.value.message
    with pytest.raises(RpcError) as refused:
        await editor.prompt(session, "login")
    assert refused.value.code == -32000
    assert await editor.prompt(session, "hello") == "end_turn"


async def test_a_line_to_the_editor_never_passes_its_limit(editor: Editor, session: str) -> None:
    editor.answers["session/request_permission"] = choose("allow")
    assert await editor.prompt(session, "huge") == "end_turn"
    assert "characters left out" in editor.questions[-1]["params"]["toolCall"]["rawInput"]["content"]
    start = editor.heard
    await editor.prompt(session, "long")
    ended = await editor.wait_update("tool_call_update", after=start, status="completed")
    assert "characters left out" in ended["rawOutput"]
    assert ended["rawOutput"].startswith("y\ny\n")
    assert ended["rawOutput"].endswith("y\n")


async def test_commands_that_would_end_the_editors_session_are_refused_in_words(editor: Editor, session: str) -> None:
    for command, word in (("/clear", "new session"), (" /reset now", "new session"), ("/login", "terminal")):
        start = editor.heard
        assert await editor.prompt(session, command) == "end_turn"
        assert word in editor.text(after=start)


async def test_commands_that_set_an_option_are_the_option_and_others_reach_the_agent(
    editor: Editor, session: str
) -> None:
    start = editor.heard
    assert await editor.prompt(session, "/model mock-large") == "end_turn"
    assert await editor.prompt(session, "/effort low") == "end_turn"
    options = editor.updates("config_option_update", after=start)[-1]["configOptions"]
    assert [option["currentValue"] for option in options][1:] == ["mock-large", "low"]
    start = editor.heard
    for text in ("/effort", "/effort nonsense", "/model my own", "/clearly not"):
        assert await editor.prompt(session, text) == "end_turn"
        assert editor.text(after=start).endswith(f"You said: {text}")


async def test_a_prompt_whose_cli_dies_is_answered_and_the_next_one_brings_the_conversation_back(
    workspace: Path, tmp_path: Path
) -> None:
    cli = RecordedCli(tmp_path, scenario.write(tmp_path))
    environment = mock_environment("default", "acp-crash", str(tmp_path))
    async with run_editor("--claude-path", str(cli.path), env=environment, capabilities={}) as editor:
        session = await editor.new(workspace)
        assert await editor.prompt(session, "hello") == "end_turn"
        with pytest.raises(RpcError) as failure:
            await editor.prompt(session, "crash")
        assert failure.value.data["kind"] == "process_exited"
        assert await editor.prompt(session, "hello again") == "end_turn"
    first, second = cli.arguments()
    assert "--resume" not in first
    assert second[second.index("--resume") + 1] == session


async def test_an_idle_session_that_was_ended_comes_back_with_the_next_prompt(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, scenario.write(tmp_path))
    environment = mock_environment("default", "acp-idle", str(tmp_path))
    flags = ["--claude-path", str(cli.path), "--max-sessions", "1"]
    async with run_editor(*flags, env=environment, capabilities={}) as editor:
        first = await editor.new(workspace)
        await editor.prompt(first, "hello")
        await editor.request("session/set_mode", sessionId=first, modeId="plan")
        untouched = await editor.new(workspace)  # evicts the first one, and is evicted by it before it was used
        prompt = await editor.post_prompt(first, "once more")
        await editor.request("session/set_mode", sessionId=first, modeId="plan")
        assert await editor.response(prompt) == {"stopReason": "end_turn"}
        assert await editor.prompt(untouched, "at last") == "end_turn"
    commands = cli.arguments()
    assert [("--resume" in each) for each in commands] == [False, False, True, False]
    assert commands[2][commands[2].index("--permission-mode") + 1] == "plan"


async def test_a_prompt_waits_for_the_agents_that_it_left_in_the_background(workspace: Path, tmp_path: Path) -> None:
    environment = mock_environment(write_scenario(tmp_path, *scenario.DELEGATION), "acp-agents", str(tmp_path))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        session = await editor.new(workspace)
        assert await editor.prompt(session, "delegate") == "end_turn"
        assert editor.text() == "It looks around.It found a tree."
        statuses = [each["status"] for each in editor.updates() if each.get("toolCallId") == "call_agent"]
        assert statuses == ["pending", "pending", "in_progress", "completed"]
        assert await editor.prompt(session, "hello") == "end_turn"


async def test_a_turn_that_nobody_asked_for_is_told_outside_of_a_prompt(workspace: Path, tmp_path: Path) -> None:
    environment = mock_environment("background_turn", "acp-background", str(tmp_path))
    flags = ("--claude-path", str(MOCK))
    async with run_editor(*flags, env=environment, capabilities={}, background=True) as editor:
        session = await editor.new(workspace)
        await editor.prompt(session, "go")
        await editor.daemon.wait_for(lambda _: "The background command is done." in editor.text())


async def test_the_daemons_end_answers_the_running_prompt_and_leaves_nothing(workspace: Path, tmp_path: Path) -> None:
    environment = mock_environment(scenario.write(tmp_path), "acp-end", str(tmp_path))
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities={}) as editor:
        session = await editor.new(workspace)
        prompt = await editor.post_prompt(session, "wait")
        await editor.wait_update("tool_call")
    answer = next(each for each in editor.daemon.messages if each.get("id") == prompt)
    assert answer["result"] == {"stopReason": "cancelled"}


@pytest.mark.parametrize("notices", [True, False])
async def test_a_terminal_is_shown_and_notices_go_where_the_editor_has_a_place_for_them(
    workspace: Path, tmp_path: Path, notices: bool
) -> None:
    environment = mock_environment(scenario.write(tmp_path), "acp-terminal", str(tmp_path))
    capabilities: Json = {"_meta": {"terminal_output": True}, **(ALL_CAPABILITIES if notices else {})}
    async with run_editor("--claude-path", str(MOCK), env=environment, capabilities=capabilities) as editor:
        session = await editor.new(workspace)
        await editor.prompt(session, "fail")
        call, *updates = [each for each in editor.updates() if each.get("toolCallId") == "call_fail"]
    assert call["content"] == [{"type": "terminal", "terminalId": "call_fail"}]
    assert call["_meta"]["terminal_info"]["terminal_id"] == "call_fail"
    assert [
        each["_meta"]["terminal_output"]["data"] for each in updates if "terminal_output" in each.get("_meta", {})
    ] == ["exit 1"]
    assert updates[-1]["_meta"]["terminal_exit"]["exit_code"] == 1
    assert updates[-1]["status"] == "failed"
