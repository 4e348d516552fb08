"""A recorded run of the real CLI, put through the codec and the timeline as a session does it.

Owns: the format of a recording and of what is expected of it. Refuses: processes, clocks and event loops, so the same
recording always gives the same lines. Imported by the golden and property tests and by
`tests.support.regenerate_golden`.

A recording is a file of JSON lines `{"dir": "in" | "out" | "meta", "msg": …}` (or `raw` instead of `msg`, where a line
was no JSON): what the host wrote, what the CLI answered, and how the process ended.
"""

from __future__ import annotations

import json
import signal as signals
from collections import deque
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import msgspec

from adapter.session.endings import completed_event, crashed_turn
from adapter.session.timeline import Timeline
from protocol import jsontext
from protocol.codecs.claude import ClaudeCodec
from protocol.events import EventParams, PermissionResolved, SessionEnded, SessionUpdated, TurnStarted
from protocol.permissions import Decision
from protocol.signals import (
    Compacting,
    MessageBegan,
    PermissionAsked,
    ProcessExited,
    ProviderEvent,
    QuestionWithdrawn,
    TurnBegan,
    TurnEnded,
)
from protocol.turnrecord import TurnRecord

if TYPE_CHECKING:
    from collections.abc import Iterable

    from adapter.session.turn import Turn
    from protocol.events import Event, TurnOrigin

TRANSCRIPTS = Path(__file__).resolve().parent / "transcripts"


def recordings() -> list[Path]:
    """All recordings, by name."""
    return sorted(TRANSCRIPTS.glob("*.jsonl"))


