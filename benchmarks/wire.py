"""What a parent of ours decodes of the daemon's messages, and the check that it got everything it was promised."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from benchmarks.latency import STAMP
from benchmarks.link import WAIT_S, Failed

if TYPE_CHECKING:
    from benchmarks.link import Link


class Event(msgspec.Struct):
    """The fields that a check needs."""

    type: str = ""
    text: str = ""
    is_error: bool = False


class Params(msgspec.Struct):
    """The params of an `event`."""

    session_id: str = ""
    seq: int = 0
    event: Event | None = None


class Message(msgspec.Struct):
    """Any message of the daemon."""

    method: str = ""
    params: Params | None = None


decode = msgspec.json.Decoder(Message).decode


@dataclass
class Heard:
    """What came of one session."""

    seq: int = 0
    characters: int = 0
    stamps: int = 0
    completed: int = 0
    at: list[tuple[float, float]] = field(default_factory=list)
    """Of each stamped delta: seconds of arrival and seconds on its way."""


class Ear:
    """Hears the sessions of one daemon, and raises Failed where a number is skipped or a turn fails."""

    def __init__(self, link: Link, sessions: list[str]) -> None:
        self._link = link
        self.heard = {session: Heard() for session in sessions}

    def listen(self, turns: int, within: float) -> None:
        """Read until each session has completed `turns` turns. Raises Failed where it takes longer than `within`."""
        deadline = time.perf_counter() + within
        open = sum(max(0, turns - heard.completed) for heard in self.heard.values())
        while open:
            if time.perf_counter() > deadline:
                raise Failed(f"{open} turns were not completed within {within:g} s")
            lines = self._link.lines(WAIT_S)
            now = time.monotonic_ns()
            for line in lines:
                open -= self._take(line, now)

    def _take(self, line: bytes, now: int) -> int:
        params = decode(line).params
        if params is None or params.event is None:
            return 0
        heard, event = self.heard[params.session_id], params.event
        if heard.seq and params.seq != heard.seq + 1:
            raise Failed(f"event {heard.seq} was followed by {params.seq}")
        heard.seq = params.seq
        if event.type == "text_delta":
            heard.characters += len(event.text)
            for number, stamp in STAMP.findall(event.text.encode()):
                if int(number) != heard.stamps:
                    raise Failed(f"delta {heard.stamps} was followed by {int(number)}")
                heard.stamps += 1
                heard.at.append((now / 1e9, (now - int(stamp)) / 1e9))
        elif event.type == "turn_completed":
            if event.is_error:
                raise Failed("a turn ended with an error")
            heard.completed += 1
            return 1
        return 0
