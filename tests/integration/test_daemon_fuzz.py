"""A thousand random and malformed lines neither end the daemon nor disturb a session that streams meanwhile."""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

import anyio
import pytest

from tests.support import fuzz
from tests.support.mock_daemon import mock_daemon, mocked, write_scenario
from tests.support.raw_daemon import framed, raw_daemon

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.daemon import Daemon, Json

pytestmark = pytest.mark.anyio

COUNT = 1_000
SEED = 4711
WORDS = "word " * 400
"""What the session says meanwhile: some four seconds, unless the lines are through before."""


async def feed(daemon: Daemon, lines: list[fuzz.Line]) -> None:
    """Send lines in pieces that have nothing to do with their ends."""
    data = b"".join(line.data + b"\n" for line in lines)
    chance = random.Random(SEED)
    while data:
        size = chance.choice((1, 7, 1_000, 50_000, 300_000))
        await daemon.send_raw(data[:size])
        data = data[size:]


async def test_a_thousand_lines_of_nonsense_disturb_nobody(tmp_path: Path) -> None:
    lines = fuzz.lines(random.Random(SEED), COUNT)
    wanted = Counter(id for line in lines for id in line.ids)
    path = write_scenario(tmp_path, {"turn": [{"text": WORDS}]}, {"forever": [{"turn": [{"text": "Still here."}]}]})
    async with mock_daemon() as daemon:
        session_id = await daemon.start_session(tmp_path, config=mocked(path, delta_ms=10))
        turn_id = (await daemon.request("send_message", session_id=session_id, message="talk"))["turn_id"]
        await daemon.wait_event("text_delta", turn_id=turn_id)
        await feed(daemon, lines)
        await daemon.request("initialize")
        ended = (await daemon.wait_event("turn_completed", turn_id=turn_id))["event"]
        assert (ended["stop_reason"], ended["result"], daemon.text(turn_id)) == ("end_turn", WORDS, WORDS)
        for id in wanted:
            await daemon.wait_response(id)
        answers = [message for message in daemon.messages if "method" not in message]
        counts = Counter(answer["id"] for answer in answers)
        assert {id: counts[id] for id in wanted} == wanted
        defects = [answer for answer in answers if answer.get("error", {}).get("code") == -32603]
        assert defects == []
        assert (await daemon.turn(session_id, "and now?"))["result"] == "Still here."
        assert list(await live(daemon)) == [session_id]
    assert "Traceback" not in daemon.stderr, daemon.stderr[-3000:]


async def test_nonsense_between_headers_disturbs_nobody_either() -> None:
    lines = fuzz.lines(random.Random(SEED + 1), COUNT // 5)
    wanted = {id for line in lines for id in line.ids}
    blocks = (b"Content-Length: -1\r\n\r\n", b"Content-Length: 1e3\r\n\r\n", b"X: y\r\n\r\n", b"\r\n", b"junk\r\n\r\n")
    chance = random.Random(SEED)
    async with raw_daemon() as daemon:
        data = framed({"jsonrpc": "2.0", "id": "first", "method": "initialize"})
        for line in lines:
            data += chance.choice(blocks) if chance.random() < 0.2 else b""
            data += b"Content-Length: %d\r\n\r\n%b" % (len(line.data), line.data)
        data += framed({"jsonrpc": "2.0", "id": "last", "method": "initialize"})
        seen: set[object] = set()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(daemon.send, data)
            while not wanted | {"first", "last"} <= seen:
                message = await daemon.frame()
                seen |= {answer["id"] for answer in (message if isinstance(message, list) else [message])}


async def live(daemon: Daemon) -> dict[str, Json]:
    """The live sessions, by id."""
    sessions = (await daemon.request("list_sessions"))["sessions"]
    return {session["session_id"]: session for session in sessions}
