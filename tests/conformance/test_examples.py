"""SPEC.md's examples are real: every message in them passes the models that the daemon itself uses.

Owns: how a message of an example is matched with its model. Refuses: to run a conversation. Imported by nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import msgspec
import pytest

from adapter.dispatch import Dispatcher
from adapter.peer import Call
from protocol import events, jsonrpc, jsontext
from protocol.errors import CODES, JSONRPC_KINDS
from protocol.hooks import parse_hook_answer
from protocol.methods import METHODS, QUESTIONS
from protocol.permissions import parse_decision
from protocol.signals import PermissionAsked
from protocol.tools import parse_tool_result
from protocol.turnrecord import NO_OUTPUT
from tests.support import spec
from tests.support.alone import run_alone

if TYPE_CHECKING:
    from tests.support.spec import Shown

CODE_OF = {kind.value: code for kind, code in CODES.items()} | {kind: code for code, kind in JSONRPC_KINDS.items()}
EXCHANGES = spec.exchanges()
UNANSWERED = {"rpc.discover", "request_permission"}
"""A document that would fill pages; a question that is taken back."""


def check_event(params: Any) -> None:
    """An event must hold exactly the fields that the daemon would send."""
    event = msgspec.convert(params, events.EventParams)
    assert msgspec.to_builtins(event) == params


def asked_of(params: Any) -> PermissionAsked:
    """The question that a `request_permission` puts."""
    told = {name: value for name, value in params.items() if name not in ("session_id", "turn_id")}
    return PermissionAsked(request_id="r", **told)


def check_request(message: Shown) -> None:
    """A request or notification must be one of its side's, and the daemon's params what it would send."""
    method, params = message.value["method"], message.value.get("params", {})
    if message.sender == "parent":
        assert method in METHODS
    elif method == "event":
        check_event(params)
    elif method in QUESTIONS:
        assert QUESTIONS[method].params.model_validate(params).model_dump() == params
    else:
        assert (method, list(params)) == ("cancel_request", ["id"])
    assert ("id" in message.value) == (message.sender == "parent" or method in QUESTIONS)


def check_answer(asked: Shown, answer: Any) -> None:
    """An answer must be what this method gives."""
    method, params = asked.value["method"], asked.value.get("params", {})
    if "error" in answer:
        check_error(method, params, answer["error"])
    elif asked.sender == "daemon":
        QUESTIONS[method].answer.model_validate(answer["result"])
        if method == "request_permission":
            parse_decision(answer["result"], asked_of(params))
        elif method == "call_tool":
            parse_tool_result(answer["result"])
        else:
            parse_hook_answer(answer["result"], params["event"])
    else:
        METHODS[method].params.model_validate(params)
        model = METHODS[method].result
        result = model.model_validate_json(jsontext.dumps(answer["result"]), strict=True)
        assert result.model_dump(mode="json") == answer["result"]


def check_error(method: str, params: Any, error: Any) -> None:
    """An error must be one that this method gives; that of invalid params, the very one."""
    assert set(error) == {"code", "message", "data"}
    kind = error["data"]["kind"]
    assert CODE_OF[kind] == error["code"]
    if kind == "invalid_params":
        assert error == run_alone(error_of, method, params)
    else:
        METHODS[method].params.model_validate(params)
        assert kind in METHODS[method].errors


async def error_of(method: str, params: Any) -> Any:
    """What the dispatcher says to these params."""

    async def never(call: Call, valid: Any) -> dict[str, Any]:
        raise AssertionError("these params are valid")

    reply = await Dispatcher({method: (METHODS[method].params, never)}).serve(Call(jsonrpc.Request(1, method, params)))
    assert reply is not None
    return reply["error"]


@pytest.mark.parametrize("exchange", EXCHANGES, ids=range(len(EXCHANGES)))
def test_every_message_of_an_example_passes_the_models(exchange: list[Shown]) -> None:
    open_requests: dict[tuple[str, Any], Shown] = {}
    for message in exchange:
        assert message.value["jsonrpc"] == "2.0"
        assert not isinstance(jsonrpc.parse(jsontext.dumps(message.value)), jsonrpc.Malformed)
        if "method" in message.value:
            check_request(message)
            if "id" in message.value:
                open_requests[message.sender, message.value["id"]] = message
        else:
            asker = "daemon" if message.sender == "parent" else "parent"
            check_answer(open_requests.pop((asker, message.value["id"])), message.value)
    assert {asked.value["method"] for asked in open_requests.values()} <= UNANSWERED


@pytest.mark.spec("5.1")
@pytest.mark.parametrize("exchange", EXCHANGES, ids=range(len(EXCHANGES)))
def test_the_events_of_an_example_are_numbered_without_a_gap(exchange: list[Shown]) -> None:
    shown = [message.value["params"] for message in exchange if message.value.get("method") == "event"]
    numbers = [params["seq"] for params in shown]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))) if numbers else not shown


def methods_shown() -> set[str]:
    return {message.value["method"] for exchange in EXCHANGES for message in exchange if "method" in message.value}


def test_every_method_is_shown_in_an_example() -> None:
    assert methods_shown() == set(METHODS) | set(QUESTIONS) | {"event", "cancel_request"}


def test_every_event_is_shown_in_an_example() -> None:
    shown = {
        message.value["params"]["event"]["type"]
        for exchange in EXCHANGES
        for message in exchange
        if message.value.get("method") == "event"
    }
    assert shown == {kind.__struct_config__.tag for kind in get_args(events.AnyEvent)}


def test_the_examples_show_the_made_up_output_as_the_daemon_makes_it() -> None:
    assert f'"content": "{NO_OUTPUT}"' in " ".join(spec.text().split())


def test_no_fenced_block_escapes_the_checks() -> None:
    assert {language for language, _ in spec.fences()} == {"exchange", "mermaid", "toml"}


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        ({"type": "text_delta", "text": "a"}, "a field that is always sent is missing"),
        ({"type": "text_delta", "text": "a", "parent_tool_call_id": None, "more": 1}, "a field that there is not"),
        ({"type": "turn_started", "origin": "nobody"}, "a word that there is not"),
    ],
)
def test_an_example_with_a_wrong_event_would_be_found(broken: dict[str, Any], why: str) -> None:
    with pytest.raises((AssertionError, msgspec.ValidationError)):
        check_event({"session_id": "s", "seq": 1, "turn_id": None, "event": broken})
