"""The CLI of the benchmarks: says as many deltas, as large and as fast, as the prompt orders. Run by every adapter.

Its lines are those of `mock_clis` (the shapes of claude 2.1.329); only the loop is its own, because it must never be
what limits an adapter: a flood is one prepared line, written by the hundred. A prompt is an order in JSON:

    {"deltas": 1000, "size": 24}     a flood: deltas of so many characters, as fast as they are taken
    {"deltas": 1000, "rate": 20}     so many a second, each with its number and the monotonic clock: `@7:123456789;`
    {..., "child": 600}              first starts a process that sleeps so long, in a session of its own and deaf
                                     to signals, as the real CLI's shell tool does

Everything that is no stream (`--version`, `auth status`) is left to the shipped mock.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

# Started with -I, which keeps start-up short and the caller's Python settings out.
sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(__file__))))

from mock_clis import dialect, flags

if TYPE_CHECKING:
    from collections.abc import Iterator

LINES_AT_ONCE = 256
"""Lines of a flood in one write: more than any pipe holds, so that the pipe is always full."""

MESSAGE_DELTAS, MESSAGE_CHARACTERS = 2000, 48_000
"""The most that one message of the model holds (but at least one delta); a longer turn has several messages, as a real
one has."""

READ = 1 << 16
SIZE = 24
PLACE = "@@"
"""Stands for the text in a prepared line."""


class Cli:
    """One run of the CLI."""

    def __init__(self, arguments: list[str]) -> None:
        self._session = dialect.Session(flags.parse(arguments), {})
        self._reports_state = bool(os.environ.get("CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS"))

    def run(self) -> int:
        """Serve until the end of input; the exit code."""
        rest = b""
        while chunk := os.read(0, READ):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                if line.strip():
                    self._receive(json.loads(line))
        return 0

    def _receive(self, line: dialect.Json) -> None:
        if line.get("type") == "user":
            self._turn(line)
        elif line.get("type") == "control_request":
            subtype = line["request"].get("subtype")
            answer = self._session.initialize_response() if subtype == "initialize" else {}
            response = {"subtype": "success", "request_id": line["request_id"], "response": answer}
            self._say({"type": "control_response", "response": response})

    def _turn(self, prompt: dialect.Json) -> None:
        session, uuid, started = self._session, prompt.get("uuid"), time.monotonic()
        order = json.loads(dialect.prompt_text(prompt))
        self._state("running")
        self._lifecycle(uuid, "queued", "started")
        self._say(session.init())
        if session.replays_prompts:
            echo = session.user(prompt["message"].get("content"), isReplay=True)
            self._say({**echo, "uuid": uuid or echo["uuid"]})
        if "child" in order:
            _start_child(int(order["child"]))
        count, size, text = int(order["deltas"]), int(order.get("size", SIZE)), ""
        ticks = _ticks(float(order["rate"])) if "rate" in order else None
        per_message = max(1, min(MESSAGE_DELTAS, MESSAGE_CHARACTERS // size))
        for number, start in enumerate(range(0, count, per_message)):
            id = f"msg_bench_{session.results}_{number}"
            text = self._message(id, start, min(per_message, count - start), size, ticks)
        fields: dialect.Json = {"result": text} | ({"user_message_uuids": [uuid]} if uuid else {})
        self._say(session.result(fields, (1, count), started))
        self._lifecycle(uuid, "completed")
        self._state("idle")

    def _message(self, id: str, first: int, count: int, size: int, ticks: Iterator[None] | None) -> str:
        """One message of the model; its text."""
        usage = dialect.message_usage(1, 1)
        head = {"id": id, "type": "message", "role": "assistant", "model": self._session.model, "content": []}
        self._event(id, {"type": "message_start", "message": {**head, "stop_reason": None, "usage": usage}})
        self._event(id, {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
        text = self._flood(id, count, size) if ticks is None else self._pace(id, first, count, ticks)
        self._say(self._session.assistant(id, {"type": "text", "text": text}, usage))
        self._event(id, {"type": "content_block_stop", "index": 0})
        stop = {"stop_reason": "end_turn", "stop_sequence": None}
        self._event(id, {"type": "message_delta", "delta": stop, "usage": {"output_tokens": count}})
        self._event(id, {"type": "message_stop"})
        return text

    def _flood(self, id: str, count: int, size: int) -> str:
        text = ("a quick brown fox jumps " * (size // SIZE + 1))[:size]
        if self._session.partial_messages:
            before, after = self._prepare(id)
            line = before + text.encode() + after
            at_once = max(1, min(LINES_AT_ONCE, (1 << 20) // len(line)))
            block = line * at_once
            for _ in range(count // at_once):
                _write(block)
            _write(line * (count % at_once))
        return text * count

    def _pace(self, id: str, first: int, count: int, ticks: Iterator[None]) -> str:
        before, after = self._prepare(id)
        pieces = []
        for number in range(first, first + count):
            next(ticks)
            pieces.append(f"@{number}:{time.monotonic_ns()};")
            _write(before + pieces[-1].encode() + after)
        return "".join(pieces)

    def _prepare(self, id: str) -> tuple[bytes, bytes]:
        """A delta's line, before and after its text."""
        line = dialect.encode(self._session.stream_event(dialect.delta(0, "text_delta", "text", PLACE), id)) + b"\n"
        before, _, after = line.partition(PLACE.encode())
        return before, after

    def _event(self, id: str, event: dialect.Json) -> None:
        if self._session.partial_messages:
            self._say(self._session.stream_event(event, id))

    def _lifecycle(self, uuid: Any, *states: str) -> None:
        for state in states if isinstance(uuid, str) else ():
            line = {"type": "command_lifecycle", "command_uuid": uuid, "state": state, "uuid": dialect.fresh_id()}
            self._say({**line, "session_id": self._session.session_id})

    def _state(self, state: str) -> None:
        if self._reports_state:
            self._say(self._session.system("session_state_changed", state=state))

    def _say(self, line: dialect.Json) -> None:
        _write(dialect.encode(line) + b"\n")


def _start_child(seconds: int) -> None:
    command = f"trap '' INT TERM HUP; sleep {seconds}"
    subprocess.Popen(["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, start_new_session=True)


def _ticks(rate: float) -> Iterator[None]:
    """Comes back `rate` times a second; a late tick does not move the ones after it."""
    due = time.monotonic()
    while True:
        yield
        due += 1 / rate
        time.sleep(max(0.0, due - time.monotonic()))


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def main(arguments: list[str]) -> int:
    """Be the CLI; its exit code."""
    if "--input-format" not in arguments:
        from mock_clis.claude import main as shipped

        return shipped(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: os._exit(0))
    try:
        return Cli(arguments).run()
    except BrokenPipeError:
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
