"""The JSON-RPC 2.0 envelope: every shape, the malformed ones most of all."""

from __future__ import annotations

from typing import Any

import pytest

from protocol import jsonrpc, jsontext
from protocol.errors import INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR
from protocol.jsonrpc import Batch, Malformed, Notification, Request, Response


def parse(value: Any) -> jsonrpc.Message:
    return jsonrpc.parse(jsontext.dumps(value))


def envelope(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", **members}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (envelope(id=1, method="m", params={"a": 1}), Request(1, "m", {"a": 1})),
        (envelope(id="x", method="m"), Request("x", "m", {})),
        (envelope(id=1.5, method="m", params=None), Request(1.5, "m", {})),
        (envelope(id=None, method="m"), Request(None, "m", {})),
        (envelope(id=10**25, method="m"), Request(10**25, "m", {})),
        (envelope(method="m", params={}), Notification("m", {})),
        (envelope(id=1, method="m", extra=True), Request(1, "m", {})),
        (envelope(id=1, method="", params={}), Request(1, "", {})),
        (envelope(id=1, method="m", result=2), Request(1, "m", {})),
        (envelope(id=1, result={"a": 1}), Response(1, result={"a": 1})),
        (envelope(id=1, result=None), Response(1)),
        (envelope(id="x", error={"code": 1, "message": "no"}), Response("x", error={"code": 1, "message": "no"})),
        (envelope(id=1, result=5, error=None), Response(1, result=5)),
        (envelope(result=1), Response(None, result=1)),
    ],
)
def test_a_well_formed_message_is_what_it_says(value: Any, expected: jsonrpc.Message) -> None:
    assert parse(value) == expected


@pytest.mark.parametrize(
    ("value", "id", "code"),
    [
        (1, None, INVALID_REQUEST),
        ("text", None, INVALID_REQUEST),
        (None, None, INVALID_REQUEST),
        (True, None, INVALID_REQUEST),
        ([], None, INVALID_REQUEST),
        ({}, None, INVALID_REQUEST),
        ({"id": 7}, 7, INVALID_REQUEST),
        ({"id": 7, "method": "m"}, 7, INVALID_REQUEST),
        ({"jsonrpc": "1.0", "id": 7, "method": "m"}, 7, INVALID_REQUEST),
        ({"jsonrpc": 2.0, "id": "x", "method": "m"}, "x", INVALID_REQUEST),
        ({"jsonrpc": "1.0", "id": 7, "result": 1}, 7, INVALID_REQUEST),
        (envelope(id=7), 7, INVALID_REQUEST),
        (envelope(id=7, method=1), 7, INVALID_REQUEST),
        (envelope(id=7, method=None, result=1), 7, INVALID_REQUEST),
        (envelope(method=["m"]), None, INVALID_REQUEST),
        (envelope(id=True, method="m"), None, INVALID_REQUEST),
        (envelope(id=[1], method="m"), None, INVALID_REQUEST),
        (envelope(id={}, method="m"), None, INVALID_REQUEST),
        (envelope(id=7, method="m", params=[1]), 7, INVALID_PARAMS),
        (envelope(id=7, method="m", params=[]), 7, INVALID_PARAMS),
        (envelope(id="x", method="m", params="text"), "x", INVALID_PARAMS),
        (envelope(id=7, method="m", params=0), 7, INVALID_PARAMS),
        (envelope(id=7, method="m", params=False), 7, INVALID_PARAMS),
    ],
)
def test_a_malformed_message_keeps_its_id_where_it_can_be_read(value: Any, id: Any, code: int) -> None:
    message = parse(value)
    assert isinstance(message, Malformed)
    assert (message.id, message.code) == (id, code)
    answer = message.answer()
    assert answer is not None
    assert answer["id"] == id
    assert answer["error"]["code"] == code
    assert answer["error"]["message"]
    assert answer["error"]["data"]["kind"]


def test_a_notification_that_cannot_be_carried_out_gets_no_answer_all_the_same() -> None:
    message = parse(envelope(method="m", params=[1]))
    assert isinstance(message, Malformed)
    assert message.answer() is None


def test_params_that_are_no_object_are_named_like_any_other_bad_param() -> None:
    message = parse(envelope(id=7, method="m", params=[1]))
    assert isinstance(message, Malformed)
    assert message.data is not None
    assert message.data["errors"] == [{"path": "", "message": "params must be an object"}]


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b'{"id":1', b"{} {}", b"[1,", b"NaN", b"[" * 100_000])
def test_what_is_no_json_is_a_parse_error_without_an_id(text: bytes) -> None:
    message = jsonrpc.parse(text)
    assert isinstance(message, Malformed)
    assert (message.id, message.code) == (None, PARSE_ERROR)
    jsontext.dumps(message.answer())


def test_a_batch_keeps_the_good_items_beside_the_bad() -> None:
    batch = parse([envelope(id=1, method="a"), 5, envelope(method="b"), [], envelope(id=2, result=0), {"id": 3}])
    assert isinstance(batch, Batch)
    kinds = [type(item) for item in batch.items]
    assert kinds == [Request, Malformed, Notification, Malformed, Response, Malformed]
    assert isinstance(batch.items[5], Malformed)
    assert batch.items[5].id == 3


def test_an_error_that_is_no_object_still_answers_its_request() -> None:
    message = parse(envelope(id=1, error="boom"))
    assert isinstance(message, Response)
    assert message.error is not None
    assert message.error["code"] == INVALID_REQUEST


def test_what_we_send_is_what_the_other_side_reads() -> None:
    assert parse(jsonrpc.request(1, "m", {"a": 1})) == Request(1, "m", {"a": 1})
    assert parse(jsonrpc.notification("m", {})) == Notification("m", {})
    assert parse(jsonrpc.result_response("x", [1])) == Response("x", result=[1])
    assert parse(jsonrpc.error_response(1, 5, "no")) == Response(1, error={"code": 5, "message": "no"})
    assert jsonrpc.error_response(1, 5, "no", {"kind": "k"})["error"]["data"] == {"kind": "k"}


@pytest.mark.parametrize("params", [[1], "text", 5, True])
def test_a_notification_whose_params_are_no_object_is_neither_carried_out_nor_answered(params: Any) -> None:
    message = parse(envelope(method="shutdown", params=params))
    assert isinstance(message, Malformed)
    assert message.answer() is None
