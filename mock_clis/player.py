"""Plays a scenario: one step after the other, with the parent's lines answered as they come.

Owns: what an incoming line means at any moment, and the open questions to the host.
Refuses: the shape of lines (``dialect``), what a step does (``steps``), the course of a turn (``turn``).
May be imported by: ``claude``; the modules that it plays with know it by type only.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING, Any, NoReturn

from mock_clis import controls, faults
from mock_clis.dialect import Json, Session, encode, fresh_id, prompt_text
from mock_clis.endings import Stopped, TurnAborted, Unexpected
from mock_clis.matching import UnknownName, descend, differences, fill, shorten
from mock_clis.scenario import STEPS, Scenario, ScenarioError, kind_of
from mock_clis.steps import STEP_TABLE
from mock_clis.streams import EXIT_SIGINT, Streams

if TYPE_CHECKING:
    from collections.abc import Callable

    from mock_clis.flags import Flags
    from mock_clis.turn import Turn

# The exit code of the real CLI for a line that it cannot parse, and for an end of input after a failed turn.
EXIT_FAILED = 1


class Question:
    """A control request to the host; ``answer`` is the ``response`` object of its reply once it came."""

    def __init__(self) -> None:
        self.answer: Json | None = None


class Player:
    """The state of one playing: the session, captured values, open questions, and lines not yet asked for."""

    def __init__(self, scenario: Scenario, flags: Flags, streams: Streams) -> None:
        self.scenario = scenario
        self.streams: Streams = streams
        self.session: Session = Session(flags, scenario.settings)
        self.policies: Json = scenario.policies
        self.captures: Json = {}
        self.pending: deque[Json] = deque()
        self.questions: dict[str, Question] = {}
        self.own_requests: set[str] = set()
        self.turn: Turn | None = None
        self.abort_next = False
        self.reports_prompts = True
        self.grandchildren: list[int] = []
        self.newline = b"\r\n" if scenario.settings.get("newline") == "crlf" else b"\n"
        self._expecting: Json | None = None
        self._seen: set[str] = set()

    def play(self) -> None:
        """Play all steps, then idle as the real CLI does; ends by raising Stopped, Unexpected or ScenarioError."""
        self.run(self.scenario.steps, "steps")
        while True:
            self._refuse_leftovers()
            self._end_if_no_input()
            self.streams.poll(None)
            self.digest()

    def finish(self, code: int) -> NoReturn:
        """End the process with ``code``, together with the grandchildren that are to be cleaned up."""
        faults.kill_all(self.grandchildren)
        self.streams.leave(code)

    def run(self, steps: list[Json], where: str) -> None:
        """Play ``steps`` in order; ``where`` is their place in the scenario, for messages."""
        for index, step in enumerate(steps):
            place = f"{where}[{index}]"
            kind = kind_of(step, STEPS)
            if kind is None:
                raise ScenarioError(f"{place}: not a step")
            STEP_TABLE[kind](self, step, place)

    def say(self, line: Json) -> None:
        """Write a line, then look at what has come in meanwhile."""
        self.emit(line)
        self.breathe()

    def emit(self, line: Json, ending: bytes | None = None) -> None:
        """Write a line and look at nothing."""
        self.streams.write(encode(line) + (self.newline if ending is None else ending))

    def breathe(self, seconds: float = 0.0) -> None:
        """Let ``seconds`` pass while input and signals are looked after."""
        self.wait(lambda: False, seconds)

    def wait(self, done: Callable[[], bool], seconds: float | None = None) -> bool:
        """Look after input and signals until ``done()`` or the time is over; says whether it is done."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while not done():
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            self.streams.poll(left)
            self.digest()
            if left == 0.0:
                return done()
        return True

    def digest(self) -> None:
        """Act on a signal and on every line that has come in."""
        if self.streams.interrupted:
            self.streams.interrupted = False
            if self.turn is None:
                raise Stopped(EXIT_SIGINT)
            self.withdraw_questions()
            raise TurnAborted(ends_process=True)
        while self.streams.lines:
            self._receive(self.streams.lines.popleft())

    def expect(self, pattern: Json, where: str, required: bool = False, claim: bool = True) -> Json:
        """The next line that nothing answers by itself, which must match; raises Unexpected otherwise.

        ``claim``: a matching line is taken even if something would answer it by itself.
        """
        pattern = self.filled(pattern, where, whole=False)
        self._expecting = pattern if claim else None
        while not self.pending:
            self._end_if_no_input(where if required else None)
            self.streams.poll(None)
            self.digest()
        self._expecting = None
        line = self.pending.popleft()
        found = differences(pattern, line, self.captures)
        if found:
            raise Unexpected(self._explain(where, pattern, line, found))
        self.captures["line"] = line
        return line

    def expect_prompt(self) -> Json:
        """The next ``user`` line; raises Unexpected for anything else that nothing answers by itself."""
        line = self.expect({"type": "user"}, "the next prompt")
        self.captures["prompt"] = prompt_text(line)
        return line

    def ask(self, request: Json) -> tuple[str, Question]:
        """Send a control request to the host; the question is answered by whatever comes with its id."""
        request_id, question = fresh_id(), Question()
        self.questions[request_id] = question
        self.say({"type": "control_request", "request_id": request_id, "request": request})
        return request_id, question

    def wait_for_answer(self, question: Question, seconds: float | None = None) -> Json | None:
        """The ``response`` object of the answer, or None after ``seconds``; an end of input counts as a failure."""
        self.wait(lambda: question.answer is not None or self.streams.at_eof, seconds)
        if question.answer is None and self.streams.at_eof:
            question.answer = {"subtype": "error", "error": "Stream closed"}
        return question.answer

    def withdraw(self, request_id: str) -> None:
        """Tell the host that a question needs no answer any more; a late answer is ignored."""
        if self.questions.pop(request_id, None) is not None:
            self.emit({"type": "control_cancel_request", "request_id": request_id})

    def withdraw_questions(self) -> None:
        """Withdraw every open question."""
        for request_id, question in list(self.questions.items()):
            if question.answer is None:
                self.withdraw(request_id)
        self.questions.clear()

    def filled(self, template: Any, where: str, whole: bool = True) -> Any:
        """``template`` with names replaced by what they stand for; patterns keep ``"$name"``, which captures."""
        session = self.session
        values = {
            "session_id": session.session_id, "model": session.model, "permission_mode": session.permission_mode,
            "version": session.version, "prompt": "", **self.captures,
        }  # fmt: skip
        try:
            return fill(template, lambda name: fresh_id() if name == "uuid" else descend(name, values), whole)
        except UnknownName as error:
            raise ScenarioError(f"{where}: {error}") from error

    def _receive(self, raw: bytes) -> None:
        if not raw.strip():
            return
        try:
            line = json.loads(raw.decode("utf-8", "replace"))
        except ValueError:
            line = None
        if line is None:
            words = f"Error parsing streaming input line (type=unknown, {len(raw)} chars): SyntaxError"
            raise Stopped(EXIT_FAILED, words)
        if not isinstance(line, dict):
            return
        kind = line.get("type")
        if kind == "user":
            self._take_prompt(line)
        elif self._expecting is not None and not differences(self._expecting, line, {}):
            self._expecting = None
            self.pending.append(line)
        elif kind == "control_request":
            if not isinstance(line.get("request"), dict):
                raise Stopped(EXIT_FAILED, "Error: control_request without a request")
            controls.answer(self, line)
        elif kind == "control_response":
            self._take_answer(line)

    def _take_prompt(self, line: Json) -> None:
        message = line.get("message")
        if not isinstance(message, dict) or message.get("role") != "user":
            raise Stopped(EXIT_FAILED, "Error: Expected message role 'user'")
        if self.turn is not None and self.scenario.settings.get("prompts_while_busy") == "refuse":
            raise Unexpected(f"a prompt came while a turn was running: {shorten(line)}")
        uuid = line.get("uuid")
        if isinstance(uuid, str):
            if uuid in self._seen:
                return
            self._seen.add(uuid)
            self.lifecycle(uuid, "queued")
        if self.turn is not None and line.get("priority") == "now":
            self.pending.appendleft(line)
            self.withdraw_questions()
            raise TurnAborted(steered=True)
        self.pending.append(line)

    def _take_answer(self, line: Json) -> None:
        response = line.get("response")
        if not isinstance(response, dict):
            return
        request_id = response.get("request_id")
        question = self.questions.get(request_id) if isinstance(request_id, str) else None
        if question is not None:
            question.answer = question.answer or response
        elif request_id in self.own_requests:
            self.pending.append(line)

    def lifecycle(self, uuid: str, state: str) -> None:
        """Report the way of a prompt that came with an id (claude 2.1.329 does, 2.1.197 does not)."""
        if not self.reports_prompts:
            return
        self.emit({"type": "command_lifecycle", "command_uuid": uuid, "state": state, "uuid": fresh_id(),
                   "session_id": self.session.session_id})  # fmt: skip

    def _end_if_no_input(self, required_by: str | None = None) -> None:
        if not self.streams.at_eof or self.streams.lines or self.pending:
            return
        if required_by is not None:
            raise Unexpected(f"{self.scenario.name}: {required_by}: the input ended before the line that was expected")
        raise Stopped(EXIT_FAILED if self.session.last_result_was_error else 0)

    def _refuse_leftovers(self) -> None:
        if self.pending:
            raise Unexpected(f"{self.scenario.name}: all steps were played, and then came: {shorten(self.pending[0])}")

    def _explain(self, where: str, pattern: Json, line: Json, found: list[str]) -> str:
        listed = "\n".join(f"    {difference}" for difference in found)
        return (
            f"{self.scenario.name}: {where}: unexpected input\n"
            f"  expected: {shorten(pattern)}\n  got:      {shorten(line)}\n  differences:\n{listed}"
        )
