"""What a streamed delta costs, counted in calls instead of seconds: the same on every machine, however busy.

Owns: the ceiling of the streaming path, from the CLI's bytes to the write to the parent. How fast that is in seconds is
for `make bench`. Imported by nobody.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import pytest

from adapter.config import Settings
from adapter.faces.base import Surroundings
from adapter.faces.native import NativeFace
from adapter.session.timeline import Timeline
from adapter.session.turn import Turn
from adapter.stdio import Outbox
from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.framing import LineFramer
from protocol.signals import TurnBegan

if TYPE_CHECKING:
    from collections.abc import Iterator

    from protocol.events import Event

# A turn's cancel scope asks which event loop it is in; nothing here waits.
pytestmark = pytest.mark.anyio

CHUNK = 64 * 1024  # what a pipe holds by default on Linux
DELTAS = 2000
MAX_CALLS = 23.0  # measured with Python 3.11, 3.12 and 3.13: 19.4; a fifth more is free, what costs more is looked at
SPREAD = 0.02  # a turn's first lines and its last chunk weigh more in a short transcript


@dataclass(frozen=True)
class Cost:
    """What a transcript took."""

    calls: int
    writes: int
    chunks: int


def transcript(deltas: int) -> bytes:
    """A CLI's output: the beginning of a turn, then deltas."""

    def line(**fields: Any) -> bytes:
        return jsontext.dumps({**fields, "session_id": "0" * 36, "parent_tool_use_id": None, "uuid": "1" * 36}) + b"\n"

    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a quick brown fox "}}
    return line(type="system", subtype="init") + line(type="stream_event", event=delta) * deltas


@pytest.fixture
def null() -> Iterator[int]:
    """A descriptor that takes everything."""
    fd = os.open(os.devnull, os.O_RDWR)
    yield fd
    os.close(fd)


def pass_through(null: int, text: bytes) -> Cost:
    """Send a transcript along the path that the daemon's session goes, and count the calls on the way."""
    nothing = cast("Any", None)
    face = NativeFace(Surroundings(null, Outbox(null), nothing, nothing, Settings(), lambda: None))
    timeline, framer, codec = Timeline("s" * 36, face), LineFramer(1 << 20), ClaudeCodec()
    timeline.enter(Turn("message", "hello", 0.0))
    chunks = [text[at : at + CHUNK] for at in range(0, len(text), CHUNK)]
    handlers: dict[type, bool] = {TurnBegan: True}
    counts = {"call": 0, "c_call": 0, "write": 0}

    def count(_: object, kind: str, function: object) -> None:
        if kind in counts:
            counts[kind] += 1
            counts["write"] += function is os.write

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        for chunk in chunks:
            for frame in framer.feed(chunk):
                for item in codec.receive(cast("bytes", frame)):
                    if not handlers.get(type(item)):
                        timeline.add(cast("Event", item))
            timeline.flush()
    finally:
        sys.setprofile(before)
    return Cost(counts["call"] + counts["c_call"], counts["write"], len(chunks))


async def test_a_delta_costs_no_more_calls_than_it_did(null: int) -> None:
    per_delta = pass_through(null, transcript(DELTAS)).calls / DELTAS
    assert per_delta <= MAX_CALLS


async def test_twice_the_deltas_cost_twice_the_calls(null: int) -> None:
    once, twice = (pass_through(null, transcript(deltas)).calls for deltas in (DELTAS, 2 * DELTAS))
    assert twice / once == pytest.approx(2, rel=SPREAD)


async def test_a_chunk_of_the_cli_is_one_write_to_the_parent(null: int) -> None:
    cost = pass_through(null, transcript(DELTAS))
    assert cost.chunks > 5
    assert cost.writes == cost.chunks
