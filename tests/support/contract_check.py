"""Holds everything that a daemon said in one run against the contract: forms, order, and promises 1 to 3.

Owns: the check of a finished transcript. Refuses: to start or to ask anything. May be imported by: tests.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from protocol.errors import CODES, INTERNAL_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, ErrorKind
from protocol.events import EventParams
from protocol.methods import METHODS, QUESTIONS, PermissionParams

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

Json = dict[str, Any]
Placed = list[tuple[int, Json]]

BARE_CODES = {PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND}
"""Errors of the envelope: JSON-RPC's own, without a kind of ours."""


class Transcript:
    """What was said in one run, sorted.

    Args:
        heard: everything the daemon sent, in order; a batch of answers counts as one message.
        sent: the values the parent sent, in order.
    """

    def __init__(self, heard: Sequence[Any], sent: Iterable[Any]) -> None:
        self.asked: dict[Any, str] = {}
        for value in _flat(sent):
            if isinstance(value, dict) and "id" in value and "method" in value:
                self.asked[value["id"]] = value["method"]
        self.answers: Placed = []
        self.questions: Placed = []
        self.cancelled: Placed = []
        self.sessions: defaultdict[str, Placed] = defaultdict(list)
        for at, message in enumerate(heard):
            for each in message if isinstance(message, list) else [message]:
                self._sort(at, each)

    def _sort(self, at: int, message: Any) -> None:
        assert isinstance(message, dict), f"not a message: {message!r}"
        assert message.get("jsonrpc") == "2.0", f"not JSON-RPC 2.0: {message}"
        method = message.get("method")
        if method is None:
            assert set(message) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), message
            self.answers.append((at, message))
        elif method == "event":
            assert set(message) == {"jsonrpc", "method", "params"}, message
            self.sessions[message["params"]["session_id"]].append((at, message["params"]))
        elif method in QUESTIONS:
            assert set(message) == {"jsonrpc", "id", "method", "params"}, message
            self.questions.append((at, message))
        else:
            assert method == "cancel_request", f"the daemon has no method {method!r}"
            self.cancelled.append((at, message))


def check(heard: Sequence[Any], sent: Iterable[Any], *, finished: bool = True) -> None:
    """Raise AssertionError where the contract is broken.

    Args:
        heard: everything the daemon sent.
        sent: what the parent sent, as values.
        finished: whether the daemon came to its own end, so that nothing may be missing either.
    """
    said = Transcript(heard, sent)
    _check_answers(said, finished)
    _check_questions(said, finished)
    for session_id, placed in said.sessions.items():
        events = [params for _, params in placed]
        _check_forms(events)
        _check_session(session_id, events, finished)
        _check_turns(events, finished)
    _check_order(said)
    if finished:
        _check_every_turn_completed(said)


def _flat(values: Iterable[Any]) -> Iterator[Any]:
    for value in values:
        if isinstance(value, list):
            yield from value
        else:
            yield value


def _check_answers(said: Transcript, finished: bool) -> None:
    counts = Counter(answer["id"] for _, answer in said.answers if answer["id"] is not None)
    twice = [id for id in said.asked if counts[id] > 1]
    assert not twice, f"answered more than once: {twice}"
    unanswered = [(id, method) for id, method in said.asked.items() if not counts[id]]
    assert not (finished and unanswered), f"never answered: {unanswered}"
    for _, answer in said.answers:
        if "error" in answer:
            _check_error(answer["error"])
        elif (method := said.asked.get(answer["id"])) is not None:
            METHODS[method].result.model_validate(answer["result"])


def _check_error(error: Json) -> None:
    assert set(error) <= {"code", "message", "data"}, f"members that no error has: {error}"
    assert error["message"], error
    assert error["code"] != INTERNAL_ERROR, f"a defect of the daemon: {error}"
    if error["code"] in BARE_CODES:
        return
    data = error["data"]
    assert CODES[ErrorKind(data["kind"])] == error["code"], f"kind and code differ: {error}"
    if data["kind"] == ErrorKind.INVALID_PARAMS:
        assert data["errors"], error
        assert all(set(item) == {"path", "message"} for item in data["errors"]), error


def _check_questions(said: Transcript, finished: bool) -> None:
    ids = [question["id"] for _, question in said.questions]
    assert len(ids) == len(set(ids)), f"an id of a question was used twice: {ids}"
    first = {question["id"]: at for at, question in said.questions}
    for at, message in said.cancelled:
        assert set(message["params"]) == {"id"}, message
        assert first.get(message["params"]["id"], at) < at, f"a question was cancelled that is not open: {message}"
    asked: Counter[tuple[str, str]] = Counter()
    for _, question in said.questions:
        params = QUESTIONS[question["method"]].params.model_validate(question["params"])
        # A session that is stopped while it starts says nothing, not even how that question ended.
        if isinstance(params, PermissionParams) and params.session_id in said.sessions:
            asked[params.session_id, params.tool_call_id] += 1
    resolved = Counter(
        (session_id, params["event"]["tool_call_id"])
        for session_id, placed in said.sessions.items()
        for _, params in placed
        if params["event"]["type"] == "permission_resolved"
    )
    if finished:
        # A question that is withdrawn before it was put to the parent is resolved all the same.
        missing = asked - resolved
        assert not missing, f"questions that were never resolved: {missing}"


