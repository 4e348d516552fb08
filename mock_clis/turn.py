"""The course of one turn, from ``system/init`` to ``result``.

Owns: the order of lines in a turn (measured with claude 2.1.329) and the way a turn ends: completed, failed at the
model's server, or interrupted.
Refuses: the parts themselves (``content``), tools and permission questions (``tools``).
May be imported by: ``steps``.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from mock_clis.content import CONTENT
from mock_clis.dialect import Json, delta, message_usage, prompt_text, tokens_of
from mock_clis.endings import ApiFailed, Stopped, TurnAborted
from mock_clis.scenario import PARTS, STEPS, kind_of
from mock_clis.tools import ToolRound

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.player import Player

# A fixed part for the system prompt, so that the numbers look like a conversation's.
PROMPT_OVERHEAD_TOKENS = 12
NOT_LOGGED_IN = "Not logged in · Please run /login"
SIGNATURE = "bW9jaw=="
STATE_VARIABLE = "CLAUDE_CODE_EMIT_SESSION_STATE_EVENTS"
VOCABULARY = {**STEPS, **PARTS}


class Turn:
    """One turn; ``prompt`` is the line that asked for it, or None for a turn that the CLI starts by itself."""

    def __init__(self, player: Player, options: Json, prompt: Json | None, where: str) -> None:
        self.player = player
        self.session = player.session
        self.options = options
        self.prompt = prompt
        self.where = where
        self.started = time.monotonic()
        self.spent_in = tokens_of(prompt_text(prompt or {})) + PROMPT_OVERHEAD_TOKENS
        self.spent_out = 0
        self.rounds = 0
        self.denials: list[Json] = []
        self.final_text = ""
        self.unfinished: list[Json] = []
        self._message_id: str | None = None
        self._blocks = 0
        self._spent_before = 0
        self._open: tuple[str, list[str]] | None = None
        self.tool_round: ToolRound | None = None

    def play(self) -> None:
        """Play the turn to its ``result``; raises Stopped after a SIGINT."""
        player = self.player
        player.turn = self
        try:
            self._start()
            self.run(self.options["turn"], f"{self.where}.turn")
            self.close_message("end_turn")
        except TurnAborted as aborted:
            self._abort(steered=aborted.steered)
            if aborted.ends_process:
                raise Stopped(0) from aborted
        except ApiFailed as failed:
            self._fail(failed.args[0])
        else:
            self._finish({"result": self.final_text, "num_turns": max(1, self.rounds)})

    def run(self, parts: list[Json], where: str) -> None:
        """Play parts of a turn: content, tools, and ordinary steps."""
        for index, part in enumerate(parts):
            place = f"{where}[{index}]"
            kind = kind_of(part, VOCABULARY)
            if kind != "tool":
                self._run_tools()
            if kind in CONTENT:
                CONTENT[kind](self, part, place)
            else:
                self.player.run([part], where)
        self._run_tools()

    def open_message(self) -> str:
        """Begin a message of the model unless one is open; gives its id."""
        if self._message_id is None:
            self.rounds += 1
            self._spent_before = self.spent_out
            self._message_id = f"msg_mock_{self.session.results + 1}_{self.rounds}"
            self._blocks = 0
            self.final_text = ""
            self.player.say(self.session.system("status", status="requesting"))
            message: Json = {
                "id": self._message_id, "type": "message", "role": "assistant", "model": self.session.model,
                "content": [], "stop_reason": None, "stop_sequence": None, "usage": self._start_usage(),
            }  # fmt: skip
            self.stream({"type": "message_start", "message": message})
        return self._message_id

    def close_message(self, stop_reason: str | None, before_stop: Callable[[], None] | None = None) -> None:
        """End the open message, if any; ``before_stop`` runs at the place where the CLI may ask for permission."""
        if self._message_id is None:
            return
        self.close_block()
        change = {"stop_reason": stop_reason, "stop_sequence": None}
        self.stream(
            {
                "type": "message_delta",
                "delta": change,
                "usage": {"output_tokens": max(1, self.spent_out - self._spent_before)},
            }
        )
        if before_stop is not None:
            before_stop()
        self.stream({"type": "message_stop"})
        self._message_id = None

    def block(self, content: Json) -> int:
        """Begin a content block of the open message; gives its index."""
        self.close_block()
        self.open_message()
        index = self._blocks
        self._blocks += 1
        self.stream({"type": "content_block_start", "index": index, "content_block": content})
        return index

    def open_block(self, kind: str) -> tuple[int, list[str]]:
        """Begin a block of text or thinking; gives its index and the list to which its pieces are to be added."""
        index = self.block({"type": kind, kind: "", **({"signature": ""} if kind == "thinking" else {})})
        pieces: list[str] = []
        self._open = (kind, pieces)
        return index, pieces

    def finish_block(self, index: int, content: Json, between: Callable[[], None] | None = None) -> None:
        """Say the whole block on a line of its own and then end it, in the order of the real CLI."""
        self.player.say(self.session.assistant(self.open_message(), content, self._start_usage()))
        if between is not None:
            between()
        self.stream({"type": "content_block_stop", "index": index})

    def stream(self, event: Json) -> None:
        """Pass on a piece of the model's stream, if the parent wants partial messages."""
        if self.session.partial_messages:
            self.player.say(self.session.stream_event(event, self._message_id or ""))
        else:
            self.player.breathe()

    def state(self, state: str) -> None:
        """Report the state of the session where the environment asks for it."""
        if os.environ.get(STATE_VARIABLE):
            self.player.emit(self.session.system("session_state_changed", state=state))

    def close_block(self, assistant: bool = True) -> None:
        """End a block that was left open."""
        if self._open is None:
            return
        (kind, pieces), self._open = self._open, None
        text, index = "".join(pieces), self._blocks - 1
        self.spent_out += tokens_of(text)
        if kind == "thinking":
            self.stream(delta(index, "signature_delta", "signature", SIGNATURE))
            self.finish_block(index, {"type": "thinking", "thinking": text, "signature": SIGNATURE})
            return
        self.final_text += text
        if assistant:
            self.finish_block(index, {"type": "text", "text": text})
        else:
            self.stream({"type": "content_block_stop", "index": index})

    def _start(self) -> None:
        player, session = self.player, self.session
        self.state("running")
        uuid = (self.prompt or {}).get("uuid")
        if isinstance(uuid, str):
            player.lifecycle(uuid, "started")
        player.emit(session.init())
        if self.prompt is not None and session.replays_prompts:
            replayed = session.user(self.prompt["message"].get("content"), isReplay=True)
            player.emit({**replayed, "uuid": uuid or replayed["uuid"]})
        aborted, player.abort_next = player.abort_next, False
        if aborted:
            raise TurnAborted
        player.breathe()
        if not session.logged_in:
            raise ApiFailed({"text": NOT_LOGGED_IN, "kind": "authentication_failed", "status": None})

    def _start_usage(self) -> Json:
        return message_usage(self.spent_in, 1)

    def _run_tools(self) -> None:
        if self.tool_round is not None:
            finished, self.tool_round = self.tool_round, None
            finished.run()

    def _fail(self, error: Json) -> None:
        self.spent_in = self.spent_out = 0
        text, status, kind = error.get("text", "API Error"), error.get("status"), error.get("kind", "server_error")
        self.player.emit(self.session.api_error(text, kind, status, error.get("type")))
        fields: Json = {
            "is_error": True, "result": text, "stop_reason": "stop_sequence", "terminal_reason": "api_error",
            "api_error_status": status,
        }  # fmt: skip
        if status is not None:
            fields["api_error_type"] = error.get("type", "api_error")
        self._finish(fields)

    def _abort(self, *, steered: bool) -> None:
        emit, session, calls = self.player.emit, self.session, self.unfinished
        if calls:
            for call in calls:
                emit(ToolRound.rejection(session, call["id"]))
                denial = {"tool_name": call["name"], "tool_use_id": call["id"], "tool_input": call["input"]}
                if denial not in self.denials:
                    self.denials.append(denial)
        elif self._open is not None and self._message_id is not None:
            kind, pieces = self._open
            block = {"type": kind, kind: "".join(pieces)}
            if pieces and kind == "text":
                emit({**session.assistant(self._message_id, block, self._start_usage()), "aborted": True})
        stop_reason, reason = ("tool_use", "aborted_tools") if calls else (None, "aborted_streaming")
        if steered:
            # The real CLI lets a running tool finish first; a call of the mock's has no work of its own to finish.
            self._end_stream_at_once()
            self._finish(
                {
                    "result": self.final_text,
                    "stop_reason": stop_reason,
                    "terminal_reason": reason,
                    "num_turns": self.rounds,
                }
            )
            return
        tail = " for tool use" if calls else ""
        emit(session.user([{"type": "text", "text": f"[Request interrupted by user{tail}]"}]))
        self._end_stream_at_once()
        note = f"[ede_diagnostic] result_type=user last_content_type=n/a stop_reason={stop_reason or 'null'}"
        self._finish({
            "subtype": "error_during_execution", "is_error": True, "errors": [note], "stop_reason": stop_reason,
            "terminal_reason": reason, "num_turns": self.rounds + 1,
        })  # fmt: skip

    def _end_stream_at_once(self) -> None:
        if self._message_id is None or not self.session.partial_messages:
            return
        ends: list[Json] = [{"type": "content_block_stop", "index": self._blocks - 1}] if self._open is not None else []
        change = {"stop_reason": None, "stop_sequence": None}
        ends.append({"type": "message_delta", "delta": change, "usage": {"output_tokens": 1}})
        ends.append({"type": "message_stop"})
        for event in ends:
            self.player.emit(self.session.stream_event(event, self._message_id))

    def _finish(self, fields: Json) -> None:
        player, uuid = self.player, (self.prompt or {}).get("uuid")
        player.turn = None
        fields["permission_denials"] = self.denials
        if "origin" in self.options:
            fields["origin"] = self.options["origin"]
        if isinstance(uuid, str):
            fields["user_message_uuids"] = [uuid]
        fields["queued_turn_count"] = sum(line.get("type") == "user" for line in player.pending)
        fields.update(player.filled(self.options.get("result", {}), f"{self.where}.result"))
        line = self.session.result(fields, (self.spent_in, self.spent_out), self.started)
        player.emit(line, b"" if self.options.get("no_newline_at_end") else None)
        if isinstance(uuid, str) and not self.options.get("no_newline_at_end"):
            player.lifecycle(uuid, "completed")
        self.state("idle")
