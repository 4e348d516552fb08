"""Trust: what a folder would run without being asked is put to the parent before the CLI is started."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import RpcError
from tests.support.mock_daemon import RecordedCli, kill, mock_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

SERVERS = {"mcpServers": {"tide": {"command": "tide-server"}}}


def bring(folder: Path, command: str = "make setup") -> Path:
    """A project with a hook and an MCP server; the file with the hook."""
    settings = folder / ".claude" / "settings.json"
    settings.parent.mkdir(exist_ok=True)
    hook = {"hooks": [{"type": "command", "command": command}]}
    settings.write_text(json.dumps({"hooks": {"SessionStart": [hook]}, "model": "opus"}))
    (folder / ".mcp.json").write_text(json.dumps(SERVERS))
    return settings


def sources(arguments: list[str]) -> str | None:
    """The setting sources that a CLI was started with; None for its default."""
    return arguments[arguments.index("--setting-sources") + 1] if "--setting-sources" in arguments else None


async def start(daemon: Daemon, folder: Path, result: Json | None, **config: Any) -> tuple[str, list[Json]]:
    """Start a session, answering a question about trust by `result`; its id, and the questions' params."""
    seen = len(daemon.questions)

    async def answer(params: Json) -> Json:
        assert result is not None, "nothing should have been asked"
        return result

    daemon.answer = answer
    session_id = await daemon.start_session(folder, config=config)
    daemon.answer = None
    return session_id, [question["params"] for question in daemon.questions[seen:]]


async def told(daemon: Daemon, session_id: str) -> list[Json]:
    """The events of a session until the end of a turn, so that none before it can be missing."""
    await daemon.turn(session_id, "hello")
    return [params["event"] for params in daemon.events(session_id)]


@pytest.mark.spec("7.10")
async def test_what_a_folder_would_run_is_asked_once_and_trusted_by_later_daemons_until_it_changes(
    workspace: Path, tmp_path: Path
) -> None:
    settings, cli, state = bring(workspace), RecordedCli(tmp_path, "text_turn"), tmp_path / "state"
    flags = ("--state-dir", str(state))
    async with mock_daemon(*flags, cli=cli.path) as daemon:
        session_id, (question,) = await start(daemon, workspace, {"outcome": "allow"})
        assert (question["session_id"], question["turn_id"]) == (session_id, None)
        assert (question["tool_name"], question["kind"], question["suggestions"]) == ("trust", "trust", [])
        assert str(workspace) in question["title"]
        items = {(item["file"], item["what"], item["name"]) for item in question["input"]["items"]}
        mcp = str(workspace / ".mcp.json")
        assert items == {(str(settings), "hook", "SessionStart"), (mcp, "mcp_server", "tide")}
        assert "make setup" in json.dumps(question["input"]["items"])
        events = await told(daemon, session_id)
        assert events[0]["type"] == "session_started"
        expected = {"tool_call_id": question["tool_call_id"], "outcome": "allow", "by": "parent"}
        assert events[1] == {"type": "permission_resolved", **expected}
        await start(daemon, workspace, None)
    async with mock_daemon(*flags, cli=cli.path) as daemon:
        await start(daemon, workspace, None)
        bring(workspace, "make something-else")
        _, (question,) = await start(daemon, workspace, {"outcome": "allow"})
        assert [item["what"] for item in question["input"]["items"]] == ["hook"]
    assert [sources(arguments) for arguments in cli.arguments()] == [None] * 4


@pytest.mark.spec("7.10")
@pytest.mark.parametrize("result", [{"outcome": "deny"}, {"outcome": "perhaps"}, {}])
async def test_a_folder_that_is_not_trusted_gives_nothing_to_its_session_and_is_asked_about_again(
    workspace: Path, tmp_path: Path, result: Json
) -> None:
    settings, cli = bring(workspace), RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id, questions = await start(daemon, workspace, result)
        events = await told(daemon, session_id)
        _, again = await start(daemon, workspace, result)
    assert (len(questions), len(again)) == (1, 1)
    assert events[0]["type"] == "session_started"
    assert (events[1]["type"], events[1]["outcome"], events[1]["by"]) == ("permission_resolved", "deny", "parent")
    assert (events[2]["type"], events[2]["level"]) == ("notice", "warning")
    assert str(settings) in events[2]["message"]
    assert [sources(arguments) for arguments in cli.arguments()] == ["user", "user"]


@pytest.mark.spec("7.10")
async def test_a_script_that_a_trusted_hook_names_is_asked_about_again_once_it_has_changed(
    workspace: Path, tmp_path: Path
) -> None:
    bring(workspace, '"$CLAUDE_PROJECT_DIR"/setup.sh')
    script = workspace / "setup.sh"
    async with mock_daemon(cli=RecordedCli(tmp_path, "text_turn").path) as daemon:
        for text in ("make\n", "make something-else\n"):
            script.write_text(text)
            _, (question,) = await start(daemon, workspace, {"outcome": "allow"})
            assert [item["scripts"] for item in question["input"]["items"] if item["what"] == "hook"] == [[str(script)]]
            await start(daemon, workspace, None)


def bring_repository(folder: Path) -> Path:
    """A repository whose configuration names a program; that configuration."""
    for name in ("objects", "refs"):
        (folder / ".git" / name).mkdir(parents=True)
    (folder / ".git" / "HEAD").write_text("ref: refs/heads/main\n")
    (config := folder / ".git" / "config").write_text("[core]\n\tfsmonitor = ./watch\n")
    return config