def _check_forms(events: list[Json]) -> None:
    for params in events:
        decoded = msgspec.convert(params, EventParams)
        assert msgspec.to_builtins(decoded) == params, f"members that the model does not have: {params}"


def _check_session(session_id: str, events: list[Json], finished: bool) -> None:
    numbers = [params["seq"] for params in events]
    assert numbers == list(range(1, len(numbers) + 1)), f"seq of {session_id} has gaps or steps back: {numbers[:50]}"
    kinds = Counter(params["event"]["type"] for params in events)
    assert events[0]["event"]["type"] == "session_started", events[0]
    assert kinds["session_started"] == 1, "session_started came twice"
    allowed = (1,) if finished else (0, 1)
    assert kinds["session_ended"] in allowed, f"session_ended came {kinds['session_ended']} times: {events[-3:]}"
    if kinds["session_ended"]:
        assert events[-1]["event"]["type"] == "session_ended", f"after session_ended: {events[-1]}"
    for params in events:
        if params["event"]["type"] in ("session_started", "session_ended"):
            assert params["turn_id"] is None, params


def _check_turns(events: list[Json], finished: bool) -> None:
    turns: defaultdict[str, list[Json]] = defaultdict(list)
    running: str | None = None
    for params in events:
        turn_id, event = params["turn_id"], params["event"]
        if turn_id is None:
            assert event["type"] not in ("turn_started", "turn_completed"), params
            continue
        if event["type"] == "turn_started":
            assert running is None, f"turn {turn_id} began in the middle of {running}"
            running = turn_id
        assert running == turn_id, f"an event of turn {turn_id} outside of it: {event}"
        turns[turn_id].append(event)
        if event["type"] == "turn_completed":
            running = None
    for turn_id, inside in turns.items():
        kinds = Counter(event["type"] for event in inside)
        assert inside[0]["type"] == "turn_started", inside[0]
        assert kinds["turn_started"] == 1, f"turn {turn_id} began twice"
        if finished or kinds["turn_completed"]:
            assert inside[-1]["type"] == "turn_completed", f"turn {turn_id} did not end: {inside[-1]}"
            _check_finished_turn(inside)


def _check_finished_turn(inside: list[Json]) -> None:
    completed = inside[-1]
    assert completed["is_error"] == (completed["error"] is not None), completed
    assert (completed["stop_reason"] == "error") == completed["is_error"], completed
    started = [event["tool_call_id"] for event in inside if event["type"] == "tool_call_started"]
    outputs = [event["tool_call_id"] for event in inside if event["type"] == "tool_call_output"]
    assert len(started) == len(set(started)), f"a tool call began twice: {started}"
    assert Counter(started) == Counter(outputs), f"tool calls {started} have the outputs {outputs}"
    assert _spoken(inside, "text_delta") == _spoken(inside, "message"), "deltas and messages differ"


def _spoken(inside: list[Json], kind: str) -> dict[str | None, str]:
    """What each agent said, by deltas or by messages."""
    spoken: defaultdict[str | None, list[str]] = defaultdict(list)
    for event in inside:
        if event["type"] != kind or event.get("role", "assistant") != "assistant":
            continue
        text = event["text"] if kind == "text_delta" else "".join(block.get("text", "") for block in event["content"])
        if text:
            spoken[event["parent_tool_call_id"]].append(text)
    return {agent: "".join(texts) for agent, texts in spoken.items()}


def _check_order(said: Transcript) -> None:
    first_of_session = {session_id: placed[0][0] for session_id, placed in said.sessions.items()}
    first_of_turn: dict[str, int] = {}
    for placed in said.sessions.values():
        for at, params in placed:
            if params["turn_id"] is not None:
                first_of_turn.setdefault(params["turn_id"], at)
    for at, answer in said.answers:
        method, result = said.asked.get(answer["id"]), answer.get("result")
        if result is None:
            continue
        if method == "start_session":
            assert at < first_of_session.get(result["session_id"], at + 1), "an event came before its session's answer"
        elif method == "send_message":
            assert at < first_of_turn.get(result["turn_id"], at + 1), "an event came before its message's answer"


def _check_every_turn_completed(said: Transcript) -> None:
    accepted = [
        answer["result"]["turn_id"]
        for _, answer in said.answers
        if "result" in answer and said.asked.get(answer["id"]) == "send_message"
    ]
    assert len(accepted) == len(set(accepted)), f"two messages have one turn: {accepted}"
    completed = Counter(
        params["turn_id"]
        for placed in said.sessions.values()
        for _, params in placed
        if params["event"]["type"] == "turn_completed"
    )
    wrong = {turn_id: completed[turn_id] for turn_id in accepted if completed[turn_id] != 1}
    assert not wrong, f"accepted messages and how often their turn was completed: {wrong}"
