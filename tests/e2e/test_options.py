"""Each option of a session's config reaches the real CLI, and what the CLI makes of it reaches the parent."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import mcp_stdio
from tests.support.daemon import RpcError
from tests.support.real_session import OUTER, OUTER_VARIABLES, allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]

SCHEMA = {"type": "object", "properties": {"color": {"type": "string"}}, "required": ["color"]}
IS_ROOT = os.geteuid() == 0


async def test_a_system_prompt_replaces_the_clis_own(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, system_prompt="Speak like a lighthouse keeper.") as talk:
        await talk.turn("SC:hello")
        system = str(talk.requests[-1].body["system"])
    assert "Speak like a lighthouse keeper." in system
    # The CLI's own is some six thousand characters.
    assert len(system) < 1000


async def test_an_appended_prompt_and_the_effort_reach_the_model(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, append_system_prompt="Mention the tide.", effort="low") as talk:
        await talk.turn("SC:hello")
        body = talk.requests[-1].body
    assert "Mention the tide." in str(body["system"])
    assert len(str(body["system"])) > 1000
    assert body["output_config"]["effort"] == "low"


async def test_an_output_schema_gives_a_structured_output(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, output_schema=SCHEMA) as talk:
        heard = await talk.turn('SC:tool StructuredOutput {"color": "blue"}')
    assert heard.completed["structured_output"] == {"color": "blue"}
    assert heard.completed["stop_reason"] == "end_turn"


async def test_an_allowed_tool_runs_without_a_question_and_a_disallowed_one_is_not_there(
    stage: Stage, workspace: Path
) -> None:
    async with stage.session(workspace, allowed_tools=["Bash", "Read"], disallowed_tools=["Write"]) as talk:
        heard = await talk.turn("SC:bash touch made")
        offered = [tool["name"] for tool in talk.requests[-1].body["tools"]]
        told = (await talk.wait("session_updated"))["event"]["tools"]
    assert talk.questions == []
    assert heard.text == "Command finished."
    assert (workspace / "made").exists()
    assert "Write" not in offered + told
    assert "Edit" in offered


async def test_a_file_of_an_allowed_folder_is_read_without_a_question(
    stage: Stage, workspace: Path, tmp_path: Path
) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    for folder in (inside, outside):
        folder.mkdir()
        (folder / "note").write_text(f"a note {folder.name}\n")
    async with stage.session(workspace, allowed_dirs=[str(inside)], answer=allow()) as talk:
        first = await talk.turn(f"SC:read {inside / 'note'}")
        assert talk.questions == []
        second = await talk.turn(f"SC:read {outside / 'note'}")
    assert "a note inside" in str(first.one("tool_call_output")["content"])
    assert "a note outside" in str(second.one("tool_call_output")["content"])
    assert [question["input"]["file_path"] for question in talk.questions] == [str(outside / "note")]


async def test_a_turn_stops_at_the_number_of_turns_that_was_set(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, max_turns=2, allowed_tools=["Bash"]) as talk:
        heard = await talk.turn("SC:loop")
        after = await talk.turn("SC:hello")
    assert heard.completed["stop_reason"] == "max_turns"
    assert len(heard.all("tool_call_output", is_error=False)) == 2
    assert after.completed["stop_reason"] == "end_turn"


async def test_a_turn_stops_at_the_budget_that_was_set(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, max_budget_usd=0.5, allowed_tools=["Bash"]) as talk:
        heard = await talk.turn("SC:loop tokens=10000")
    assert heard.completed["stop_reason"] == "max_budget"
    assert heard.completed["cost_usd"] >= 0.5


async def test_an_mcp_server_is_connected_with_its_environment_and_its_tools_are_asked_for(
    stage: Stage, workspace: Path
) -> None:
    servers = {"demo": {"command": sys.executable, "args": [mcp_stdio.__file__], "env": {"DEMO_TOKEN": "abc"}}}
    async with stage.session(workspace, mcp_servers=servers, answer=allow()) as talk:
        heard = await talk.turn('SC:tool mcp__demo__add {"a": 2, "b": 3}')
        asked = talk.questions[0]
        token = await talk.turn('SC:tool mcp__demo__environment {"name": "DEMO_TOKEN"}')
        told = (await talk.wait("session_updated"))["event"]
    assert heard.text == "Tool said: 5"
    assert token.text == "Tool said: abc"
    assert (asked["tool_name"], asked["kind"], asked["input"]) == ("mcp__demo__add", "other", {"a": 2, "b": 3})
    assert [(server["name"], server["status"]) for server in told["mcp_servers"]] == [("demo", "connected")]
    # What holds the servers' secrets is gone once the CLI has read it.
    assert not list(stage.home.rglob("agent-adapter-mcp-*"))


async def test_the_environment_of_the_config_reaches_a_tool_and_the_outer_agents_does_not(
    stage: Stage, workspace: Path
) -> None:
    names = "|".join(OUTER_VARIABLES)
    command = f"env | grep -E '^({names}|GIVEN)=' > seen; true"
    async with stage.session(workspace, env={"GIVEN": "by the parent"}, allowed_tools=["Bash"]) as talk:
        await talk.turn(f"SC:bash {command}")
    seen = (workspace / "seen").read_text()
    assert "GIVEN=by the parent\n" in seen
    assert OUTER not in seen


async def test_the_model_changes_with_the_next_turn_and_the_change_is_told(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as talk:
        await talk.turn("SC:hello")
        before = talk.requests[-1].body["model"]
        assert await talk.call("set_model", model="claude-haiku-4-5") == {}
        await talk.wait("session_updated", model="claude-haiku-4-5")
        heard = await talk.turn("SC:echo")
        entry = await talk.entry()
    assert before != "claude-haiku-4-5"
    assert talk.requests[-1].body["model"].startswith("claude-haiku-4-5")
    assert heard.text == "history: 2 user messages; first: SC:hello"
    assert entry["model"].startswith("claude-haiku-4-5")


async def test_the_runtime_mode_changes_in_a_live_session_and_the_change_is_told(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        await talk.turn(f"SC:write {workspace / 'asked'}")
        assert len(talk.questions) == 1
        assert await talk.call("set_runtime_mode", runtime_mode="accept_edits") == {}
        await talk.wait("session_updated", runtime_mode="accept_edits")
        await talk.turn(f"SC:write {workspace / 'unasked'}")
        assert len(talk.questions) == 1
        assert await talk.call("set_runtime_mode", runtime_mode="supervised") == {}
        await talk.turn(f"SC:write {workspace / 'asked again'}")
        assert len(talk.questions) == 2
    assert sorted(path.name for path in workspace.iterdir() if path.is_file()) == ["asked", "asked again", "unasked"]


@pytest.mark.spec("3.3")
async def test_full_access_asks_nothing_and_is_unsupported_where_the_cli_refuses_it(
    stage: Stage, workspace: Path
) -> None:
    if IS_ROOT:
        with pytest.raises(RpcError) as refusal:
            await stage.daemon.start_session(workspace, config={"runtime_mode": "full_access"})
        assert refusal.value.code == -32010
        assert refusal.value.data["kind"] == "unsupported"
        assert "root" in refusal.value.message
        assert "IS_SANDBOX" in refusal.value.data["hint"]
    sandbox = {"IS_SANDBOX": "1"} if IS_ROOT else {}
    async with stage.session(workspace, runtime_mode="full_access", env=sandbox) as talk:
        await talk.turn("SC:bash touch made")
    assert talk.questions == []
    assert (workspace / "made").exists()


async def test_a_live_session_goes_to_full_access_where_the_cli_lets_it(stage: Stage, workspace: Path) -> None:
    if IS_ROOT:
        async with stage.session(workspace) as talk:
            with pytest.raises(RpcError) as refusal:
                await talk.call("set_runtime_mode", runtime_mode="full_access")
            assert refusal.value.code == -32010
            assert (await talk.turn("SC:hello")).text == "Hello there, friend."
    sandbox = {"IS_SANDBOX": "1"} if IS_ROOT else {}
    async with stage.session(workspace, env=sandbox) as talk:
        assert await talk.call("set_runtime_mode", runtime_mode="full_access") == {}
        await talk.turn("SC:bash touch made")
    assert talk.questions == []
    assert (workspace / "made").exists()
