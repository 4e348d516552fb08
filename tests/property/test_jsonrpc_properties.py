"""The envelope: any bytes are classified, nothing raises, and an id that can be read is never lost."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from protocol import jsonrpc, jsontext
from protocol.jsonrpc import Batch, Malformed, Notification, Request, Response
from tests.property.strategies import json_values

MEMBERS = st.sampled_from(["jsonrpc", "id", "method", "params", "result", "error", "x"])
ids = st.one_of(st.none(), st.text(max_size=6), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, width=32))
methods = st.text(max_size=10)
objects = st.dictionaries(st.text(max_size=5), json_values(), max_size=4)


def check(item: Any, value: Any) -> None:
    """What was made of one message agrees with what it says."""
    if not isinstance(value, dict):
        assert isinstance(item, Malformed)
        return
    id = value.get("id")
    readable = id is None or (isinstance(id, str | int | float) and not isinstance(id, bool))
    if not isinstance(item, Notification):
        assert item.id == (id if readable else None)
    if isinstance(item, Malformed):
        answer = jsontext.loads(jsontext.dumps(item.answer()))
        assert answer is None if item.silent else answer["error"]["code"] in (-32700, -32600, -32602)
    if isinstance(item, Request):
        assert "id" in value


@given(st.binary(max_size=120))
def test_any_bytes_are_classified(data: bytes) -> None:
    message = jsonrpc.parse(data)
    if isinstance(message, Malformed):
        jsontext.dumps(message.answer())


@given(json_values(MEMBERS))
def test_any_json_value_is_classified(value: Any) -> None:
    text = jsontext.dumps(value)
    value, message = jsontext.loads(text), jsonrpc.parse(text)
    if isinstance(value, list) and value:
        assert isinstance(message, Batch)
        assert len(message.items) == len(value)
        for item, member in zip(message.items, value, strict=True):
            check(item, member)
    else:
        check(message, value)


@given(ids, methods, objects)
def test_a_request_comes_back_as_it_was(id: Any, method: str, params: dict[str, Any]) -> None:
    sent = jsontext.dumps(jsonrpc.request(id, method, params))
    value = jsontext.loads(sent)
    assert jsonrpc.parse(sent) == Request(value["id"], value["method"], value["params"])


@given(methods, objects)
def test_a_notification_comes_back_as_it_was(method: str, params: dict[str, Any]) -> None:
    sent = jsontext.dumps(jsonrpc.notification(method, params))
    value = jsontext.loads(sent)
    assert jsonrpc.parse(sent) == Notification(value["method"], value["params"])


@given(ids, json_values(), st.integers(), st.text())
def test_answers_come_back_as_they_were(id: Any, result: Any, code: int, message: str) -> None:
    good = jsontext.dumps(jsonrpc.result_response(id, result))
    value = jsontext.loads(good)
    assert jsonrpc.parse(good) == Response(value["id"], result=value["result"])
    bad = jsontext.dumps(jsonrpc.error_response(id, code, message))
    value = jsontext.loads(bad)
    assert jsonrpc.parse(bad) == Response(value["id"], error=value["error"])
