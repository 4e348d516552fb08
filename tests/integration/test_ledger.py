"""The ledger behind a real daemon: what it remembers, what it cleans up, and that its trouble is nobody else's."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import anyio
import psutil
import pytest

from adapter.process.identity import marked
from adapter.session import store
from tests.support.daemon import ROOT, Daemon, RpcError, run_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

pytestmark = pytest.mark.anyio

MOCK = str(ROOT / "mock_clis" / "claude")

KILLS = 5
"""Daemons that are killed one after the other, each in the middle of a message."""


def daemon(
    state: Path, *flags: str, scenario: str = "default", ends: bool = True
) -> AbstractAsyncContextManager[Daemon]:
    env = {**os.environ, "MOCK_CLAUDE_SCENARIO": scenario, "MOCK_CLAUDE_DELTA_MS": "0"}
    return run_daemon("--claude-path", MOCK, "--state-dir", str(state), *flags, env=env, ends=ends)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def kept_alive() -> Iterator[list[psutil.Process]]:
    """Processes that a test's dead daemon left, to be ended whatever the test finds."""
    left: list[psutil.Process] = []
    yield left
    for process in left:
        if process.is_running():
            process.kill()
    psutil.wait_procs(left, timeout=5)


async def gone(daemon_id: str, within: float) -> bool:
    """Whether everything that a daemon spawned has gone in time; only the process table can tell."""
    with anyio.move_on_after(within):
        while marked(daemon_id):  # noqa: ASYNC110
            await anyio.sleep(0.02)
    return not marked(daemon_id)


async def ended_sessions(parent: Daemon) -> dict[str, Any]:
    listed = await parent.request("list_sessions", include_ended=True)
    return {session["session_id"]: session for session in listed["sessions"] if session["state"] == "ended"}


def rows(state: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(state / store.FILE)) as connection:
        return connection.execute(query).fetchall()


@pytest.mark.spec("9.5")
async def test_a_new_daemon_lists_the_sessions_of_one_before_and_resumes_them_by_our_id(
    state: Path, workspace: Path
) -> None:
    async with daemon(state) as parent:
        first = await parent.start_session(workspace)
        done = await parent.turn(first, "hello")
    async with daemon(state) as parent:
        listed = (await ended_sessions(parent))[first]
        assert (listed["turns"], listed["cost_usd"]) == (1, done["cost_usd"])
        assert listed["provider_session_id"]
        result = await parent.request("start_session", config={"working_dir": str(workspace), "resume": first})
        assert result["provider_session_id"] == listed["provider_session_id"]


@pytest.mark.spec("9.6")
async def test_after_kill_9_nothing_runs_and_the_session_is_listed_as_ended_and_resumable(
    state: Path, workspace: Path
) -> None:
    async with daemon(state, scenario="hang_mid_turn", ends=False) as parent:
        session = await parent.start_session(workspace)
        turn = await parent.request("send_message", session_id=session, message="hello")
        await parent.wait_event("turn_started")
        (daemon_id,) = rows(state, "SELECT daemon_id FROM daemons WHERE ended_at IS NULL")[0]
        assert marked(daemon_id)
        parent.process.kill()
        await parent.process.wait()
        assert await gone(daemon_id, within=5)
    async with daemon(state) as parent:
        listed = (await ended_sessions(parent))[session]
        assert listed["pid"] is None
        assert listed["provider_session_id"]
        assert rows(state, f"SELECT outcome FROM turns WHERE turn_id = '{turn['turn_id']}'") == [("unknown",)]


async def test_what_a_dead_daemon_and_its_guardian_left_is_ended_at_the_next_start(
    state: Path, workspace: Path, kept_alive: list[psutil.Process]
) -> None:
    async with daemon(state, scenario="ignore_signals", ends=False) as parent:
        await parent.start_session(workspace)
        (daemon_id,) = rows(state, "SELECT daemon_id FROM daemons WHERE ended_at IS NULL")[0]
        for child in psutil.Process(parent.process.pid).children(recursive=True):
            kept_alive.append(child)
            if any("guardian" in part for part in child.cmdline()):
                child.kill()
        parent.process.kill()
        await parent.process.wait()
        left = marked(daemon_id)
        # The mock ignores signals, but not the end of its stdin: what is left of it may be gone by itself in a moment.
    async with daemon(state) as parent:
        await parent.request("list_sessions", include_ended=True)
        assert marked(daemon_id) == [], left


