"""Many sessions one after the other leave the daemon as it was: nothing that it holds grows with what it has done."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import psutil
import pytest

from tests.support.daemon import ROOT, Daemon, RpcError, run_daemon

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(240)]

CYCLES = 200
WARM_UP = 40
"""Cycles before the first look: imports at first use, threads of the pool, and the allocator's first growth."""

AT_ONCE = 4

GROWTH = 6 * 1024 * 1024
"""Bytes by which 200 sessions may let the daemon's memory grow. It keeps what `list_sessions` tells of the latest 256
that ended, about 1 MB, and the allocator keeps free pages; a pipe's buffer kept for each session would be 50 MB."""

SETTLE_S = 10.0
"""Seconds for the last pipes, threads and files of a session to go, after its end was told."""

BETWEEN_LOOKS_S = 0.2
"""Seconds between two looks."""

THREADS = AT_ONCE
"""Threads that may come on top: the pool has as many as were needed at once, and lets go of them when it is used."""

MOCK = ROOT / "mock_clis" / "claude"


@dataclass(frozen=True)
class Holdings:
    """What a daemon holds, but for memory and threads."""

    descriptors: tuple[str, ...]
    children: int
    files: tuple[str, ...]


def holdings(daemon: psutil.Process, scratch: Path) -> Holdings:
    """Count what the daemon holds now; descriptors by what they lead to, without the numbers of pipes."""
    folder = Path(f"/proc/{daemon.pid}/fd")
    targets = [os.readlink(each).split("[")[0] for each in folder.iterdir() if each.is_symlink()]
    return Holdings(
        descriptors=tuple(sorted(targets)),
        children=len(daemon.children(recursive=True)),
        files=tuple(sorted(str(path.relative_to(scratch)) for path in scratch.rglob("*"))),
    )


async def settle(look: Callable[[], Holdings], wanted: Holdings | None = None) -> Holdings:
    """What is held once two looks in a row agree, or once it is as wanted; in any case after `SETTLE_S` seconds."""
    latest = await anyio.to_thread.run_sync(look)
    with anyio.move_on_after(SETTLE_S):
        while latest != wanted:
            before = latest
            await anyio.sleep(BETWEEN_LOOKS_S)
            latest = await anyio.to_thread.run_sync(look)
            if wanted is None and latest == before:
                break
    return latest


async def cycle(daemon: Daemon, workspace: Path, number: int) -> None:
    """Start a session, use it in one of several ways, and see its end."""
    kind = ("turn", "turn", "unused", "killed", "refused", "hanging")[number % 6]
    scenario = {"refused": "crash_before_handshake", "hanging": "hang_mid_turn"}.get(kind, "text_turn")
    config = {
        "env": {"MOCK_CLAUDE_SCENARIO": scenario, "MOCK_CLAUDE_DELTA_MS": "0"},
        "mcp_servers": {"none": {"command": "false"}},
    }
    if kind == "refused":
        with pytest.raises(RpcError):
            await daemon.start_session(workspace, config=config)
        return
    session = await daemon.start_session(workspace, config=config)
    if kind in ("turn", "killed"):
        await daemon.turn(session, "hello")
    if kind == "hanging":
        answer = await daemon.request("send_message", session_id=session, message="hello")
        await daemon.wait_event("turn_started", turn_id=answer["turn_id"])
    if kind == "killed":
        sessions = (await daemon.request("list_sessions"))["sessions"]
        os.kill(next(each["pid"] for each in sessions if each["session_id"] == session), signal.SIGKILL)
    await daemon.request("stop_session", session_id=session)
    await daemon.wait_event("session_ended", session_id=session)


async def cycles(daemon: Daemon, workspace: Path, count: int) -> None:
    """Run so many, a few at a time."""
    limiter = anyio.CapacityLimiter(AT_ONCE)

    async def one(number: int) -> None:
        async with limiter:
            await cycle(daemon, workspace, number)

    async with anyio.create_task_group() as tasks:
        for number in range(count):
            tasks.start_soon(one, number)
    daemon.messages.clear()


async def test_two_hundred_sessions_leave_descriptors_memory_threads_processes_and_files_as_they_were(
    workspace: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = dict(os.environ) | {"TMPDIR": str(scratch), "HOME": str(tmp_path)}
    async with run_daemon("--claude-path", str(MOCK), "--log-level", "error", env=env) as daemon:
        process = psutil.Process(daemon.process.pid)
        await cycles(daemon, workspace, WARM_UP)
        before = await settle(lambda: holdings(process, scratch))
        threads, memory = process.num_threads(), process.memory_info().rss
        await cycles(daemon, workspace, CYCLES)
        after = await settle(lambda: holdings(process, scratch), before)
        assert after == before
        assert process.num_threads() <= threads + THREADS
        assert process.memory_info().rss - memory < GROWTH, f"from {memory} to {process.memory_info().rss} bytes"
        print(f"{memory >> 10} KiB before, {process.memory_info().rss >> 10} KiB after; {after}")
    assert daemon.stderr == ""
