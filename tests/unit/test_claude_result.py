"""How a `result` line of Claude Code ends a turn: stop reason, error, cost, usage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from protocol.codecs.claude_result import ResultReader
from protocol.errors import ErrorKind
from protocol.events import TurnUsage, Usage

if TYPE_CHECKING:
    from protocol.signals import TurnEnded

USAGE = {"input_tokens": 10, "output_tokens": 9, "cache_read_input_tokens": 1, "cache_creation_input_tokens": 2}


def line(**members: Any) -> dict[str, Any]:
    return {"type": "result", "subtype": "success", "is_error": False, **members}


def read(value: dict[str, Any], failure: str | None = None) -> TurnEnded:
    reader = ResultReader()
    if failure is not None:
        reader.note_failure(failure)
    return reader.read(value, [])


EDE = {"subtype": "error_during_execution", "is_error": True, "errors": ["[ede_diagnostic] x"]}


@pytest.mark.parametrize(
    ("value", "failure", "reason"),
    [
        (line(stop_reason="end_turn", terminal_reason="completed"), None, "end_turn"),
        (line(stop_reason=None), None, "end_turn"),
        (line(stop_reason="tool_use"), None, "end_turn"),
        (line(stop_reason="stop_sequence"), None, "end_turn"),
        (line(stop_reason="max_tokens"), None, "max_tokens"),
        (line(stop_reason="model_context_window_exceeded"), None, "max_tokens"),
        (line(stop_reason="refusal"), None, "refusal"),
        (line(stop_reason="refusal", is_error=True), "invalid_request", "refusal"),
        (line(is_error=True), "max_output_tokens", "max_tokens"),
        (line(is_error=True, stop_reason="stop_sequence", result="API Error"), "server_error", "error"),
        (line(is_error=True), None, "error"),
        (line(**EDE), None, "error"),
        (line(**EDE, terminal_reason="aborted_streaming"), None, "interrupted"),
        (line(**EDE, terminal_reason="aborted_tools"), None, "interrupted"),
        (line(terminal_reason="aborted_streaming", result="part"), None, "interrupted"),
        (line(is_error=True, terminal_reason="api_error"), "rate_limit", "error"),
        (line(subtype="error_max_turns", is_error=True, errors=["Reached …"]), None, "max_turns"),
        (line(subtype="error_max_budget_usd", is_error=True), None, "max_budget"),
        (line(subtype="error_of_the_future", is_error=True), None, "error"),
        (line(subtype=["x"], stop_reason={}, terminal_reason=5), None, "end_turn"),
        ({}, None, "end_turn"),
    ],
)
def test_the_stop_reason_is_the_contracts(value: dict[str, Any], failure: str | None, reason: str) -> None:
    ended = read(value, failure)
    assert ended.stop_reason == reason
    assert (ended.error is not None) == (reason == "error")


@pytest.mark.parametrize(
    ("members", "failure", "kind", "status", "message"),
    [
        ({"result": "API Error: 400 x", "api_error_status": 400}, "unknown", ErrorKind.API_ERROR, 400, "API Error"),
        ({"result": "Down"}, "server_error", ErrorKind.API_ERROR, None, "Down"),
        ({"result": "Slow", "api_error_status": 429}, None, ErrorKind.API_ERROR, 429, "Slow"),
        ({"result": "x", "api_error_status": 401}, None, ErrorKind.NOT_AUTHENTICATED, 401, "x"),
        ({"result": "Log in"}, "authentication_failed", ErrorKind.NOT_AUTHENTICATED, None, "Log in"),
        ({"result": "API Error: Repeated 529 Overloaded errors."}, None, ErrorKind.API_ERROR, 529, "Repeated"),
        ({"errors": ["one", 2]}, None, ErrorKind.PROTOCOL_ERROR, None, "one; 2"),
        ({}, None, ErrorKind.PROTOCOL_ERROR, None, "without a text"),
        ({"errors": 5, "result": {}, "api_error_status": "x"}, None, ErrorKind.PROTOCOL_ERROR, None, "without a text"),
        ({"errors": [], "result": ""}, None, ErrorKind.PROTOCOL_ERROR, None, "without a text"),
    ],
)
def test_an_error_says_who_failed_and_what_was_said(
    members: dict[str, Any], failure: str | None, kind: ErrorKind, status: int | None, message: str
) -> None:
    error = read(line(is_error=True, **members), failure).error
    assert error is not None
    assert error.kind == kind
    assert message in error.message
    if kind is ErrorKind.PROTOCOL_ERROR:
        assert not isinstance(error.api_status, int)
    else:
        assert error.api_status == status
    assert isinstance(error.hint, str) == (kind is ErrorKind.NOT_AUTHENTICATED)


def test_a_failure_belongs_to_one_turn_only() -> None:
    reader = ResultReader()
    reader.note_failure("server_error")
    assert reader.read(line(is_error=True), []).error is not None
    error = reader.read(line(is_error=True), []).error
    assert error is not None
    assert error.kind is ErrorKind.PROTOCOL_ERROR


def test_a_turn_costs_what_the_running_total_rose_by() -> None:
    reader = ResultReader()
    totals = [0.25, 0.75, 0.75, 0.5, None, "x", True, 1e400, 0.625]
    costs = [reader.read(line(total_cost_usd=total), []).cost_usd for total in totals]
    assert costs == [0.25, 0.5, 0.0, 0.0, None, None, None, None, 0.125]
    assert ResultReader().read(line(), []).cost_usd is None


def test_a_cost_is_not_blurred_by_binary_fractions() -> None:
    reader = ResultReader()
    reader.read(line(total_cost_usd=0.1), [])
    assert reader.read(line(total_cost_usd=0.3), []).cost_usd == 0.2


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        (USAGE, TurnUsage(**USAGE)),
        ({"input_tokens": 5, "server_tool_use": {}, "output_tokens": None}, TurnUsage(input_tokens=5)),
        ({"input_tokens": True, "output_tokens": 1.5, "cache_read_input_tokens": "3"}, None),
        ({}, None),
        (None, None),
        ([1], None),
    ],
)
def test_a_turns_usage_is_its_own(usage: Any, expected: TurnUsage | None) -> None:
    assert read(line(usage=usage)).usage == expected


def test_a_turn_that_told_no_calls_usage_tells_it_at_its_end() -> None:
    reader, out = ResultReader(), list[Any]()
    reader.read(line(usage=USAGE, modelUsage={"m": {"contextWindow": 200_000}}), out)
    assert out == [Usage(**USAGE, context_window=200_000)]
    reader.usage_sent = True
    reader.read(line(usage=USAGE), out)
    assert len(out) == 1
    reader.read(line(usage=USAGE), out)
    assert len(out) == 2, "it has to be told anew for each turn"
    reader.read(line(usage=None), out)
    assert len(out) == 2


@pytest.mark.parametrize(
    ("models", "window"),
    [
        ({"a": {"contextWindow": 200_000}, "b": {"contextWindow": 1_000_000}}, 1_000_000),
        ({"a": {"contextWindow": None}}, 5),
        ({"a": {"contextWindow": True}}, 5),
        ({"a": "x"}, 5),
        ({}, 5),
        ([], 5),
        (None, 5),
    ],
)
def test_the_context_window_is_the_largest_that_was_told_and_stays_known(models: Any, window: int) -> None:
    reader = ResultReader()
    assert reader.context_window() == {}
    reader.read(line(modelUsage={"m": {"contextWindow": 5}}), [])
    reader.read(line(modelUsage=models), [])
    assert reader.context_window() == {"context_window": window}


def test_text_and_structured_output_are_passed_on() -> None:
    ended = read(line(result="done", structured_output={"a": 1}, duration_ms=12.7, num_turns=3))
    assert (ended.result, ended.structured_output, ended.has_structured_output) == ("done", {"a": 1}, True)
    assert (ended.duration_ms, ended.num_turns) == (12, 3)
    bare = read(line(result=None))
    assert (bare.result, bare.has_structured_output, bare.duration_ms, bare.num_turns) == (None, False, None, None)
    assert read(line(structured_output=None)).has_structured_output
    assert read(line(result=5)).result is None


@pytest.mark.parametrize("value", [True, "5", None, [], float("inf"), -float("inf"), 2**80])
def test_a_count_that_is_none_is_left_out(value: Any) -> None:
    ended = read(line(duration_ms=value, num_turns=value))
    assert (ended.duration_ms, ended.num_turns) == (None, None)
