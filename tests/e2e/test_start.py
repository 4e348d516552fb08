"""Health, the start of a session, and every reason why the real CLI does not start."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.daemon import RpcError, run_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.real_session import Stage

pytestmark = [pytest.mark.anyio, pytest.mark.real_cli]


async def _refusal(daemon: Any, folder: Path, **config: Any) -> RpcError:
    before = (await daemon.request("list_sessions"))["sessions"]
    with pytest.raises(RpcError) as refusal:
        await daemon.start_session(folder, config=config)
    assert (await daemon.request("list_sessions"))["sessions"] == before
    return refusal.value


async def test_health_tells_the_version_the_login_and_the_path(stage: Stage) -> None:
    healthy = {
        "provider": "claude",
        "is_available": True,
        "version": stage.version,
        "authenticated": True,
        "error": None,
        "cli_path": str(stage.cli),
    }
    assert await stage.daemon.request("health_check") == healthy
    assert await stage.daemon.request("list_providers") == {"providers": [healthy]}


async def test_without_a_login_health_says_so_and_no_session_starts(stage: Stage, workspace: Path) -> None:
    bare = {name: value for name, value in stage.environment.items() if name != "ANTHROPIC_API_KEY"}
    async with stage.run_daemon(env=bare) as daemon:
        health = await daemon.request("health_check")
        assert (health["is_available"], health["authenticated"]) == (True, False)
        refusal = await _refusal(daemon, workspace)
    assert (refusal.code, refusal.data["kind"], refusal.data["provider"]) == (-32009, "not_authenticated", "claude")
    assert "/login" in refusal.data["hint"]


async def test_where_no_cli_is_health_and_start_say_how_to_get_one(stage: Stage, workspace: Path) -> None:
    missing = str(workspace / "no" / "claude")
    async with run_daemon("--claude-path", missing, env=stage.environment) as daemon:
        health = await daemon.request("health_check")
        assert (health["is_available"], health["version"], health["cli_path"]) == (False, None, None)
        assert missing in health["error"]
        assert "npm install" in health["error"]
        refusal = await _refusal(daemon, workspace)
    assert (refusal.code, refusal.data["kind"]) == (-32001, "not_found")
    assert "npm install" in refusal.data["hint"]


async def test_a_session_starts_with_what_the_handshake_tells_and_learns_the_rest_with_its_first_turn(
    stage: Stage, workspace: Path
) -> None:
    chosen = str(uuid.uuid4())
    async with stage.session(workspace, session_id=chosen, model="claude-sonnet-4-5") as talk:
        await talk.wait("session_started")
        began = talk.events[0]["event"]
        await talk.turn("SC:hello")
        news = (await talk.wait("session_updated"))["event"]
        assert talk.requests[-1].body["model"] == "claude-sonnet-4-5"
    started = talk.started
    assert started == {
        "session_id": chosen,
        "provider": "claude",
        "pid": started["pid"],
        "provider_session_id": began["provider_session_id"],
        "state": "idle",
    }
    assert uuid.UUID(began["provider_session_id"]) != uuid.UUID(chosen)
    assert (began["model"], began["runtime_mode"]) == ("claude-sonnet-4-5", "supervised")
    assert began["working_dir"] == str(workspace)
    assert began["api_key_source"] == "ANTHROPIC_API_KEY"
    assert "compact" in began["slash_commands"]
    assert "Bash" in news["tools"]
    assert "model" not in news
    assert news["mcp_servers"] == []
    assert {**began, **news}["cli_version"] == stage.version


async def test_a_session_id_that_is_in_use_or_no_uuid_is_refused(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as talk:
        for session_id in (talk.id, "mine"):
            with pytest.raises(RpcError) as refusal:
                await stage.daemon.start_session(workspace, session_id=session_id)
            assert refusal.value.code == -32602
            assert refusal.value.data["errors"][0]["path"] == "session_id"


async def test_a_working_folder_that_is_not_there_is_refused_by_its_path(stage: Stage, tmp_path: Path) -> None:
    refusal = await _refusal(stage.daemon, tmp_path / "nowhere")
    assert refusal.code == -32602
    assert refusal.data["errors"][0]["path"] == "config.working_dir"


async def test_a_cli_that_dies_before_its_handshake_gives_its_own_reason(stage: Stage, workspace: Path) -> None:
    refusal = await _refusal(stage.daemon, workspace, extra_args=["--no-such-option"])
    assert (refusal.code, refusal.data["kind"]) == (-32002, "spawn_failed")
    assert "unknown option '--no-such-option'" in refusal.message
    assert "extra_args" in refusal.data["hint"]
