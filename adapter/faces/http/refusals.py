"""How a request is refused before the endpoints see it: status, words, and the body in the shape of the API that was
called. Pure. Owns no rule; `gate` and `connections` do."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus

MESSAGES_PATH = "/v1/messages"

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    408: "timeout_error",
    413: "request_too_large",
    415: "invalid_request_error",
    503: "api_error",
}
"""Status to the error type of the Messages API, which clients branch on (docs of the API, "Errors")."""

ID_HEADERS = ("request-id", "x-request-id")
"""Where the vendors' libraries look for a request's id: Anthropic's in the first, OpenAI's in the second."""


def new_id() -> str:
    """An id for a request."""
    return f"req_{uuid.uuid4().hex}"


def id_headers(request_id: str) -> dict[str, str]:
    """The headers that tell a request's id."""
    return dict.fromkeys(ID_HEADERS, request_id)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request goes no further.

    Attributes:
        status: of the response.
        message: what is wrong, and what to do about it.
        headers: further ones.
        type: of the error, where it is not the usual one of the status.
    """

    status: int
    message: str
    headers: dict[str, str] = field(default_factory=dict)
    type: str | None = None

    def body(self, path: str, request_id: str) -> bytes:
        """The error as the API at this path writes it: Anthropic's below /v1/messages, else OpenAI's."""
        kind = self.type or TYPES[self.status]
        if is_messages_api(path):
            error = {"type": kind, "message": self.message}
            return json.dumps({"type": "error", "error": error, "request_id": request_id}).encode()
        return json.dumps({"error": {"message": self.message, "type": kind, "param": None, "code": None}}).encode()

    def raw(self) -> bytes:
        """The whole response, for a connection on which no request could be read. It is the last of its connection."""
        request_id = new_id()
        body = self.body(MESSAGES_PATH, request_id)
        ids = "".join(f"{name}: {value}\r\n" for name, value in id_headers(request_id).items())
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\n{ids}connection: close\r\n\r\n"
        )
        return head.encode() + body


def is_messages_api(path: str) -> bool:
    """Whether a path belongs to the Messages API."""
    return path == MESSAGES_PATH or path.startswith(MESSAGES_PATH + "/")