async def test_a_daemon_never_touches_the_sessions_of_a_living_one(state: Path, workspace: Path) -> None:
    async with daemon(state) as first:
        session = await first.start_session(workspace)
        async with daemon(state) as second:
            assert await ended_sessions(second) == {}
            await second.start_session(workspace)
        assert (await first.turn(session, "hello"))["stop_reason"] == "end_turn"


@pytest.mark.spec("2.10")
async def test_a_repeated_message_is_one_turn(state: Path, workspace: Path) -> None:
    async with daemon(state) as parent:
        session = await parent.start_session(workspace)
        params: dict[str, Any] = {"session_id": session, "message": "hello", "idempotency_key": "k1"}
        first = await parent.request("send_message", **params)
        again = await parent.request("send_message", **params)
        await parent.wait_event("turn_completed", turn_id=first["turn_id"])
        late = await parent.request("send_message", **params)
        assert [again["turn_id"], late["turn_id"]] == [first["turn_id"]] * 2
        assert [first["repeated"], again["repeated"], late["repeated"]] == [False, True, True]
        assert (first["outcome"], late["outcome"]) == ("accepted", "completed")
        with pytest.raises(RpcError) as caught:
            await parent.request("send_message", **{**params, "message": "something else"})
        assert caught.value.code == -32602
        assert caught.value.data["errors"][0]["path"] == "idempotency_key"
        other = await parent.turn(session, "another one")
        assert other["stop_reason"] == "end_turn"
        assert len([each for each in parent.events() if each["event"]["type"] == "turn_started"]) == 2


async def test_a_key_outlives_the_daemon_with_its_session_id(state: Path, workspace: Path) -> None:
    async with daemon(state) as parent:
        session = await parent.start_session(workspace)
        params: dict[str, Any] = {"session_id": session, "message": "hello", "idempotency_key": "k1"}
        first = await parent.request("send_message", **params)
        await parent.wait_event("turn_completed", turn_id=first["turn_id"])
    async with daemon(state) as parent:
        await parent.start_session(workspace, session_id=session, config={"resume": session})
        again = await parent.request("send_message", **params)
        assert (again["turn_id"], again["repeated"]) == (first["turn_id"], True)
        assert again["outcome"] == "completed"


async def works_with_a_warning(state: Path, workspace: Path, warning: str) -> None:
    async with daemon(state) as parent:
        session = await parent.start_session(workspace)
        assert (await parent.turn(session, "hello"))["stop_reason"] == "end_turn"
        assert (await parent.request("list_sessions", include_ended=True))["sessions"]
    assert warning in parent.stderr


@pytest.mark.spec("9.7")
async def test_a_corrupt_ledger_is_kept_aside_and_a_new_one_begun(state: Path, workspace: Path) -> None:
    state.mkdir()
    (state / store.FILE).write_bytes(b"this is no database, but long enough to look like one " * 100)
    await works_with_a_warning(state, workspace, "unreadable")
    assert len(list(state.glob("*.corrupt-*"))) == 1
    assert rows(state, "SELECT count(*) FROM sessions") == [(1,)]


async def test_a_ledger_that_cannot_be_made_costs_a_warning(state: Path, workspace: Path) -> None:
    state.write_text("a file where the folder should be")
    await works_with_a_warning(state, workspace, "cannot be used")


@pytest.mark.spec("9.7")
async def test_a_ledger_that_another_process_has_locked_costs_a_warning(state: Path, workspace: Path) -> None:
    store.connect(state).close()
    with closing(sqlite3.connect(state / store.FILE, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        await works_with_a_warning(state, workspace, "locked")


async def test_a_full_disk_costs_a_warning(state: Path, workspace: Path) -> None:
    with closing(store.connect(state)) as connection:
        # No disk is filled for this: the file refuses the write where a full disk would.
        connection.execute(
            "CREATE TRIGGER full BEFORE INSERT ON sessions BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        )
    await works_with_a_warning(state, workspace, "disk is full")


@pytest.mark.slow
async def test_kill_9_in_a_loop_never_corrupts_the_ledger(state: Path, workspace: Path) -> None:
    for _ in range(KILLS):
        async with daemon(state, ends=False) as parent:
            session = await parent.start_session(workspace)
            await parent.request("send_message", session_id=session, message="hello")
            os.kill(parent.process.pid, signal.SIGKILL)
            await parent.process.wait()
    assert rows(state, "PRAGMA integrity_check") == [("ok",)]
    async with daemon(state) as parent:
        assert len(await ended_sessions(parent)) == KILLS