def read(path: Path) -> list[dict[str, Any]]:
    """The entries of a recording."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]


def cli_lines(entries: Iterable[dict[str, Any]]) -> list[bytes]:
    """What the CLI wrote, line by line."""
    return [entry_line(entry) for entry in entries if entry["dir"] == "out"]


def entry_line(entry: dict[str, Any]) -> bytes:
    """One line as it stood on the pipe, without its end."""
    return jsontext.dumps(entry["msg"]) if "msg" in entry else cast("str", entry["raw"]).rstrip("\n").encode()


class Replay:
    """What a parent would have seen of a recorded run, as plain values ready to compare.

    `shown` holds, in order: events (`{"turn_id", "event"}`; `params` has them with their numbers), questions
    (`{"request_permission"}`), withdrawn ones (`{"cancel_request"}`), and what the codec tells the CLI by itself
    (`{"reply"}`).
    """

    def __init__(self) -> None:
        self.codec = ClaudeCodec()
        self.shown: list[dict[str, Any]] = []
        self.params: list[EventParams] = []
        self._timeline = Timeline("session", cast("Any", self))
        self._open: Turn | None = None
        self._turns = self._prompts = 0
        self._calls: dict[str, str] = {}
        self._waiting: deque[dict[str, Any]] = deque()

    def run(self, entries: Iterable[dict[str, Any]]) -> Replay:
        """Take in a whole recording."""
        self._timeline.add_own(self._timeline.known)
        exit_code: int | None = None
        for entry in entries:
            if entry["dir"] == "out":
                self.receive(entry_line(entry))
            elif entry["dir"] == "in":
                self._host_wrote(entry)
            elif entry["dir"] == "meta":
                exit_code = entry.get("msg", {}).get("exit", exit_code)
        self._end(exit_code)
        return self

    def receive(self, line: bytes) -> None:
        """One line of the CLI: a batch of its own, as under a slow pipe."""
        for item in self.codec.receive(line):
            self._take(item)
        self._timeline.flush()
        replies = self.codec.control.take_replies()
        self.shown += [{"reply": json.loads(reply)} for reply in replies.splitlines()]
        self.codec.control.take_answers()
        self._prompt()

    def render(self) -> str:
        """What is shown, one item a line."""
        return "[\n" + ",\n".join(json.dumps(item, ensure_ascii=False) for item in self.shown) + "\n]\n"

    # As the timeline sees a sink

    def backlog(self, session_id: str) -> int:
        """This parent reads at once."""
        return 0

    def emit(self, session_id: str, params: list[EventParams]) -> None:
        """Keep what goes out."""
        self.params += params
        for item in params:
            value = msgspec.to_builtins(item)
            del value["session_id"], value["seq"]
            self.shown.append(value)

    # What the host wrote

    def _host_wrote(self, entry: dict[str, Any]) -> None:
        try:
            message = entry["msg"] if "msg" in entry else json.loads(entry["raw"])
        except ValueError:
            return
        kind = message.get("type") if isinstance(message, dict) else None
        if kind == "user" and isinstance(message.get("message"), dict):
            self._waiting.append(message)
            self._prompt()
        elif kind == "control_response" and isinstance(message.get("response"), dict):
            self._host_decided(message["response"])

    def _prompt(self) -> None:
        """Tell the codec of one message at a time, as a session does; some recorded hosts did not wait."""
        if self._waiting and self.codec.turns.at_rest:
            message = self._waiting.popleft()
            self._prompts += 1
            self.codec.prompt(message.get("uuid") or f"prompt-{self._prompts}", message["message"].get("content"))

    def _host_decided(self, body: dict[str, Any]) -> None:
        answer = body.get("response")
        if not isinstance(answer, dict):
            answer = {}
        allowed = answer.get("behavior") == "allow" or answer.get("action") == "accept"
        decision = Decision("allow" if allowed else "deny", answer.get("updatedInput"), message=answer.get("message"))
        request_id = body.get("request_id", "")
        if self.codec.control.answer(request_id, decision):
            call = self._calls.pop(request_id)
            self._timeline.add_own(PermissionResolved(tool_call_id=call, outcome=decision.outcome, by="parent"))

    # What the CLI says

    def _take(self, item: ProviderEvent) -> None:
        if isinstance(item, TurnBegan):
            self._open = _turn(self._turns, item.origin)
            self._turns += 1
            self._timeline.enter(self._open)
            self._timeline.add_own(TurnStarted(origin=item.origin))
        elif isinstance(item, TurnEnded):
            self._complete(item)
        elif isinstance(item, MessageBegan):
            self._timeline.cut_off_message(item.parent_tool_call_id)
        elif isinstance(item, SessionUpdated):
            self._timeline.learn(item)
        elif isinstance(item, PermissionAsked):
            self._timeline.flush()
            self._calls[item.request_id] = item.tool_call_id
            shown = msgspec.to_builtins(item)
            del shown["owned"]  # no recorded host had tools of its own
            self.shown.append({"request_permission": shown})
        elif isinstance(item, QuestionWithdrawn):
            call = self._calls.pop(item.request_id)
            self._timeline.add_own(PermissionResolved(tool_call_id=call, outcome="cancelled", by="interrupt"))
            self.shown.append({"cancel_request": item.request_id})
        elif not isinstance(item, Compacting | ProcessExited):
            self._timeline.add(cast("Event", item))

    def _complete(self, ended: TurnEnded) -> None:
        if self._open is not None:
            turn, self._open = self._open, None
            self._timeline.leave(turn, completed_event(turn, ended, 0.0))

    def _end(self, exit_code: int | None) -> None:
        signal = signals.Signals(-exit_code).name if exit_code is not None and exit_code < 0 else None
        code = exit_code if signal is None else None
        self._complete(crashed_turn(ProcessExited(exit_code=code, signal=signal, stderr_tail="")))
        self._timeline.close(SessionEnded(reason="stopped", exit_code=code, signal=signal))


def _turn(number: int, origin: TurnOrigin) -> Turn:
    """What the timeline and the endings ask of a turn, without the event loop's parts."""
    stand_in = SimpleNamespace(
        id=f"turn-{number + 1}", origin=origin, record=TurnRecord(), verdict=None, accepted_at=0.0, cut=False
    )
    return cast("Turn", stand_in)