def held_back(environment: Json) -> bool:
    """Whether a CLI was started so that git passes over the program."""
    return (environment.get("GIT_CONFIG_KEY_0"), environment.get("GIT_CONFIG_VALUE_0")) == ("core.fsmonitor", "false")


@pytest.mark.spec("7.12")
async def test_programs_that_the_repository_names_for_git_are_asked_about_and_otherwise_held_back(
    workspace: Path, tmp_path: Path
) -> None:
    config, cli = bring_repository(workspace), RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id, (question,) = await start(daemon, workspace, {"outcome": "deny"}, env={"GIT_EDITOR": "true"})
        (item,) = question["input"]["items"]
        assert (item["file"], item["what"], item["name"]) == (str(config), "git_program", "core.fsmonitor")
        await told(daemon, session_id)
        seen = len(daemon.messages)
        kill((await daemon.request("list_sessions"))["sessions"][0]["pid"])
        await daemon.wait_event("notice", session_id=session_id, after=seen)
        events = await told(daemon, session_id)
        assert sum("not trusted" in event["message"] for event in events if event["type"] == "notice") == 1
        await start(daemon, workspace, None, setting_sources=["user"])
        await start(daemon, workspace, {"outcome": "allow"})
        await start(daemon, workspace, None)
    assert [held_back(environment) for environment in cli.environment()] == [True, True, True, False, False]
    assert [sources(arguments) for arguments in cli.arguments()] == [None, None, "user", None, None]
    assert cli.environment()[0]["GIT_EDITOR"] == "true"


@pytest.mark.spec("7.10")
@pytest.mark.parametrize(("changes", "taken"), [(1, None), (9, "user")])
async def test_what_changes_while_the_question_is_open_is_asked_about_again_and_not_for_ever(
    workspace: Path, tmp_path: Path, changes: int, taken: str | None
) -> None:
    bring(workspace)
    cli, asked = RecordedCli(tmp_path, "text_turn"), []

    async def answer(params: Json) -> Json:
        asked.append([item["name"] for item in params["input"]["items"]])
        if len(asked) <= changes:
            bring(workspace, f"make number-{len(asked)}")
        return {"outcome": "allow"}

    async with mock_daemon(cli=cli.path) as daemon:
        daemon.answer = answer
        await told(daemon, await daemon.start_session(workspace))
    assert asked == [["SessionStart", "tide"], *[["SessionStart"]] * min(changes, 2)]
    assert [sources(arguments) for arguments in cli.arguments()] == [taken]


@pytest.mark.spec("7.10")
async def test_a_question_that_nobody_answers_in_time_counts_as_no(workspace: Path, tmp_path: Path) -> None:
    bring(workspace)
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon("--permission-timeout", "0.2", cli=cli.path) as daemon:
        session_id = await daemon.start_session(workspace)
        (question,) = daemon.questions
        await daemon.wait_for(lambda message: message.get("params") == {"id": question["id"]})
        events = await told(daemon, session_id)
    assert (events[1]["outcome"], events[1]["by"]) == ("deny", "timeout")
    assert [sources(arguments) for arguments in cli.arguments()] == ["user"]


@pytest.mark.spec("7.10")
async def test_a_session_that_is_stopped_while_the_question_is_open_starts_nothing(
    workspace: Path, tmp_path: Path
) -> None:
    bring(workspace)
    cli, session_id = RecordedCli(tmp_path, "text_turn"), str(uuid.uuid4())
    async with mock_daemon(cli=cli.path) as daemon:
        params = {"session_id": session_id, "config": {"working_dir": str(workspace)}}
        request = await daemon.post("start_session", **params)
        question = await daemon.wait_question()
        await daemon.request("stop_session", session_id=session_id)
        answer = await daemon.wait_response(request)
        await daemon.wait_for(lambda message: message.get("params") == {"id": question["id"]})
    assert answer["error"]["data"]["kind"] == "interrupted"
    assert cli.arguments() == []


@pytest.mark.spec("7.10")
async def test_the_config_can_say_beforehand_what_becomes_of_it(workspace: Path, tmp_path: Path) -> None:
    bring(workspace)
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        for trust in ("always", "never"):
            await start(daemon, workspace, None, trust=trust)
        for setting_sources in (["user"], []):
            await start(daemon, workspace, None, setting_sources=setting_sources)
        await start(daemon, workspace, {"outcome": "deny"}, setting_sources=["user", "project"])
        with pytest.raises(RpcError, match="trust"):
            await start(daemon, workspace, None, trust="yes")
    assert [sources(arguments) for arguments in cli.arguments()] == [None, "user", "user", "", "user"]


@pytest.mark.spec("7.10")
async def test_what_has_come_since_the_start_is_left_out_when_the_cli_is_started_again(
    workspace: Path, tmp_path: Path
) -> None:
    cli = RecordedCli(tmp_path, "text_turn")
    async with mock_daemon(cli=cli.path) as daemon:
        session_id, questions = await start(daemon, workspace, None)
        await told(daemon, session_id)
        bring(workspace)
        seen = len(daemon.messages)
        kill((await daemon.request("list_sessions"))["sessions"][0]["pid"])
        await daemon.wait_event("notice", session_id=session_id, after=seen)
        events = await told(daemon, session_id)
    assert questions == []
    assert any("not trusted" in event["message"] for event in events if event["type"] == "notice")
    assert [sources(arguments) for arguments in cli.arguments()] == [None, "user"]
