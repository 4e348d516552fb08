"""SPEC-6.5 and SPEC-6.7: a parent that reads slowly loses nothing, fills no memory, starves nobody."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.contract_check import check
from tests.support.mock_daemon import mocked, write_scenario
from tests.support.raw_daemon import RawDaemon, raw_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Json

pytestmark = pytest.mark.anyio

FLOOD = "flood " * 100_000
"""What the scenario `flood` says in one turn."""

UNREAD_S = 1.5
"""How long a parent reads nothing: a CLI that nobody held back would have said 50 MB by then."""

SOME_MEMORY = 32 * 1024 * 1024
"""More than all buffers on the way together, less than what nobody reads."""

FAIR_SHARE = 1024 * 1024
"""Bytes that may lie before another session's event: the pipe, this session's share of the backlog, and one chunk of
the CLI as events."""


async def start(daemon: RawDaemon, id: int, folder: Path, scenario: str | Path) -> str:
    """Start a session; its id."""
    await daemon.request(id, "start_session", config={"working_dir": str(folder), **mocked(scenario)})
    return (await daemon.answer(id))["session_id"]  # type: ignore[no-any-return]


async def lines_until(daemon: RawDaemon, kind: str, session_id: str) -> list[Json]:
    """Read up to and with the first event of a type in a session."""
    heard: list[Json] = []
    while True:
        heard.append(await daemon.line())
        params = heard[-1].get("params", {})
        if params.get("session_id") == session_id and params["event"]["type"] == kind:
            return heard


def text(heard: list[Json], session_id: str) -> str:
    events = [message["params"] for message in heard if message.get("method") == "event"]
    return "".join(
        params["event"]["text"]
        for params in events
        if params["session_id"] == session_id and params["event"]["type"] == "text_delta"
    )


async def test_a_parent_that_reads_nothing_holds_the_cli_back_and_loses_nothing(tmp_path: Path) -> None:
    deltas, piece = 50_000, "1000 bytes" * 100
    flood = write_scenario(tmp_path, {"turn": [{"flood": {"deltas": deltas, "text": piece}}]})
    async with raw_daemon() as daemon:
        session_id = await start(daemon, 1, tmp_path, flood)
        before = daemon.memory()
        await daemon.request(2, "send_message", session_id=session_id, message="go")
        await anyio.sleep(UNREAD_S)
        assert daemon.memory() - before < SOME_MEMORY
        said = text(await lines_until(daemon, "message", session_id), session_id)
        assert len(said) == deltas * len(piece)
        assert said == piece * deltas
        await lines_until(daemon, "turn_completed", session_id)
        await daemon.request(3, "stop_session", session_id=session_id)
        await lines_until(daemon, "session_ended", session_id)
        await daemon.answer(3)
        check(daemon.heard, daemon.sent)


@pytest.mark.spec("6.5")
async def test_a_slow_parent_gets_neighbouring_deltas_joined(workspace: Path) -> None:
    async with raw_daemon() as daemon:
        session_id = await start(daemon, 1, workspace, "flood")
        await daemon.request(2, "send_message", session_id=session_id, message="go")
        await anyio.sleep(UNREAD_S / 5)
        heard = await lines_until(daemon, "turn_completed", session_id)
        assert text(heard, session_id) == FLOOD
        assert len(heard) < FLOOD.count(" "), "each delta came by itself"
        check(daemon.heard, daemon.sent, finished=False)


@pytest.mark.spec("6.7")
async def test_a_flood_does_not_delay_another_session_beyond_its_fair_share(workspace: Path) -> None:
    async with raw_daemon() as daemon:
        flood = await start(daemon, 1, workspace, "flood")
        other = await start(daemon, 2, workspace, "text_turn")
        await daemon.request(3, "send_message", session_id=flood, message="go")
        await lines_until(daemon, "text_delta", flood)
        for id in range(10, 13):
            await anyio.sleep(UNREAD_S / 5)
            taken = daemon.taken
            await daemon.request(id, "send_message", session_id=other, message="me too")
            heard = await lines_until(daemon, "turn_completed", other)
            assert daemon.taken - taken < FAIR_SHARE
            assert text(heard, other) == "You said: me too"
        taken = daemon.taken
        await daemon.request(20, "list_sessions")
        sessions = (await daemon.answer(20))["sessions"]
        assert daemon.taken - taken < FAIR_SHARE
        assert {session["session_id"]: session["state"] for session in sessions}[flood] == "busy", "it was over before"


async def test_sessions_end_though_the_parent_reads_nothing(workspace: Path) -> None:
    """`raw_daemon` closes stdin with everything unread, and expects the end and no process left."""
    async with raw_daemon() as daemon:
        for id in range(3):
            session_id = await start(daemon, id, workspace, "flood")
            await daemon.request(id + 10, "send_message", session_id=session_id, message="go")
        await anyio.sleep(UNREAD_S / 3)


@pytest.mark.spec("6.6")
async def test_a_flood_can_be_interrupted_though_the_parent_has_not_read_it(workspace: Path) -> None:
    async with raw_daemon() as daemon:
        session_id = await start(daemon, 1, workspace, "flood")
        await daemon.request(2, "send_message", session_id=session_id, message="go")
        await anyio.sleep(UNREAD_S / 5)
        await daemon.request(3, "interrupt", session_id=session_id)
        heard = await lines_until(daemon, "turn_completed", session_id)
        assert heard[-1]["params"]["event"]["stop_reason"] == "interrupted"
        assert len(text(heard, session_id)) < len(FLOOD)
        await daemon.request(4, "interrupt", session_id=session_id)
        assert await daemon.answer(4) == {"interrupted": False}
        check(daemon.heard, daemon.sent, finished=False)


@pytest.mark.spec("1.12")
async def test_a_parent_that_asks_and_asks_and_reads_no_answer_is_held_back() -> None:
    """The error for a session that is not there repeats its id, so a long one makes a long answer."""
    asked, long = 1_500, "no such session " * 1_500
    async with raw_daemon() as daemon:
        await daemon.request(0, "list_sessions")
        await daemon.answer(0)
        before = daemon.memory()
        async with anyio.create_task_group() as tasks:
            for id in range(1, asked + 1):
                tasks.start_soon(partial(daemon.request, id, "interrupt", session_id=long))
            await anyio.sleep(UNREAD_S)
            assert daemon.memory() - before < SOME_MEMORY
            taken = daemon.taken
            answered = {(await daemon.line())["id"] for _ in range(asked)}
            assert daemon.taken - taken > 2 * SOME_MEMORY
        assert answered == set(range(1, asked + 1))
