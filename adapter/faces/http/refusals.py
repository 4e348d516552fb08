"""How a request is refused before the endpoints see it: status, words, and the body in the shape of the API that was
called. Pure. Owns no rule; `gate` and `connections` do."""

from __future__ import annotations

import json
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

    def body(self, path: str) -> bytes:
        """The error as the API at this path writes it: Anthropic's below /v1/messages, else OpenAI's."""
        kind = self.type or TYPES[self.status]
        if is_messages_api(path):
            return json.dumps({"type": "error", "error": {"type": kind, "message": self.message}}).encode()
        return json.dumps({"error": {"message": self.message, "type": kind, "param": None, "code": None}}).encode()

    def raw(self) -> bytes:
        """The whole response, for a connection on which no request could be read. It is the last of its connection."""
        body = self.body(MESSAGES_PATH)
        head = (
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
        )
        return head.encode() + body


def is_messages_api(path: str) -> bool:
    """Whether a path belongs to the Messages API."""
    return path == MESSAGES_PATH or path.startswith(MESSAGES_PATH + "/")
