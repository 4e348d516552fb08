"""SPEC.md, sections 2 and 8: starting, finding, listing and ending sessions, and the errors on the way."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import MOCK, RecordedCli, kill, mock_daemon, mocked, wait_gone

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

NOWHERE = "00000000-0000-4000-8000-000000000000"
"""The id of no session."""


async def refusal(daemon: Daemon, method: str, **params: Any) -> RpcError:
    """The error that a request is answered with."""
    with pytest.raises(RpcError) as caught:
        await daemon.request(method, **params)
    return caught.value


async def entries(daemon: Daemon, **params: Any) -> dict[str, Json]:
    """The list of sessions, by their ids."""
    sessions = (await daemon.request("list_sessions", **params))["sessions"]
    return {session["session_id"]: session for session in sessions}


async def test_a_session_has_the_id_that_the_parent_chose_and_only_one_can_have_it(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        id = str(uuid.uuid4())
        config = {"working_dir": str(workspace)}
        started = await daemon.request("start_session", session_id=id, config=config)
        assert (started["session_id"], started["provider"], started["state"]) == (id, "claude", "idle")
        assert psutil.pid_exists(started["pid"])
        assert str(uuid.UUID(started["provider_session_id"])) == started["provider_session_id"]
        again = await refusal(daemon, "start_session", session_id=id, config=config)
        assert (again.code, again.data["errors"][0]["path"]) == (-32602, "session_id")
        await daemon.request("stop_session", session_id=id)
        await wait_gone(started["pid"])


async def test_an_ended_session_can_be_resumed_by_either_id_and_forked(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        first = await daemon.start_session(workspace)
        await daemon.turn(first, "hello")
        theirs = (await entries(daemon))[first]["provider_session_id"]
        held = await refusal(daemon, "start_session", config={"working_dir": str(workspace), "resume": first})
        assert (held.code, held.data["errors"][0]["path"]) == (-32602, "config.resume")
        await daemon.request("stop_session", session_id=first)
        second = await daemon.start_session(workspace, config={"resume": first})
        await daemon.start_session(workspace, config={"resume": theirs, "fork": True})
        await daemon.request("stop_session", session_id=second)
        await daemon.start_session(workspace, config={"resume": theirs})
    resumed = [argv[argv.index("--resume") + 1] for argv in cli.arguments()[1:]]
    assert resumed == [theirs] * 3
    assert ["--fork-session" in argv for argv in cli.arguments()] == [False, False, True, False]


async def test_a_stop_is_answered_the_same_however_often_it_is_asked(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        id = await daemon.start_session(workspace)
        posts = [await daemon.post("stop_session", session_id=id) for _ in range(3)]
        results = [(await daemon.wait_response(post))["result"] for post in posts]
        results.append(await daemon.request("stop_session", session_id=id))
        assert results == [{"exit_code": 0, "signal": None}] * 4
        ended = (await daemon.wait_event("session_ended", session_id=id))["event"]
        assert (ended["reason"], ended["exit_code"], ended["signal"]) == ("stopped", 0, None)


async def test_a_session_that_is_not_there_is_not_found_by_any_method(workspace: Path) -> None:
    calls: list[tuple[str, Json]] = [
        ("send_message", {"message": "x"}),
        ("interrupt", {}),
        ("set_model", {"model": "x"}),
        ("set_runtime_mode", {"runtime_mode": "plan"}),
    ]
    async with mock_daemon() as daemon:
        ended = await daemon.start_session(workspace)
        await daemon.request("stop_session", session_id=ended)
        unknown = await refusal(daemon, "stop_session", session_id=NOWHERE)
        assert (unknown.code, unknown.data["session_id"]) == (-32003, NOWHERE)
        for method, params in calls:
            for id in (NOWHERE, ended):
                error = await refusal(daemon, method, session_id=id, **params)
                assert (method, error.code, error.data["kind"]) == (method, -32003, "session_not_found")
                assert error.data["hint"]


async def test_the_list_holds_the_live_sessions_and_on_request_the_ended_ones(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        ended = await daemon.start_session(workspace, config={"model": "claude-x"})
        await daemon.request("stop_session", session_id=ended)
        busy = await daemon.start_session(workspace, config=mocked("default", delta_ms=100))
        idle = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=busy, message="slow")
        await daemon.wait_event("turn_started", session_id=busy)
        live = await entries(daemon)
        assert {id: entry["state"] for id, entry in live.items()} == {busy: "busy", idle: "idle"}
        everything = await entries(daemon, include_ended=True)
        assert list(everything) == [ended, busy, idle], "oldest first"
        entry = everything[ended]
        assert (entry["state"], entry["pid"], entry["model"], entry["turns"]) == ("ended", None, "claude-x", 0)
        assert everything[idle]["created_at"] <= everything[idle]["last_used_at"]


async def test_at_the_cap_the_session_that_was_idle_for_longest_makes_room(workspace: Path) -> None:
    async with mock_daemon("--max-sessions", "3") as daemon:
        first = await daemon.start_session(workspace)
        second = await daemon.start_session(workspace)
        busy = await daemon.start_session(workspace, config=mocked("default", delta_ms=100))
        await daemon.request("send_message", session_id=busy, message="slow")
        await daemon.turn(first, "hello")
        fourth = await daemon.start_session(workspace)
        assert (await daemon.wait_event("session_ended", session_id=second))["event"]["reason"] == "evicted"
        assert set(await entries(daemon)) == {first, busy, fourth}


async def test_at_the_cap_no_busy_session_is_ended(workspace: Path) -> None:
    async with mock_daemon("--max-sessions", "2") as daemon:
        for _ in range(2):
            id = await daemon.start_session(workspace, config=mocked("default", delta_ms=100))
            await daemon.request("send_message", session_id=id, message="slow")
        error = await refusal(daemon, "start_session", config={"working_dir": str(workspace)})
        assert (error.code, error.data["kind"]) == (-32007, "limit_reached")
        assert "max_sessions" in error.data["hint"]
        assert {entry["state"] for entry in (await entries(daemon)).values()} == {"busy"}


async def test_a_session_that_waits_for_an_answer_is_not_idle(workspace: Path) -> None:
    async with mock_daemon("--max-sessions", "1", scenario="tool_allowed") as daemon:
        id = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=id, message="run")
        await daemon.wait_question()
        assert (await refusal(daemon, "start_session", config={"working_dir": str(workspace)})).code == -32007


async def test_an_idle_session_is_ended_after_its_time_and_a_busy_one_is_not(workspace: Path) -> None:
    async with mock_daemon("--idle-timeout", "0.8", scenario="tool_allowed") as daemon:
        busy = await daemon.start_session(workspace)
        await daemon.request("send_message", session_id=busy, message="run")
        question = await daemon.wait_question()
        idle = await daemon.start_session(workspace)
        assert (await daemon.wait_event("session_ended", session_id=idle))["event"]["reason"] == "idle_timeout"
        assert set(await entries(daemon)) == {busy}
        await daemon.reply(question["id"], {"outcome": "allow"})
        assert (await daemon.wait_event("session_ended", session_id=busy))["event"]["reason"] == "idle_timeout"


async def test_a_cli_that_is_not_installed_is_an_error_with_a_hint(workspace: Path, tmp_path: Path) -> None:
    async with mock_daemon(cli=tmp_path / "no-such-cli") as daemon:
        error = await refusal(daemon, "start_session", config={"working_dir": str(workspace)})
        assert (error.code, error.data["kind"], error.data["provider"]) == (-32001, "not_found", "claude")
        assert "claude_path" in error.data["hint"]
        health = await daemon.request("health_check")
        assert (health["is_available"], health["version"], health["authenticated"]) == (False, None, None)
        assert "no-such-cli" in health["error"]


async def test_a_cli_that_is_no_program_is_an_error_with_a_hint(workspace: Path, tmp_path: Path) -> None:
    broken = tmp_path / "claude"
    broken.write_text("#!/nowhere/python\n")
    broken.chmod(0o755)
    async with mock_daemon(cli=broken) as daemon:
        error = await refusal(daemon, "start_session", config={"working_dir": str(workspace)})
        assert (error.code, "interpreter" in error.message, bool(error.data["hint"])) == (-32002, True, True)
        health = await daemon.request("health_check")
        assert (health["is_available"], error.data["hint"] in health["error"]) == (False, True)
        assert await entries(daemon, include_ended=True) == {}


async def test_what_floods_its_output_is_no_cli_and_is_gone_at_once(workspace: Path, tmp_path: Path) -> None:
    flood = tmp_path / "claude"
    flood.write_text("#!/bin/sh\nyes | head -c 500000\nexec sleep 60\n")
    flood.chmod(0o755)
    async with mock_daemon(cli=flood) as daemon:
        error = await refusal(daemon, "start_session", config={"working_dir": str(workspace)})
        assert (error.data["kind"], "claude_path" in error.data["hint"]) == ("protocol_error", True)
    assert "Traceback" not in daemon.stderr


async def test_a_provider_that_is_not_known_is_not_found(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        for method, params in (("start_session", {"config": {"working_dir": str(workspace)}}), ("health_check", {})):
            error = await refusal(daemon, method, provider="nobody", **params)
            assert (error.code, error.data["provider"]) == (-32001, "nobody")
            assert "claude" in error.data["hint"]


@pytest.mark.spec("3.7")
async def test_what_the_provider_cannot_do_is_refused_by_name(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        error = await refusal(
            daemon, "start_session", config={"working_dir": str(workspace), "extra_args": ["--output-format=json"]}
        )
        assert (error.code, error.data["kind"], error.data["option"]) == (-32010, "unsupported", "extra_args")
        assert await entries(daemon, include_ended=False) == {}


async def test_the_health_of_the_cli_is_told_with_its_login(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        health = await daemon.request("health_check", provider="claude")
        assert health == {
            "provider": "claude",
            "is_available": True,
            "version": "2.1.329",
            "authenticated": True,
            "error": None,
            "cli_path": str(MOCK),
        }
        assert (await daemon.request("list_providers"))["providers"] == [health]
    async with mock_daemon(env={"MOCK_CLAUDE_LOGGED_IN": "0"}) as daemon:
        assert (await daemon.request("health_check"))["authenticated"] is False


async def test_every_option_reaches_the_cli(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    config: Json = {
        "model": "claude-x",
        "system_prompt": "You are\na pirate.",
        "append_system_prompt": "Be brief.",
        "allowed_dirs": [str(tmp_path), "/"],
        "plans_directory": "./plans",
        "mcp_servers": {"files": {"command": "files", "args": ["--all"], "env": {"TOKEN": "secret-4711"}}},
        "allowed_tools": ["Read", "Bash(ls *)"],
        "disallowed_tools": ["WebFetch"],
        "max_turns": 7,
        "max_budget_usd": 1.5,
        "output_schema": {"type": "object"},
        "effort": "high",
        "runtime_mode": "accept_edits",
        "extra_args": ["--fallback-model", "claude-y"],
    }
    async with mock_daemon(cli=cli.path) as daemon:
        id = await daemon.start_session(workspace, config=config)
        await daemon.turn(id, "hello")
        update = (await daemon.wait_event("session_updated", session_id=id))["event"]
        assert update["mcp_servers"] == [{"name": "files", "status": "connected"}]
    (argv,) = cli.arguments()
    flags = {name: argv[at + 1] for at, name in enumerate(argv[:-1])}
    assert (flags["--model"], flags["--effort"], flags["--max-turns"]) == ("claude-x", "high", "7")
    assert (flags["--max-budget-usd"], flags["--permission-mode"]) == ("1.5", "acceptEdits")
    assert (flags["--allowedTools"], flags["--disallowedTools"]) == ("Read,Bash(ls *)", "WebFetch")
    assert [argv[at + 1] for at, name in enumerate(argv) if name == "--add-dir"] == [str(tmp_path), "/"]
    assert argv[-2:] == ["--fallback-model", "claude-y"]
    assert "./plans" in flags["--settings"]
    assert "secret-4711" not in " ".join(argv), "everybody on the machine can read a command line"
    handshake = cli.told()[0][0]["request"]
    assert (handshake["systemPrompt"], handshake["appendSystemPrompt"]) == ("You are\na pirate.", "Be brief.")
    assert handshake["jsonSchema"] == {"type": "object"}


@pytest.mark.spec("2.17")
async def test_effort_and_thinking_budget_hold_for_a_cli_that_is_started_again(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        id = await daemon.start_session(workspace, config={"max_thinking_tokens": 1000})
        await daemon.turn(id, "hello")
        await daemon.request("set_effort", session_id=id, effort="low")
        await daemon.request("set_thinking_budget", session_id=id, max_thinking_tokens=4000)
        seen = len(daemon.messages)
        kill((await daemon.request("list_sessions"))["sessions"][0]["pid"])
        await daemon.wait_event("notice", session_id=id, after=seen)
        await daemon.turn(id, "hello")
    budgets = [
        [line["request"]["max_thinking_tokens"] for line in told if "max_thinking_tokens" in line.get("request", {})]
        for told in cli.told()
    ]
    assert budgets == [[1000, 4000], [4000]]
    assert "low" in cli.arguments()[1]


async def test_the_cli_inherits_what_it_may_and_gets_what_the_session_adds(workspace: Path, tmp_path: Path) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    ours = {
        "CLAUDECODE": "1",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "OTEL_EXPORTER": "x",
        "AGENT_ADAPTER_LOG_LEVEL": "error",
    }
    kept = {"ANTHROPIC_API_KEY": "sk-test", "CLAUDE_CODE_USE_BEDROCK": "1", "EDITOR": "ed"}
    async with mock_daemon(cli=cli.path, env={**ours, **kept}) as daemon:
        await daemon.start_session(workspace, config={"env": {"EDITOR": "vi", "OTEL_EXPORTER": "mine"}})
    (environment,) = cli.environment()
    assert {name: environment.get(name) for name in ours} == {**dict.fromkeys(ours), "OTEL_EXPORTER": "mine"}
    assert {name: environment.get(name) for name in kept} == {**kept, "EDITOR": "vi"}
