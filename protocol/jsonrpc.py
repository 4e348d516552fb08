"""The JSON-RPC 2.0 envelope: bytes to request, notification, response, batch or malformed, and answers back to
values.

Written by ourselves because jsonrpcserver knows no responses and no requests of its own, forgets the id of what it
refuses and voids a whole batch for one bad item. Knows no method and no parameter.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from protocol import jsontext
from protocol.errors import INVALID_PARAMS, INVALID_REQUEST, JSONRPC_KINDS, PARSE_ERROR

Id = str | int | float | None
Params = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """Wants an answer with this id. `params` is an object (absent and null count as an empty one)."""

    id: Id
    method: str
    params: Params


@dataclass(frozen=True, slots=True)
class Notification:
    """Wants no answer, not even an error."""

    method: str
    params: Params


@dataclass(frozen=True, slots=True)
class Response:
    """An answer to a request of ours: a result, or an error object."""

    id: Id
    result: Any = None
    error: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Malformed:
    """Not a message; to be answered with this error and the id, where that could be read (else null).

    `silent`: a notification that cannot be carried out, which gets no answer all the same. `names_no_method`: it may
    have been meant as an answer to the request of ours with its id.
    """

    id: Id
    code: int
    message: str
    data: dict[str, Any] | None = None
    silent: bool = False
    names_no_method: bool = False

    def answer(self) -> dict[str, Any] | None:
        """The error response to send, if any."""
        if self.silent:
            return None
        return error_response(self.id, self.code, self.message, self.data)


@dataclass(frozen=True, slots=True)
class Batch:
    """Several messages in one array; their answers go back in one array."""

    items: list[Request | Notification | Response | Malformed] = field(default_factory=list)


Message = Request | Notification | Response | Malformed | Batch


def parse(body: bytes) -> Message:
    """Classify one message. Never raises: what is wrong comes back as `Malformed`."""
    try:
        value = jsontext.loads(body)
    except ValueError as error:
        return Malformed(None, PARSE_ERROR, f"Parse error: not JSON ({error})")
    if isinstance(value, list):
        if not value:
            return Malformed(None, INVALID_REQUEST, "Invalid Request: an empty batch")
        return Batch([_classify(item) for item in value])
    return _classify(value)


def _classify(value: Any) -> Request | Notification | Response | Malformed:
    if not isinstance(value, dict):
        return Malformed(None, INVALID_REQUEST, "Invalid Request: a message is an object")
    has_id, id = "id" in value, value.get("id")
    if isinstance(id, bool) or not isinstance(id, str | int | float | None):
        return Malformed(None, INVALID_REQUEST, "Invalid Request: an id is a string or a number")
    if value.get("jsonrpc") != "2.0":
        text = 'Invalid Request: "jsonrpc" must be "2.0"'
        return Malformed(id, INVALID_REQUEST, text, names_no_method="method" not in value)
    if "method" not in value and ("result" in value or "error" in value):
        return _response(id, value)
    method, params = value.get("method"), value.get("params")
    if not isinstance(method, str):
        text = 'Invalid Request: "method" must be a string'
        return Malformed(id, INVALID_REQUEST, text, names_no_method="method" not in value)
    if not isinstance(params, dict | None):
        errors = [{"path": "", "message": "params must be an object"}]
        data = {"kind": "invalid_params", "errors": errors}
        text = "Invalid params: params must be an object"
        return Malformed(id, INVALID_PARAMS, text, data, silent=not has_id)
    return Request(id, method, params or {}) if has_id else Notification(method, params or {})


def _response(id: Id, value: dict[str, Any]) -> Response:
    error = value.get("error")
    if error is None:
        return Response(id, result=value.get("result"))
    return Response(
        id,
        error=error if isinstance(error, dict) else {"code": INVALID_REQUEST, "message": "an error that is no object"},
    )


def result_response(id: Id, result: Any) -> dict[str, Any]:
    """A success response, as a value to render."""
    return {"jsonrpc": "2.0", "id": id, "result": result}


def error_response(id: Id, code: int, message: str, data: Any = None) -> dict[str, Any]:
    """An error response, as a value to render. Without `data`, JSON-RPC's own errors get their kind, others none."""
    error: dict[str, Any] = {"code": code, "message": message}
    if data is None and code in JSONRPC_KINDS:
        data = {"kind": JSONRPC_KINDS[code]}
    if data is not None:
        error["data"] = data
    return {"jsonrpc": "2.0", "id": id, "error": error}


def request(id: Id, method: str, params: Params) -> dict[str, Any]:
    """A request of ours, as a value to render."""
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


def notification(method: str, params: Params) -> dict[str, Any]:
    """A notification of ours, as a value to render."""
    return {"jsonrpc": "2.0", "method": method, "params": params}
