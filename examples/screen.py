"""What the example shows: the conversation at the left edge, the JSON-RPC traffic between its lines, dim and indented.

Owns: the look. Refuses: to decide anything, and to let what an agent says steer the terminal. Standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from typing import Any

NAME_WIDTH = 8
RUN_SHOWN = 3  # of neighbouring events of one type; the rest of the run is counted
MIN_WIDTH = 60
PLAIN_WIDTH = 160  # where there is no terminal to ask

ARROWS = {"<": "\N{LEFTWARDS ARROW}", ">": "\N{RIGHTWARDS ARROW}"}
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
DIM, BOLD, RED, RESET = "\x1b[2m", "\x1b[1m", "\x1b[31m", "\x1b[0m"


def harmless(text: str) -> str:
    """The text with every control character made visible: escape sequences from afar do not reach the terminal."""
    return "".join(c if c.isprintable() else "\N{SYMBOL FOR NEWLINE}" if c == "\n" else "\N{MIDDLE DOT}" for c in text)


class Screen:
    """Prints to stdout; colours only on a terminal, and not with NO_COLOR set."""

    def __init__(self) -> None:
        self.is_terminal = sys.stdout.isatty()
        self._coloured = self.is_terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._run: tuple[str, int] = ("", 0)  # the type of the newest event, and how many came in a row

    def step(self, text: str) -> None:
        """A new part of the story."""
        self._print(f"\n{text}", BOLD)

    def say(self, who: str, text: str) -> None:
        """A line of the conversation, or several."""
        for number, line in enumerate(text.splitlines() or [""]):
            name = who if number == 0 else ""
            self._print(f"{name:<{NAME_WIDTH}}| {harmless(line)}")

    def failure(self, text: str) -> None:
        """What went wrong."""
        self._print(text, RED)

    def traffic(self, direction: str, message: dict[str, Any]) -> None:
        """One JSON-RPC message, on one line; a long run of one type of event is cut short and counted."""
        params = message.get("params") or {}
        event_type = params.get("event", {}).get("type", "") if message.get("method") == "event" else ""
        name, length = self._run
        if event_type and event_type == name:
            self._run = (name, length + 1)
            if length >= RUN_SHOWN:
                return
        else:
            self._end_run()
            self._run = (event_type, 1)
        width = max(MIN_WIDTH, shutil.get_terminal_size().columns - 1) if self.is_terminal else PLAIN_WIDTH
        line = f"  {ARROWS[direction]} {describe(message)}"
        self._print(line if len(line) <= width else line[: width - 1] + ELLIPSIS, DIM)

    def _end_run(self) -> None:
        name, length = self._run
        if length > RUN_SHOWN:
            self._run = ("", 0)
            self._print(
                f"  \N{LEFTWARDS ARROW} event \N{HORIZONTAL ELLIPSIS} and {length - RUN_SHOWN} more {name}", DIM
            )

    def _print(self, text: str, style: str = "") -> None:
        if style != DIM:
            self._end_run()
        print(f"{style}{text}{RESET}" if style and self._coloured else text, flush=True)


def describe(message: dict[str, Any]) -> str:
    """A JSON-RPC message in one harmless line: what it is first, then its content."""
    method, number = message.get("method"), message.get("id")
    if method == "event":
        params = message.get("params") or {}
        event = dict(params.get("event") or {})
        return f"event {params.get('seq')} {event.pop('type', '?')} {compact(event)}"
    if method is not None:
        kind = "notification" if number is None else f"request {number}"
        return f"{kind} {harmless(str(method))} {compact(message.get('params') or {})}"
    if "error" in message:
        return f"error {number} {compact(message['error'])}"
    if "result" in message:
        return f"result {number} {compact(message['result'])}"
    return compact(message)


def compact(value: object) -> str:
    return harmless(json.dumps(value, ensure_ascii=False, separators=(", ", ": ")))
