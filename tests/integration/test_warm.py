"""Spare CLIs: used once, by exactly the right session, counted, replaced, and ended like everything else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from tests.support.daemon import ROOT, WAIT_S, Daemon, Json, run_daemon

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.anyio

MOCK = str(ROOT / "mock_clis" / "claude")


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


def daemon(state: Path, *flags: str) -> AbstractAsyncContextManager[Daemon]:
    env = {**os.environ, "MOCK_CLAUDE_DELTA_MS": "0", "CLAUDE_CONFIG_DIR": str(state / "claude")}
    return run_daemon("--claude-path", MOCK, "--state-dir", str(state), *flags, env=env)


def spares(parent: Daemon, used: list[int]) -> list[psutil.Process]:
    """The CLIs that are up and that no session has, oldest first."""
    found = []
    for child in psutil.Process(parent.process.pid).children():
        try:
            arguments = " ".join(child.cmdline())
        except psutil.Error:  # a look at the CLI's version, over by now
            continue
        if MOCK in arguments and "stream-json" in arguments and child.pid not in used:
            found.append(child)
    return sorted(found, key=lambda child: child.create_time())


async def wait_spares(parent: Daemon, count: int, used: list[int]) -> list[psutil.Process]:
    """Wait until there are so many; only the process table can tell."""
    with anyio.fail_after(WAIT_S):
        while len(found := spares(parent, used)) != count:  # noqa: ASYNC110
            await anyio.sleep(0.02)
    return found


async def gone(process: psutil.Process) -> None:
    """Wait for the end of a process that is not ours to wait for."""
    with anyio.fail_after(WAIT_S):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await anyio.sleep(0.02)


async def start(parent: Daemon, workspace: Path, **config: Any) -> tuple[str, int]:
    result = await parent.request("start_session", config={"working_dir": str(workspace), **config})
    return result["session_id"], result["pid"]


async def test_without_the_setting_no_spare_is_kept(state: Path, workspace: Path) -> None:
    async with daemon(state) as parent:
        _, pid = await start(parent, workspace)
        assert (await parent.turn(_, "hello"))["stop_reason"] == "end_turn"
        assert spares(parent, [pid]) == []


async def test_no_spare_is_kept_for_a_session_with_tools_of_the_parents(state: Path, workspace: Path) -> None:
    tool = {"name": "depth", "description": "d", "input_schema": {"type": "object"}}
    async with daemon(state, "--warm", "1") as parent:
        session, pid = await start(parent, workspace, tools=[tool])
        assert (await parent.turn(session, "hello"))["stop_reason"] == "end_turn"
        assert spares(parent, [pid]) == []


async def test_a_second_session_with_the_same_options_gets_the_spare_and_it_is_replaced(
    state: Path, workspace: Path
) -> None:
    async with daemon(state, "--warm", "1") as parent:
        _, first = await start(parent, workspace)
        (spare,) = await wait_spares(parent, 1, [first])
        session, second = await start(parent, workspace)
        assert second == spare.pid
        assert (await parent.turn(session, "hello"))["stop_reason"] == "end_turn"
        (replacement,) = await wait_spares(parent, 1, [first, second])
        assert replacement.pid not in (first, second)


@pytest.mark.parametrize(
    "other", [{"model": "opus"}, {"env": {"A": "b"}}, {"append_system_prompt": "x"}, {"runtime_mode": "plan"}]
)
async def test_other_options_never_get_the_spare_and_replace_it(
    state: Path, workspace: Path, other: dict[str, Any]
) -> None:
    async with daemon(state, "--warm", "1") as parent:
        _, first = await start(parent, workspace)
        (spare,) = await wait_spares(parent, 1, [first])
        _, second = await start(parent, workspace, **other)
        assert second != spare.pid
        await gone(spare)
        await wait_spares(parent, 1, [first, second])


async def test_a_spare_that_has_died_is_not_used(state: Path, workspace: Path) -> None:
    async with daemon(state, "--warm", "1") as parent:
        _, first = await start(parent, workspace)
        (spare,) = await wait_spares(parent, 1, [first])
        spare.kill()
        await gone(spare)
        session, second = await start(parent, workspace)
        assert second != spare.pid
        assert (await parent.turn(session, "hello"))["stop_reason"] == "end_turn"


async def test_spares_count_for_the_cap_and_make_room(state: Path, workspace: Path) -> None:
    async with daemon(state, "--warm", "5", "--max-sessions", "2") as parent:
        first_session, first = await start(parent, workspace)
        await wait_spares(parent, 1, [first])
        _, second = await start(parent, workspace, model="opus")
        assert spares(parent, [first, second]) == []
        listed = (await parent.request("list_sessions"))["sessions"]
        assert {session["pid"] for session in listed} == {first, second}
        assert first_session in {session["session_id"] for session in listed}


async def test_a_resumed_session_starts_its_own_process(state: Path, workspace: Path) -> None:
    async with daemon(state, "--warm", "1") as parent:
        session, first = await start(parent, workspace)
        await parent.turn(session, "hello")
        (spare,) = await wait_spares(parent, 1, [first])
        await parent.request("stop_session", session_id=session)
        _, resumed = await start(parent, workspace, resume=session)
        assert resumed != spare.pid


@pytest.mark.spec("7.10")
async def test_a_spare_for_a_folder_that_is_not_trusted_takes_nothing_of_it_either(
    state: Path, workspace: Path
) -> None:
    (workspace / ".mcp.json").write_text('{"mcpServers": {"tide": {"command": "tide-server"}}}')

    async def no(params: Json) -> Json:
        return {"outcome": "deny"}

    async with daemon(state, "--warm", "1") as parent:
        parent.answer = no
        _, pid = await start(parent, workspace)
        (spare,) = await wait_spares(parent, 1, [pid])
        arguments = spare.cmdline()
        assert arguments[arguments.index("--setting-sources") + 1] == "user"
