"""The body of a request, and of an answer that is no turn's: JSON both."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from adapter.faces.http.refusals import id_headers
from protocol.httperrors import invalid

if TYPE_CHECKING:
    from starlette.requests import Request

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def read_json(body: bytes) -> Any:
    """A request's body.

    Raises:
        HttpError: it is not JSON.
    """
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid(f"The body is not JSON: {error}") from None


def tell_json(request: Request, value: Any, *, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """An answer."""
    all_headers = id_headers(request.state.request_id) | (headers or {})
    return Response(_encode(value), status, all_headers, "application/json")
