"""Error codes and kinds of the contract (section 5), and the exceptions that carry them. Importable from everywhere."""

from __future__ import annotations

from enum import StrEnum
from typing import Any


class ErrorKind(StrEnum):
    """What went wrong, in one word that programs can switch on. Sent as `error.data.kind` and in
    `turn_completed.error.kind`."""

    NOT_FOUND = "not_found"
    SPAWN_FAILED = "spawn_failed"
    SESSION_NOT_FOUND = "session_not_found"
    PROTOCOL_ERROR = "protocol_error"
    INTERRUPTED = "interrupted"
    BUSY = "busy"
    LIMIT_REACHED = "limit_reached"
    TIMEOUT = "timeout"
    NOT_AUTHENTICATED = "not_authenticated"
    UNSUPPORTED = "unsupported"
    PROCESS_EXITED = "process_exited"
    INVALID_PARAMS = "invalid_params"
    API_ERROR = "api_error"
    """Only in `turn_completed.error`: the model API refused or failed; `api_status` tells the HTTP status where
    known."""


PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

CODES: dict[ErrorKind, int] = {
    ErrorKind.NOT_FOUND: -32001,
    ErrorKind.SPAWN_FAILED: -32002,
    ErrorKind.SESSION_NOT_FOUND: -32003,
    ErrorKind.PROTOCOL_ERROR: -32004,
    ErrorKind.INTERRUPTED: -32005,
    ErrorKind.BUSY: -32006,
    ErrorKind.LIMIT_REACHED: -32007,
    ErrorKind.TIMEOUT: -32008,
    ErrorKind.NOT_AUTHENTICATED: -32009,
    ErrorKind.UNSUPPORTED: -32010,
    ErrorKind.PROCESS_EXITED: -32011,
    ErrorKind.INVALID_PARAMS: INVALID_PARAMS,
}

JSONRPC_KINDS: dict[int, str] = {
    PARSE_ERROR: "parse_error",
    INVALID_REQUEST: "invalid_request",
    METHOD_NOT_FOUND: "method_not_found",
    INTERNAL_ERROR: "internal",
}
"""The kinds of JSON-RPC's own errors, so that every `error.data` on the wire has one."""


class ProtocolError(Exception):
    """Somebody broke a protocol of ours. Never raised itself; the subclass says who did."""


class LocalProtocolError(ProtocolError):
    """We misused our own state machine or codec: a defect in this program."""


class RemoteProtocolError(ProtocolError):
    """The other side said something that its protocol does not allow."""


def with_hint(message: str, hint: str | None) -> str:
    """What went wrong and what to do, in one text, for who shows nothing else."""
    return f"{message.rstrip('.')}. {hint}" if hint else message


class AdapterError(Exception):
    """A failure that the parent is told about, with the contract's code, kind and a hint what to do.

    Args:
        kind: what went wrong; decides the JSON-RPC code.
        message: one sentence for a person, without secrets.
        hint: what the user can do about it.
        data: further members of `error.data` (`provider`, `session_id`, `stderr_tail`, `errors`).
    """

    def __init__(self, kind: ErrorKind, message: str, *, hint: str | None = None, **data: Any) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.hint = hint
        self.extra = {key: value for key, value in data.items() if value is not None}

    @property
    def code(self) -> int:
        """The JSON-RPC error code of this kind (SPEC-8.2)."""
        return CODES.get(self.kind, INTERNAL_ERROR)

    @property
    def data(self) -> dict[str, Any]:
        """`error.data` as sent: the kind first, then the hint and what else is known."""
        return {"kind": self.kind.value, **({"hint": self.hint} if self.hint else {}), **self.extra}


def invalid_param(path: str, message: str) -> AdapterError:
    """The error for one bad parameter that the models could not see (a folder that is not there), shaped like
    theirs."""
    return AdapterError(
        ErrorKind.INVALID_PARAMS, f"Invalid params: {path}: {message}", errors=[{"path": path, "message": message}]
    )
