"""The content of an agent's messages: text and thinking in pieces, floods, enormous and awkwardly split lines.

Owns: how each content part of a turn becomes blocks and deltas.
Refuses: messages and turns as a whole (``turn``), tools (``tools``).
May be imported by: ``turn``.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mock_clis.dialect import delta, encode, tokens_of
from mock_clis.endings import ApiFailed
from mock_clis.tools import ToolRound

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.dialect import Json
    from mock_clis.turn import Turn

DEFAULT_CHUNK = 24
# Lines written at once in a flood: large enough to keep a pipe full, small enough to hear an interrupt in between.
FLOOD_BLOCK_LINES = 512
DEFAULT_SPLIT_PAUSE_MS = 20
# Overrides every delay between deltas, for tests that have no time to look at them.
DELTA_VARIABLE = "MOCK_CLAUDE_DELTA_MS"
# The first byte of a character of several bytes in UTF-8 is at least this.
FIRST_OF_SEVERAL = 0xC0


def _pace(turn: Turn, part: Json) -> tuple[int, float]:
    """Characters in a delta and seconds between deltas: the part's own wish, else the turn's, else the scenario's."""
    wishes = {**turn.player.scenario.settings, **turn.options, **part}
    milliseconds = os.environ.get(DELTA_VARIABLE) or wishes.get("delta_ms", 0)
    return int(wishes.get("chunk", 0)) or DEFAULT_CHUNK, float(milliseconds) / 1000


def _say(turn: Turn, part: Json, text: str, kind: str) -> None:
    chunk, seconds = _pace(turn, part)
    index, pieces = turn.open_block(kind)
    for start in range(0, len(text), chunk):
        piece = text[start : start + chunk]
        if kind == "thinking":
            spent, more = tokens_of(text[: start + chunk]), tokens_of(piece)
            turn.player.say(turn.session.system("thinking_tokens", estimated_tokens=spent, estimated_tokens_delta=more))
        pieces.append(piece)
        turn.stream(delta(index, f"{kind}_delta", kind, piece))
        if seconds:
            turn.player.breathe(seconds)
    if not part.get("open", False):
        turn.close_block()


def _text(turn: Turn, part: Json, place: str) -> None:
    _say(turn, part, str(turn.player.filled(part["text"], place)), "text")


def _thinking(turn: Turn, part: Json, place: str) -> None:
    _say(turn, part, str(turn.player.filled(part["thinking"], place)), "thinking")


def _huge_line(turn: Turn, part: Json, place: str) -> None:
    size = int(part["huge_line"])
    _say(turn, {"chunk": max(1, size)}, "x" * size, "text")


def _flood(turn: Turn, part: Json, place: str) -> None:
    flood, player = part["flood"], turn.player
    text, left = str(flood.get("text", "flood ")), int(flood.get("deltas", 1))
    index, pieces = turn.open_block("text")
    line = b""
    if turn.session.partial_messages:
        event = delta(index, "text_delta", "text", text)
        line = encode(turn.session.stream_event(event, turn.open_message())) + player.newline
    block = line * FLOOD_BLOCK_LINES
    while left > 0:
        count = min(left, FLOOD_BLOCK_LINES)
        player.streams.write(block if count == FLOOD_BLOCK_LINES else line * count)
        pieces.append(text * count)
        left -= count
        player.breathe()
    turn.close_block(flood.get("assistant", True))


def _split_utf8(turn: Turn, part: Json, place: str) -> None:
    text = str(turn.player.filled(part["split_utf8"], place))
    index, pieces = turn.open_block("text")
    pieces.append(text)
    if turn.session.partial_messages:
        event = delta(index, "text_delta", "text", text)
        raw = encode(turn.session.stream_event(event, turn.open_message())) + turn.player.newline
        cut = next((at + 1 for at, byte in enumerate(raw) if byte >= FIRST_OF_SEVERAL), len(raw) // 2)
        turn.player.streams.write(raw[:cut])
        # Nothing may be answered here: it would land inside the line.
        time.sleep(part.get("pause_ms", DEFAULT_SPLIT_PAUSE_MS) / 1000)
        turn.player.streams.write(raw[cut:])
    turn.close_block()


def _tool(turn: Turn, part: Json, place: str) -> None:
    if turn.tool_round is None:
        turn.tool_round = ToolRound(turn, turn.options.get("asks", "in_turn") == "together")
    turn.tool_round.add(part, place)


def _api_error(turn: Turn, part: Json, place: str) -> None:
    raise ApiFailed(turn.player.filled(part["api_error"], place))


CONTENT: dict[str, Callable[[Turn, Json, str], None]] = {
    "text": _text,
    "thinking": _thinking,
    "huge_line": _huge_line,
    "flood": _flood,
    "split_utf8": _split_utf8,
    "tool": _tool,
    "api_error": _api_error,
}
