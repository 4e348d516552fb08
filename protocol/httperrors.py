"""How a failure is told over HTTP: status, type and headers, and the body in the shape of the API that was called.

Owns the map from the daemon's kinds of failure to HTTP. The rule behind `should_retry`: the vendors' client libraries
repeat a request by themselves, and an agent that is asked twice runs its tools twice; so once a prompt may have reached
the CLI, they are told not to. Imported by `wire`, `codecs` and the HTTP face.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct

from protocol.errors import AdapterError, ErrorKind, with_hint

if TYPE_CHECKING:
    from protocol.events import TurnError

Api = Literal["messages", "chat", "responses"]

BUSY_RETRY_S = 2
"""When a client may try again at a session or a daemon that is busy: about the time of a short turn."""


class Failure(Struct, kw_only=True):
    """A failure on its way to a client.

    Attributes:
        status: the HTTP status, where the headers have not gone out yet.
        type: the Messages API's name of it; OpenAI's shape carries it too.
        message: one sentence for a person, without secrets.
        param: the member of the request that is wrong.
        should_retry: what `x-should-retry` says; None where the client's own rule is right.
        retry_after: seconds.
        kind: ours, for programs that know it.
    """

    status: int
    type: str
    message: str
    param: str | None = None
    should_retry: bool | None = None
    retry_after: float | None = None
    kind: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """What the client's library looks at before it tries again."""
        headers = {}
        if self.should_retry is not None:
            headers["x-should-retry"] = "true" if self.should_retry else "false"
        if self.retry_after is not None:
            headers["retry-after"] = str(max(1, round(self.retry_after)))
        return headers

    def body(self, *, openai: bool, request_id: str) -> dict[str, Any]:
        """The body of the answer, or the data of a stream's last event."""
        more = {"kind": self.kind} if self.kind else {}
        if openai:
            code = self.kind
            return {"error": {"message": self.message, "type": self.type, "param": self.param, "code": code}}
        return {
            "type": "error",
            "error": {"type": self.type, "message": self.message, **more},
            "request_id": request_id,
        }


class HttpError(Exception):
    """A failure that ends a request."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def invalid(message: str, param: str | None = None) -> HttpError:
    """The request is wrong, or asks for what cannot be done."""
    text = message if param is None else f"{param}: {message}"
    return HttpError(Failure(status=400, type="invalid_request_error", message=text, param=param))


def not_found(message: str) -> HttpError:
    """There is no such thing."""
    return HttpError(Failure(status=404, type="not_found_error", message=message))


def busy(message: str) -> HttpError:
    """Not now; nothing was done, so it may be tried again."""
    failure = Failure(
        status=409, type="conflict_error", message=message, should_retry=True, retry_after=BUSY_RETRY_S, kind="busy"
    )
    return HttpError(failure)


_BY_KIND: dict[str, tuple[int, str]] = {
    ErrorKind.NOT_FOUND: (503, "api_error"),
    ErrorKind.SPAWN_FAILED: (502, "api_error"),
    ErrorKind.SESSION_NOT_FOUND: (404, "not_found_error"),
    ErrorKind.PROTOCOL_ERROR: (502, "api_error"),
    ErrorKind.INTERRUPTED: (503, "api_error"),
    ErrorKind.BUSY: (409, "conflict_error"),
    ErrorKind.LIMIT_REACHED: (429, "rate_limit_error"),
    ErrorKind.TIMEOUT: (504, "timeout_error"),
    ErrorKind.NOT_AUTHENTICATED: (401, "authentication_error"),
    ErrorKind.UNSUPPORTED: (400, "invalid_request_error"),
    ErrorKind.PROCESS_EXITED: (502, "api_error"),
    ErrorKind.INVALID_PARAMS: (400, "invalid_request_error"),
}
_BY_STATUS: dict[int, str] = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""What the CLI reports of the model's server, told as that server would."""

_RETRIABLE = frozenset({ErrorKind.BUSY, ErrorKind.LIMIT_REACHED})


def failed_start(error: AdapterError) -> Failure:
    """A failure before the prompt reached the CLI."""
    status, type = _BY_KIND.get(error.kind, (500, "api_error"))
    retry = error.kind in _RETRIABLE
    return Failure(
        status=status,
        type=type,
        message=with_hint(error.message, error.hint),
        should_retry=retry,
        retry_after=BUSY_RETRY_S if retry else None,
        kind=error.kind.value,
    )


def failed_turn(error: TurnError, retry_after: float | None) -> Failure:
    """A turn's error. The prompt had reached the CLI: nobody may send it again unasked.

    Args:
        error: as in `turn_completed`.
        retry_after: seconds until the account's limit is reset, where the CLI told.
    """
    status, type = _BY_KIND.get(error.kind, (500, "api_error"))
    api_status = error.api_status if isinstance(error.api_status, int) else None
    if api_status in _BY_STATUS:
        status, type = api_status, _BY_STATUS[api_status]
    hint = error.hint if isinstance(error.hint, str) else None
    return Failure(
        status=status,
        type=type,
        message=with_hint(error.message, hint),
        should_retry=False,
        retry_after=retry_after if status == 429 else None,
        kind=error.kind,
    )


INTERRUPTED = Failure(
    status=503,
    type="api_error",
    message="The turn was interrupted before its end.",
    should_retry=False,
    kind="interrupted",
)
