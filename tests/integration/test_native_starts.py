"""SPEC.md, section 2: starts that meet each other, a stop, or messages that do not wait for them."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support.mock_daemon import RUN_VARIABLE, marked, mock_daemon, mocked

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon

pytestmark = pytest.mark.anyio


async def live(daemon: Daemon) -> list[str]:
    """The ids of the live sessions."""
    return [session["session_id"] for session in (await daemon.request("list_sessions"))["sessions"]]


async def test_two_starts_with_one_id_give_one_session_even_at_the_cap(workspace: Path) -> None:
    """Room has to be made for both of them first, which takes a while."""
    async with mock_daemon("--max-sessions", "2") as daemon:
        for _ in range(2):
            await daemon.start_session(workspace)
        id = str(uuid.uuid4())
        config = {"working_dir": str(workspace)}
        posts = [await daemon.post("start_session", session_id=id, config=config) for _ in range(2)]
        answers = [await daemon.wait_response(post) for post in posts]
        assert sorted("error" in answer for answer in answers) == [False, True]
        assert (await live(daemon)).count(id) == 1
        started = [params for params in daemon.events(id) if params["event"]["type"] == "session_started"]
        assert len(started) == 1


async def test_one_conversation_is_not_resumed_twice_at_once(workspace: Path) -> None:
    async with mock_daemon() as daemon:
        config = {"working_dir": str(workspace), "resume": str(uuid.uuid4())}
        posts = [await daemon.post("start_session", config=config) for _ in range(2)]
        answers = [await daemon.wait_response(post) for post in posts]
        assert sorted("error" in answer for answer in answers) == [False, True]


async def test_a_message_to_a_session_that_is_about_to_fail_is_not_lost(workspace: Path) -> None:
    """A parent that chooses the id need not wait for the start: what it sends at once is answered and ended."""
    async with mock_daemon() as daemon:
        id = str(uuid.uuid4())
        config = {"working_dir": str(workspace), **mocked("crash_before_handshake")}
        start = await daemon.post("start_session", session_id=id, config=config)
        sent = await daemon.post("send_message", session_id=id, message="hello")
        assert (await daemon.wait_response(start))["error"]["code"] == -32002
        assert (await daemon.wait_response(sent))["error"]["data"]["kind"] == "session_not_found"


async def test_a_message_to_a_session_that_is_about_to_start_runs_when_it_has(workspace: Path) -> None:
    async with mock_daemon(scenario="text_turn") as daemon:
        id = str(uuid.uuid4())
        start = await daemon.post("start_session", session_id=id, config={"working_dir": str(workspace)})
        sent = await daemon.post("send_message", session_id=id, message="early")
        assert (await daemon.wait_response(start))["result"]["session_id"] == id
        turn_id = (await daemon.wait_response(sent))["result"]["turn_id"]
        assert (await daemon.wait_event("turn_completed", turn_id=turn_id))["event"]["result"] == "You said: early"


async def test_a_start_that_is_stopped_on_its_way_leaves_nothing(workspace: Path) -> None:
    """However far the start has come: each delay meets it at another step."""
    mark = str(uuid.uuid4())
    async with mock_daemon() as daemon:
        for delay in (0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08):
            id = str(uuid.uuid4())
            config = {"working_dir": str(workspace), **mocked("hang_handshake", env={RUN_VARIABLE: mark})}
            start = await daemon.post("start_session", session_id=id, config=config)
            await anyio.sleep(delay)
            stop = await daemon.post("stop_session", session_id=id)
            assert (await daemon.wait_response(start))["error"]["data"]["kind"] == "interrupted"
            assert "result" in await daemon.wait_response(stop)
        assert marked(mark) == []
        assert await live(daemon) == []
