"""What a parent can ask of, and tell, a live session of the real CLI beside its messages."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support import mcp_stdio
from tests.support.daemon import RpcError
from tests.support.real_session import allow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli, pytest.mark.spec("2.17")]


async def test_the_models_on_offer_and_the_context_are_told(stage: Stage) -> None:
    async with stage.conversation() as talk:
        models = (await talk.call("list_models"))["models"]
        await talk.turn("SC:hello")
        context = await talk.call("get_context")
    assert "default" in {model["value"] for model in models}
    assert all(model["name"] for model in models)
    assert any("high" in model["effort_levels"] for model in models)
    assert context["max_tokens"] >= 200_000
    assert 0 <= context["percentage"] < 100
    assert {"name", "tokens"} == set(context["categories"][0])


async def test_effort_and_thinking_budget_change_in_a_live_session(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, effort="high") as talk:
        await talk.turn("SC:hello")
        assert talk.requests[-1].body["output_config"]["effort"] == "high"
        with pytest.raises(RpcError) as raised:
            await talk.call("set_effort", effort="heroic")
        assert (raised.value.code, "low" in raised.value.message) == (-32602, True)
        assert await talk.call("set_effort", effort="low") == {}
        assert await talk.call("set_thinking_budget", max_thinking_tokens=4000) == {}
        assert await talk.call("set_thinking_budget", max_thinking_tokens=None) == {}
        await talk.turn("SC:hello")
        assert talk.requests[-1].body["output_config"]["effort"] == "low"


async def test_mcp_servers_are_listed_switched_off_and_on_and_connected_again(stage: Stage, workspace: Path) -> None:
    servers = {"tide": {"command": sys.executable, "args": [mcp_stdio.__file__]}}
    async with stage.session(workspace, mcp_servers=servers) as talk:
        await talk.turn("SC:hello")
        (tide,) = (await talk.call("list_mcp_servers"))["servers"]
        assert (tide["name"], tide["status"]) == ("tide", "connected")
        assert tide["tools"]
        await talk.call("toggle_mcp_server", server="tide", enabled=False)
        (tide,) = (await talk.call("list_mcp_servers"))["servers"]
        assert tide["status"] == "disabled"
        await talk.call("toggle_mcp_server", server="tide", enabled=True)
        await talk.call("reconnect_mcp_server", server="tide")
        (tide,) = (await talk.call("list_mcp_servers"))["servers"]
        assert tide["status"] == "connected"


async def test_a_server_that_is_not_there_is_refused_with_the_clis_reason(stage: Stage) -> None:
    async with stage.conversation() as talk:
        with pytest.raises(RpcError, match="not found: nope") as caught:
            await talk.call("reconnect_mcp_server", server="nope")
    assert caught.value.code == -32010


async def test_files_are_set_back_to_what_they_were_before_a_turn(stage: Stage, workspace: Path) -> None:
    written = workspace / "new.txt"
    async with stage.session(workspace, answer=allow(), checkpoint=True) as talk:
        heard = await talk.turn(f"SC:write {written}")
        assert written.exists()
        would = await talk.call("rewind_files", turn_id=heard.id, dry_run=True)
        assert would["files"] == [str(written)]
        assert written.exists()
        assert await talk.call("rewind_files", turn_id=heard.id) == would
        assert not written.exists()
        with pytest.raises(RpcError, match="checkpoint") as refusal:
            await talk.call("rewind_files", turn_id="no such turn")
        assert refusal.value.data["kind"] == "unsupported"


async def test_a_conversation_can_be_renamed_and_an_unknown_task_stopped(stage: Stage) -> None:
    async with stage.conversation() as talk:
        await talk.turn("SC:hello")
        assert await talk.call("rename_session", title="High water") == {}
        assert await talk.call("stop_task", task_id="nothing") == {}


async def test_setting_sources_keep_a_projects_memory_out(stage: Stage, workspace: Path) -> None:
    (workspace / "CLAUDE.md").write_text("Always mention the ebb.")
    async with stage.session(workspace) as talk:
        await talk.turn("SC:hello")
        assert "Always mention the ebb." in str(talk.requests[-1].body)
    async with stage.session(workspace, setting_sources=[]) as talk:
        await talk.turn("SC:hello")
        assert "Always mention the ebb." not in str(talk.requests[-1].body)


async def test_agents_of_the_parents_own_are_offered_to_the_model(stage: Stage, workspace: Path) -> None:
    agents = {"pilot": {"description": "Knows the channel.", "prompt": "You are a harbour pilot."}}
    async with stage.session(workspace, agents=agents) as talk:
        await talk.turn("SC:hello")
        assert "Knows the channel." in str(talk.requests[-1].body)
