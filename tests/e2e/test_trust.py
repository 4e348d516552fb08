"""Trust with the real CLI: what a project brings runs when it is trusted, and only then; what is remembered holds."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.real_session import allow, deny

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json
    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

FETCH = 'SC:tool WebFetch {"url": "http://127.0.0.1:9/", "prompt": "What is there?"}'


GIT = shutil.which("git")


def bring(folder: Path, traces: Path) -> None:
    """A project whose hook, MCP server, agent and repository each leave a trace when they run."""
    traces.mkdir()
    if GIT is not None:
        bring_repository(folder, traces)
    (folder / ".claude" / "agents").mkdir(parents=True)
    hook = {"hooks": [{"type": "command", "command": f"touch {traces / 'hook'}"}]}
    settings = {"hooks": {"UserPromptSubmit": [hook]}, "env": {"LEFT_BY_THE_PROJECT": "yes"}}
    (folder / ".claude" / "settings.json").write_text(json.dumps(settings))
    server = {"command": "/bin/sh", "args": ["-c", f"touch {traces / 'server'}"]}
    (folder / ".mcp.json").write_text(json.dumps({"mcpServers": {"tide": server}}))
    agent = "---\nname: keeper\ndescription: keeps\npermissionMode: bypassPermissions\n---\nKeep.\n"
    (folder / ".claude" / "agents" / "keeper.md").write_text(agent)


def bring_repository(folder: Path, traces: Path) -> None:
    """Its configuration names a monitor and a filter, which `git status` starts."""
    (folder / ".gitattributes").write_text("*.txt filter=tide\n")
    (folder / "note.txt").write_text("high water at noon\n")
    for arguments in (["init", "-q"], ["add", "."]):
        subprocess.run([str(GIT), *arguments], cwd=folder, check=True, env={"HOME": str(traces)}, timeout=30)
    (folder / "note.txt").write_text("low water at night\n")  # as long as before: git has to look inside
    with (folder / ".git" / "config").open("a") as config:
        monitor = f"touch {traces / 'monitor'}; printf '/\\\\0'; true"  # "anything may have changed"
        config.write(f'[core]\n\tfsmonitor = "{monitor}"\n')
        config.write(f'[filter "tide"]\n\tclean = "touch {traces / "filter"}; cat"\n')


@pytest.mark.spec("7.10", "7.12")
async def test_what_a_project_brings_runs_once_it_is_trusted_and_not_before(
    stage: Stage, workspace: Path, tmp_path: Path
) -> None:
    traces = tmp_path / "traces"
    bring(workspace, traces)
    show = 'SC:bash echo "is: $LEFT_BY_THE_PROJECT"'
    async with stage.session(workspace, answer=deny(), runtime_mode="accept_edits") as talk:
        heard = await talk.turn("SC:bash git status")
        mcp = await talk.call("list_mcp_servers")
        notice = await talk.wait("notice", level="warning")
        assert [question["kind"] for question in stage.daemon_questions(talk.id)] == ["trust"]
        assert talk.questions == [], "git status is a command that the CLI runs without a question"
    assert (list(traces.iterdir()), mcp["servers"]) == ([], [])
    assert GIT is None or "note.txt" in heard.one("tool_call_output")["content"]
    assert str(workspace / ".mcp.json") in notice["event"]["message"]

    async with stage.session(workspace, answer=allow(), runtime_mode="accept_edits") as talk:
        heard = await talk.turn(show)
        await talk.turn("SC:bash git status")
        items = stage.daemon_questions(talk.id)[0]["input"]["items"]
        resolved = await talk.wait("permission_resolved", turn_id=None)
    found = {(item["what"], item["name"]) for item in items}
    assert found == {
        ("hook", "UserPromptSubmit"), ("setting", "env"), ("mcp_server", "tide"), ("agent", "keeper"),
        *([("git_program", "core.fsmonitor"), ("git_program", "filter.tide.clean")] if GIT else []),
    }  # fmt: skip
    of_git = ["filter", "monitor"] if GIT else []
    assert sorted(path.name for path in traces.iterdir()) == sorted(["hook", "server", *of_git])
    assert heard.one("tool_call_output")["content"] == "is: yes"
    assert (resolved["event"]["outcome"], resolved["event"]["by"]) == ("allow", "parent")

    async with stage.session(workspace, answer=allow()) as talk:
        assert stage.daemon_questions(talk.id) == []


@pytest.mark.spec("7.10")
async def test_settings_that_come_into_the_project_while_the_cli_runs_are_not_taken_in(
    stage: Stage, workspace: Path, tmp_path: Path
) -> None:
    (workspace / ".claude" / "agents").mkdir(parents=True)
    (workspace / ".claude" / "commands").mkdir()
    (settings := workspace / ".claude" / "settings.json").write_text("{}")
    async with stage.session(workspace, answer=allow()) as talk:
        await talk.turn("SC:hello")
        hook = {"hooks": [{"type": "command", "command": f"touch {tmp_path / 'trace'}"}]}
        settings.write_text(json.dumps({"hooks": {"UserPromptSubmit": [hook]}}))
        notice = await talk.wait("notice", level="warning")
        await talk.turn("SC:hello")
        # A command makes the CLI look at the agents, too, and an agent may have a permission mode of its own.
        agent = "---\nname: keeper\ndescription: keeps\npermissionMode: bypassPermissions\n---\nKeep.\n"
        (workspace / ".claude" / "agents" / "keeper.md").write_text(agent)
        (workspace / ".claude" / "commands" / "tide.md").write_text("The tide.\n")
        ours = f"{workspace}/.claude/"
        await talk.daemon.wait_for(lambda message: ours in told(message) and str(settings) not in told(message))
        given = {"description": "Keep", "prompt": "SC:bash touch kept", "subagent_type": "keeper"}
        await talk.turn(f"SC:tool Agent {json.dumps({**given, 'run_in_background': False})}")
    assert str(settings) in notice["event"]["message"]
    assert not (tmp_path / "trace").exists()
    assert not (workspace / "kept").exists()


def told(message: Json) -> str:
    """The text of a notice."""
    event = message.get("params", {}).get("event")
    return str(event.get("message")) if isinstance(event, dict) and event["type"] == "notice" else ""


@pytest.mark.spec("7.11")
async def test_what_is_remembered_for_the_project_holds_in_this_session_and_in_the_next(
    stage: Stage, workspace: Path
) -> None:
    async def answer(params: Json) -> Json:
        (rule,) = [each for each in params["suggestions"] if each["destination"] == "localSettings"]
        return {"outcome": "allow", "remember": rule}

    async with stage.session(workspace, answer=answer) as talk:
        await talk.turn(FETCH)
        await talk.turn(FETCH)
        assert [question["tool_name"] for question in talk.questions] == ["WebFetch"]
    written = json.loads((workspace / ".claude" / "settings.local.json").read_text())
    assert written["permissions"]["allow"] == ["WebFetch(domain:127.0.0.1)"]
    async with stage.session(workspace, answer=answer) as talk:
        await talk.turn(FETCH)
        assert stage.daemon_questions(talk.id) == []


@pytest.mark.spec("7.11")
async def test_what_is_remembered_for_the_session_is_asked_again_in_the_next(stage: Stage, workspace: Path) -> None:
    async def answer(params: Json) -> Json:
        (rule,) = [each for each in params["suggestions"] if each["type"] == "addRules"]
        return {"outcome": "allow", "remember": rule}

    (outside := workspace.parent / "outside").mkdir()
    (outside / "note.txt").write_text("high water at noon\n")
    for _ in range(2):
        async with stage.session(workspace, answer=answer) as talk:
            await talk.turn(f"SC:read {outside / 'note.txt'}")
            await talk.turn(f"SC:read {outside / 'note.txt'}")
            assert [question["tool_name"] for question in talk.questions] == ["Read"]
    assert not (workspace / ".claude").exists()
