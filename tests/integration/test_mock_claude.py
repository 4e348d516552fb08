"""The mock CLI as a real process: its dialect, permissions, expectations and manners on a command line."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from mock_clis.scenario import PARTS, STEPS, Scenario, shipped
from tests.support.mock_claude import DEADLINE_SECONDS, EXECUTABLE, FLAGS, PROMPT, Json, kinds, running, text_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio


# ---------------------------------------------------------------- the dialect


async def test_a_turn_has_the_order_of_lines_of_the_real_cli() -> None:
    async with running("text_turn") as mock:
        response = (await mock.control("initialize"))["response"]
        assert response["pid"] == mock.process.pid
        assert {"models", "commands", "account", "claude_code_version"} <= response.keys()
        lines = await mock.turn("straße 🌍")
        assert kinds(lines) == ["init", "status", "assistant", "success"]
        events = [line["event"]["type"] for line in lines if line["type"] == "stream_event"]
        assert events[:2] == ["message_start", "content_block_start"]
        assert events[-3:] == ["content_block_stop", "message_delta", "message_stop"]
        assert text_of(lines) == lines[-1]["result"] == "You said: straße 🌍"
        assert lines[-1]["total_cost_usd"] > 0
        assert await mock.end() == 0


async def test_the_shapes_of_lines_match_a_recording_of_the_real_cli() -> None:
    """Every key the mock says in a text turn is one that the recorded CLI said in the same kind of line."""

    def shapes(lines: list[Json]) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for line in lines:
            kind = f"{line['type']}/{line.get('subtype')}/{line.get('event', {}).get('type')}"
            inner = {f"{key}.{sub}" for key, value in line.items() if isinstance(value, dict) for sub in value}
            found.setdefault(kind, set()).update(
                line.keys() | {key for key in inner if not key.startswith("modelUsage")}
            )
        return found

    async with running("replay") as real, running("text_turn") as mock:
        await real.control("initialize")
        await mock.control("initialize")
        recorded, said = shapes(await real.turn()), shapes(await mock.turn())
    assert said.keys() <= recorded.keys()
    for kind, keys in said.items():
        assert keys - recorded[kind] == set(), kind


async def test_model_and_mode_change_for_the_next_turn_and_wrong_ones_are_refused() -> None:
    async with running("text_turn") as mock:
        assert (await mock.control("set_model", model="claude-other"))["response"] == {"model": "claude-other"}
        assert (await mock.control("set_permission_mode", mode="acceptEdits"))["subtype"] == "success"
        assert (await mock.control("set_permission_mode", mode="bogus"))["error_code"] == "invalid_mode"
        assert (await mock.control("set_permission_mode", mode="bypassPermissions"))["subtype"] == "error"
        assert (await mock.control("no_such_thing"))["error_code"] == "unsupported_request"
        init = next(line for line in await mock.turn() if line.get("subtype") == "init")
        assert (init["model"], init["permissionMode"]) == ("claude-other", "acceptEdits")


async def test_an_interrupt_ends_the_turn_and_leaves_the_session_usable() -> None:
    async with running("default") as mock:
        await mock.prompt("make it slow", uuid="11111111-1111-4111-8111-111111111111")
        await mock.until("stream_event")
        assert (await mock.control("interrupt"))["response"] == {"still_queued": []}
        result = (await mock.until("result"))[-1]
        assert (result["subtype"], result["terminal_reason"]) == ("error_during_execution", "aborted_streaming")
        assert result["user_message_uuids"] == ["11111111-1111-4111-8111-111111111111"]
        assert (await mock.turn("help"))[-1]["is_error"] is False
        assert await mock.end() == 0


async def test_an_interrupt_while_a_question_is_open_withdraws_it() -> None:
    async with running("tool_allowed") as mock:
        await mock.prompt()
        question = (await mock.until("control_request"))[-1]
        await mock.send({"type": "control_request", "request_id": 7, "request": {"subtype": "interrupt"}})
        seen = await mock.until("result")
        said = [line["type"] for line in seen if line["type"] != "stream_event"]
        assert said == ["control_cancel_request", "control_response", "user", "user", "result"]
        assert (seen[-1]["terminal_reason"], seen[-1]["is_error"]) == ("aborted_tools", True)
        await mock.answer(question, behavior="allow", updatedInput={})
        assert await mock.end() == 1


async def test_sigint_aborts_the_turn_with_a_result_and_exits_zero_and_sigterm_gives_143() -> None:
    async with running("hang_mid_turn") as mock:
        await mock.control("initialize")
        mock.process.send_signal(signal.SIGTERM)
        assert await mock.process.wait() == 143
    async with running("ignore_interrupt") as mock:
        await mock.prompt()
        await mock.until("stream_event")
        mock.process.send_signal(signal.SIGINT)
        assert (await mock.until("result"))[-1]["terminal_reason"] == "aborted_streaming"
        assert await mock.process.wait() == 0


async def test_a_repeated_prompt_id_is_dropped_and_the_way_of_a_prompt_is_reported() -> None:
    async with running("text_turn") as mock:
        await mock.prompt("one", uuid="a")
        states = [line["state"] for line in await mock.until("result") if line["type"] == "command_lifecycle"]
        assert states == ["queued", "started"]
        assert (await mock.until("command_lifecycle"))[-1]["state"] == "completed"
        await mock.prompt("one again", uuid="a")
        assert (await mock.turn("two"))[-1]["result"] == "You said: two"


# ---------------------------------------------------------------- permissions


async def test_an_allowed_tool_runs_with_the_updated_input_and_a_denied_one_says_why() -> None:
    async with running("default") as mock:
        await mock.prompt("run it")
        question = (await mock.until("control_request"))[-1]
        assert question["request"]["tool_name"] == "Bash"
        rule = question["request"]["permission_suggestions"][0]
        await mock.answer(question, behavior="deny", message="not today")
        lines = await mock.until("result")
        assert "not today" in text_of(lines)
        assert lines[-1]["permission_denials"][0]["tool_name"] == "Bash"
        await mock.prompt("run it")
        question = (await mock.until("control_request"))[-1]
        await mock.answer(question, behavior="allow", updatedInput={"command": "ls"}, updatedPermissions=[rule])
        lines = await mock.until("result")
        output = next(line for line in lines if line["type"] == "user")["message"]["content"][0]
        assert output["content"] == "(mock) pretended to run: ls"
        assert "control_request" not in kinds(await mock.turn("run it once more"))


async def test_two_questions_are_open_at_once_and_answered_in_any_order() -> None:
    async with running("two_permissions") as mock:
        await mock.prompt()
        first = (await mock.until("control_request"))[-1]
        second = (await mock.until("control_request"))[-1]
        await mock.answer(second, behavior="allow", updatedInput={})
        output = (await mock.until("user"))[-1]["message"]["content"][0]
        assert output["tool_use_id"] == second["request"]["tool_use_id"] == "toolu_second"
        await mock.answer(first, behavior="deny", message="no", interrupt=True)
        assert (await mock.until("result"))[-1]["terminal_reason"] == "aborted_tools"


async def test_parallel_tools_ask_one_after_the_other() -> None:
    async with running("parallel_tools") as mock:
        await mock.prompt()
        for expected in ("one", "two"):
            lines = await mock.until("control_request")
            await mock.answer(lines[-1], behavior="allow", updatedInput=lines[-1]["request"]["input"])
            assert (await mock.until("user"))[-1]["message"]["content"][0]["content"] == expected
        assert (await mock.until("result"))[-1]["result"] == "Both done."


async def test_a_withdrawn_question_needs_no_answer() -> None:
    async with running("withdrawn_permission") as mock:
        await mock.prompt()
        question = (await mock.until("control_request"))[-1]
        withdrawal = (await mock.until("control_cancel_request"))[-1]
        assert withdrawal["request_id"] == question["request_id"]
        await mock.answer(question, behavior="allow", updatedInput={})
        assert (await mock.until("result"))[-1]["result"] == "Never mind."


async def test_modes_that_do_not_ask_are_respected() -> None:
    async with running("tool_allowed", "--permission-mode", "bypassPermissions") as mock:
        assert (await mock.turn())[-1]["result"] == "Command finished."
    async with running("tool_allowed", "--permission-mode", "dontAsk") as mock:
        lines = await mock.turn()
        assert "permission_denied" in kinds(lines)
        assert lines[-1]["result"] == "Then I will not."


# ---------------------------------------------------------------- expectations and mistakes


async def test_expect_captures_values_that_replies_repeat(tmp_path: Path) -> None:
    steps: list[Json] = [
        {
            "expect": {
                "type": "control_request",
                "request_id": "$id",
                "request": {"subtype": "x", "n": {"$any_of": [1, 2]}},
            }
        },
        {
            "reply": {
                "type": "control_response",
                "response": {"request_id": "$id", "text": "id is ${id}", "none": "$line.k"},
            }
        },
    ]
    async with running(steps, tmp_path=tmp_path) as mock:
        await mock.send(
            {"type": "control_request", "k": None, "request_id": {"odd": 1}, "request": {"subtype": "x", "n": 2}}
        )
        response = (await mock.until("control_response"))[-1]["response"]
        assert response == {"request_id": {"odd": 1}, "text": 'id is {"odd": 1}', "none": None}
        assert await mock.end() == 0


async def test_an_unexpected_line_ends_the_mock_with_3_and_shows_the_difference(tmp_path: Path) -> None:
    pattern = {"type": "user", "message": {"content": {"$regex": "^please"}}, "priority": "now"}
    async with running([{"expect": pattern}], tmp_path=tmp_path) as mock:
        await mock.prompt("give me that")
        assert await mock.process.wait() == 3
        await mock.said("differences")
        said = mock.errors
        assert "steps[0]: unexpected input" in said
        assert 'line.message.content: expected text like /^please/, got "give me that"' in said
        assert 'line.priority: expected "now", but it is missing' in said


async def test_a_prompt_after_the_last_step_or_an_end_before_a_required_line_is_unexpected(tmp_path: Path) -> None:
    async with running([{"turn": [{"text": "hi"}]}], tmp_path=tmp_path) as mock:
        await mock.turn()
        await mock.prompt("one too many")
        assert await mock.process.wait() == 3
    async with running([{"expect": {"type": "user"}, "required": True}], tmp_path=tmp_path) as mock:
        assert await mock.end() == 3
    async with running(
        {"settings": {"prompts_while_busy": "refuse"}, "steps": [{"turn": [{"text": "x"}, {"delay_ms": 9000}]}]},
        tmp_path=tmp_path,
    ) as mock:
        await mock.prompt("one")
        await mock.until("assistant")
        await mock.prompt("two at once")
        assert await mock.process.wait() == 3


@pytest.mark.parametrize(
    ("steps", "complaint"),
    [
        ([{"turn": [{"txet": "hi"}]}], "steps[0].turn[0]: no step of that name: txet (did you mean 'text'?)"),
        ([{"loop": [{"delay_ms": "1"}]}], "steps[0].loop[0].delay_ms: expected a number"),
        ([{"text": "hi"}], "'text' belongs inside a 'turn'"),
        ([{"hang": True, "secnods": 3}], "'hang' has no option 'secnods' (did you mean 'seconds'?)"),
        ([{"reply": {"type": "$nobody"}}], "nothing is known by the name $nobody"),
        ([{"replay": "missing.jsonl"}], "missing.jsonl is not a recording"),
        ([{"crash": "SIGNOTHING"}], "expected an exit code or a signal's name"),
    ],
)
async def test_a_mistake_in_a_scenario_ends_the_mock_with_2_and_says_where(
    steps: list[Json], complaint: str, tmp_path: Path
) -> None:
    async with running(steps, tmp_path=tmp_path) as mock:
        assert await mock.process.wait() == 2
        await mock.said(complaint)


async def test_a_broken_line_ends_the_mock_with_1_as_it_ends_the_real_cli() -> None:
    async with running("text_turn") as mock:
        assert mock.process.stdin is not None
        await mock.process.stdin.send(b"\n   \n[1]\n{broken\n")
        assert await mock.process.wait() == 1
        await mock.said("Error parsing streaming input line (type=unknown, 7 chars): SyntaxError")


async def test_control_requests_follow_the_scenarios_wishes(tmp_path: Path) -> None:
    scenario = {
        "on": {
            "set_model": {"error": "no such model"}, "mcp_status": {"response": {"mcpServers": ["${version}"]}},
            "odd": {"steps": [{"reply": {"type": "seen", "id": "$request_id"}}]}, "get_usage": "ignore",
            "wait": "queue",
        },
        "steps": [{"expect": {"type": "control_request", "request": {"subtype": "wait"}}}, {"exit": 7}],
    }  # fmt: skip
    async with running(scenario, tmp_path=tmp_path) as mock:
        assert (await mock.control("set_model", model="x"))["error"] == "no such model"
        await mock.send({"type": "control_request", "request_id": 1, "request": {"subtype": "get_usage"}})
        assert (await mock.control("mcp_status"))["response"] == {"mcpServers": ["2.1.329"]}
        await mock.send({"type": "control_request", "request_id": 2, "request": {"subtype": "odd"}})
        assert (await mock.until("seen"))[-1]["id"] == 2
        await mock.send({"type": "control_request", "request_id": 3, "request": {"subtype": "wait"}})
        assert await mock.process.wait() == 7


# ---------------------------------------------------------------- the command line


def run_mock(*arguments: str, stdin: bytes = b"", **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run the executable by its absolute path, with nothing installed and nothing in the environment but PATH."""
    return subprocess.run(
        [sys.executable, str(EXECUTABLE), *arguments],
        input=stdin, env={"PATH": "/usr/bin:/bin", **environment}, cwd="/", capture_output=True,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip


def test_version_and_login_are_told_as_the_real_cli_tells_them() -> None:
    assert run_mock("--version").stdout == b"2.1.329 (Claude Code mock)\n"
    told = run_mock("auth", "status")
    assert (told.returncode, json.loads(told.stdout)["loggedIn"]) == (0, True)
    for refused in (
        run_mock("auth", "status", MOCK_CLAUDE_LOGGED_IN="0"),
        run_mock("auth", "status", MOCK_CLAUDE_SCENARIO="not_logged_in"),
    ):
        assert (refused.returncode, json.loads(refused.stdout)["authMethod"]) == (1, "none")


def test_flags_of_the_real_cli_are_accepted_and_others_are_not() -> None:
    many = (
        "--resume 11111111-1111-4111-8111-111111111111 --fork-session --model m --permission-mode plan --max-turns 3 "
        '--append-system-prompt x --system-prompt= --add-dir a b --settings {} --mcp-config {"mcpServers":{"s":{}}} '
        "--allowedTools Bash --disallowedTools Write,Edit --effort low --json-schema {} --setting-sources= -p "
        "--max-budget-usd 1 --debug-file /dev/null --strict-mcp-config --resume-session-at u --thinking disabled"
    )
    accepted = run_mock("--scenario", "text_turn", *FLAGS, *many.split(), stdin=PROMPT)
    init = next(json.loads(line) for line in accepted.stdout.splitlines() if b'"init"' in line)
    assert (accepted.returncode, init["model"], init["mcp_servers"][0]["name"]) == (0, "m", "s")
    assert "Write" not in init["tools"]
    assert init["session_id"] != "11111111-1111-4111-8111-111111111111"
    refusals = {
        ("--wobble",): b"error: unknown option '--wobble'",
        ("--input-format", "stream-json"): b"requires output-format=stream-json",
        (*FLAGS, "--session-id", "x"): b"Invalid session ID",
        (*FLAGS, "--session-id", "11111111-1111-4111-8111-111111111111", "--resume", "y"): b"--fork-session",
        (*FLAGS, "--mcp-config", "nowhere.json"): b"Invalid MCP configuration",
        ("--model",): b"argument missing",
    }
    for arguments, words in refusals.items():
        refused = run_mock(*arguments)
        assert refused.returncode == 1
        assert words in refused.stderr


def test_a_session_keeps_its_id_when_it_is_resumed_and_a_refused_resume_says_so() -> None:
    known = "22222222-2222-4222-8222-222222222222"
    for flag in ("--session-id", "--resume"):
        said = run_mock("--scenario", "text_turn", *FLAGS, flag, known, stdin=PROMPT)
        assert json.loads(said.stdout.splitlines()[-1])["session_id"] == known
    refused = run_mock("--scenario", "resume_refused", *FLAGS, "--resume", known, stdin=PROMPT)
    assert (refused.returncode, json.loads(refused.stdout)["num_turns"]) == (1, 0)
    assert b"No conversation found with session ID" in refused.stderr


def test_an_unknown_scenario_is_answered_with_the_known_ones() -> None:
    told = run_mock("--scenario", "nonesuch")
    assert told.returncode == 2
    assert b"text_turn" in told.stderr


def test_without_partial_messages_no_stream_events_are_said() -> None:
    flags = [flag for flag in FLAGS if flag != "--include-partial-messages"]
    said = run_mock("--scenario", "text_turn", *flags, stdin=PROMPT).stdout
    assert b"stream_event" not in said
    assert b'"You said: x"' in said


def test_the_manual_names_every_shipped_scenario_and_step_and_its_example_is_right() -> None:
    manual = (EXECUTABLE.parent / "README.md").read_text()
    for name in [*shipped(), *STEPS, *PARTS]:
        assert f"`{name}`" in manual, name
    example = json.loads(manual.split("```json\n")[1].split("```")[0])
    assert Scenario("README.md", "/", example).steps
