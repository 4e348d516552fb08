"""The oldest CLI that can be driven: the basics work, what it lacks is told or refused at once, and nothing hangs."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.support.daemon import RpcError
from tests.support.real_cli import OLDEST, cached_script
from tests.support.real_session import Stage, allow, open_stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

CLI = cached_script(OLDEST)
IS_THERE = os.access(CLI, os.X_OK) and shutil.which("node") is not None

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.real_cli,
    pytest.mark.skipif(not IS_THERE, reason=f"claude {OLDEST} is not installed (it takes npm and node)"),
]


@pytest.fixture(scope="module", params=[OLDEST])
def version(request: pytest.FixtureRequest) -> str:
    """Only the oldest, in the place of the others."""
    return str(request.param)


@pytest.fixture(scope="module")
async def stage(anyio_backend: str, version: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """A daemon with it, and a model server."""
    async with open_stage(version, CLI, tmp_path_factory.mktemp("home")) as stage:
        yield stage


async def test_its_version_is_found_and_its_login_is_not_asked_for(stage: Stage) -> None:
    health = await stage.daemon.request("health_check")
    assert (health["is_available"], health["version"], health["authenticated"]) == (True, OLDEST, None)


@pytest.mark.spec("3.8")
async def test_the_basics_work_and_what_is_missing_is_told(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace, answer=allow()) as talk:
        assert (await talk.turn("SC:hello")).text == "Hello there, friend."
        written = await talk.turn(f"SC:write {workspace / 'note'}")
        assert [question["tool_name"] for question in talk.questions] == ["Write"]
        turn_id = await talk.send("SC:hang")
        await talk.wait_for_model("hang")
        assert await talk.call("interrupt") == {"interrupted": True}
        cut = await talk.heard(turn_id)
        for method, params in (("set_model", {"model": "opus"}), ("get_context", {})):
            with pytest.raises(RpcError) as refusal:
                await talk.call(method, **params)
            assert (refusal.value.code, OLDEST in refusal.value.message) == (-32010, True)
        assert (await talk.turn("SC:two")).text == "Second answer."
    assert written.text == "File written."
    assert (workspace / "note").exists()
    assert cut.completed["stop_reason"] == "interrupted"
    started, notice = (params["event"] for params in talk.events[:2])
    assert started["cli_version"] == OLDEST
    assert (notice["type"], notice["level"]) == ("notice", "warning")
    assert f"{OLDEST} is older" in notice["message"]


async def test_a_conversation_is_resumed(stage: Stage, workspace: Path) -> None:
    async with stage.session(workspace) as talk:
        await talk.turn("SC:hello")
    async with stage.session(workspace, resume=talk.id) as resumed:
        assert (await resumed.turn("SC:echo")).text == "history: 2 user messages; first: SC:hello"


@pytest.mark.spec("3.8")
async def test_an_option_that_it_does_not_have_is_refused_by_name(stage: Stage, workspace: Path) -> None:
    for option, value in (("system_prompt", "Be brief."), ("effort", "low"), ("output_schema", {"type": "object"})):
        with pytest.raises(RpcError) as refusal:
            await stage.daemon.start_session(workspace, config={option: value})
        assert (refusal.value.code, refusal.value.data["option"]) == (-32010, option)
