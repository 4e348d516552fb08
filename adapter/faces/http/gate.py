"""The gate: what a request must be before an endpoint sees it. Nobody who does not belong gets past, and no body that
is too large or too slow.

Owns the rules on a request's head (each its own class) and the reading of its body. Refuses: to know any endpoint, or
what a body says. What happens on the connection below is `connections`' part. Pure ASGI, around the whole application.
"""

from __future__ import annotations

import hmac
import ipaddress
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

import anyio

from adapter.faces.http.refusals import Refusal, id_headers, new_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger(__name__)

LINGER_S = 2.0
"""How long the rest of a refused body is read and dropped: a client that is still writing would get a reset connection
instead of the refusal."""

OPEN_TO_ALL = frozenset({("GET", "/healthz"), ("HEAD", "/healthz"), ("HEAD", "/"), ("HEAD", "/api/hello")})
"""What needs no token, and tells nothing but that somebody is here: Claude Code probes a base URL with the last two
(headroomlabs-ai/headroom#2032)."""

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Head:
    """A request without its body; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]


class Rule(Protocol):
    """One condition on a request's head."""

    def check(self, head: Head) -> Refusal | None:
        """Why the request is refused; None where it may pass."""


class KnownHost:
    """The Host header names us. A page whose own name was made to lead here (DNS rebinding) still sends its own name.

    Args:
        names: ours, without ports; loopback's are always among them. Any port is right: it may have been forwarded.
    """

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._names = {*LOOPBACK_NAMES, *(name.lower().strip("[]") for name in names)}

    def check(self, head: Head) -> Refusal | None:
        """See `Rule`."""
        host = head.headers.get("host", "")
        if host_name(host) in self._names:
            return None
        return Refusal(403, f"The Host header names {host!r}, not this server. Add the name to allowed_hosts if it is.")


class NoBrowser:
    """No web page speaks here, whatever site it is from: browsers say whose page a request comes from, other programs
    do not."""

    def check(self, head: Head) -> Refusal | None:
        """See `Rule`."""
        # A page's GET of an image has no Origin, but says where it comes from; "none" is a person's own doing.
        if "origin" in head.headers or head.headers.get("sec-fetch-site", "none") != "none":
            return Refusal(403, "Requests from web pages are not served.")
        return None


class KnownToken:
    """The request carries our token, as `x-api-key` (Anthropic's clients) or `Authorization: Bearer` (OpenAI's)."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    def check(self, head: Head) -> Refusal | None:
        """See `Rule`."""
        if (head.method, head.path) in OPEN_TO_ALL:
            return None
        scheme, _, bearer = head.headers.get("authorization", "").partition(" ")
        given = [head.headers.get("x-api-key", ""), bearer.strip() if scheme.lower() == "bearer" else ""]
        # Both are compared, each in constant time: neither the answer's time nor its words tell what is wrong.
        if any([hmac.compare_digest(each.encode("utf-8", "replace"), self._token) for each in given]):
            return None
        message = "The token is missing or wrong: send this server's as x-api-key or as Authorization: Bearer."
        return Refusal(401, message, {"www-authenticate": "Bearer"})


class JsonOnly:
    """What is posted is JSON: the types that a web page can post without being asked for leave are not. Other methods
    with a body need that leave, whatever they carry."""

    def check(self, head: Head) -> Refusal | None:
        """See `Rule`."""
        if head.method != "POST":
            return None
        kind = head.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return Refusal(415, f"Content-Type must be application/json, not {kind or 'missing'!r}.")
        if head.headers.get("content-encoding", "identity").lower() != "identity":
            return Refusal(415, "Content-Encoding is not supported: send the body as it is.")
        return None


class Gate:
    """The application behind its rules.

    Args:
        app: what is protected.
        rules: asked in order; the first refusal counts.
        max_body: bytes of a body.
        body_timeout: seconds from a request's head to the end of its body.
    """

    def __init__(self, app: ASGIApp, rules: Sequence[Rule], *, max_body: int, body_timeout: float) -> None:
        self._app = app
        self._rules = rules
        self._max_body = max_body
        self._body_timeout = body_timeout

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, with its whole body read, or refuse it."""
        if scope["type"] != "http":
            raise ValueError(f"{scope['type']} is not served here")
        head = read_head(scope)
        refusal = next(filter(None, (rule.check(head) for rule in self._rules)), None)
        body = refusal or await self._read_body(head, receive)
        if isinstance(body, Refusal):
            log.info("refused %s %s: %d", head.method, head.path, body.status)
            await _refuse(head, body, receive, send)
        elif body is not None:
            await self._app(scope, _given(body, receive), send)

    async def _read_body(self, head: Head, receive: Receive) -> bytes | Refusal | None:
        """The body; why it is refused; None where the client has gone."""
        too_large = Refusal(413, f"The body has more than {self._max_body} bytes.")
        if int(head.headers.get("content-length", "0")) > self._max_body:
            return too_large
        body = bytearray()
        with anyio.move_on_after(self._body_timeout):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                body += message.get("body", b"")
                if len(body) > self._max_body:
                    return too_large
                if not message.get("more_body", False):
                    return bytes(body)
        return Refusal(408, f"The body did not come within {self._body_timeout:g} s.")


def read_head(scope: Scope) -> Head:
    """The head of a request. Of a header that comes twice the first is taken, so that a second one cannot undo it."""
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))
    return Head(scope["method"], scope["path"], headers)


def host_name(host: str) -> str:
    """The name in a Host header, without port and brackets; empty where it makes no sense."""
    try:
        return urlsplit("//" + host).hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str) -> bool:
    """Whether a listener on this name or address can be reached from this machine alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _given(body: bytes, receive: Receive) -> Receive:
    """A `receive` that has the body already, and then tells when the client goes."""
    first = True

    async def receive_again() -> Message:
        nonlocal first
        if first:
            first = False
            return {"type": "http.request", "body": body, "more_body": False}
        return await receive()

    return receive_again


async def _refuse(head: Head, refusal: Refusal, receive: Receive, send: Send) -> None:
    request_id = new_id()
    body = refusal.body(head.path, request_id)
    headers = {"content-type": "application/json", "content-length": str(len(body)), "connection": "close"}
    headers |= id_headers(request_id)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in (headers | refusal.headers).items()]
    await send({"type": "http.response.start", "status": refusal.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": True})
    with anyio.move_on_after(LINGER_S):
        while (message := await receive()).get("more_body", False) and message["type"] == "http.request":
            pass
    await send({"type": "http.response.body", "body": b"", "more_body": False})
