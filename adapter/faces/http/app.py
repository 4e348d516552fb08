"""The application: which path leads to which endpoint, and every error in the shape of the API that was called."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapter import __version__
from adapter.faces.http.body import read_json
from adapter.faces.http.exchange import Exchange
from adapter.faces.http.refusals import TYPES, id_headers, is_messages_api, new_id
from adapter.faces.http.renderings import rendering_of
from protocol import openapi
from protocol.errors import AdapterError
from protocol.httperrors import Failure, HttpError, failed_start
from protocol.wire.chat_api import read_chat_request
from protocol.wire.messages_api import read_messages_request
from protocol.wire.responses_api import read_responses_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.types import ASGIApp

    from adapter.config_http import HttpSettings
    from adapter.faces.http.desk import Desk
    from adapter.faces.http.endpoints import Endpoints
    from protocol.turnrequest import TurnRequest

log = logging.getLogger(__name__)

_encode = msgspec.json.Encoder().encode


class TurnEndpoint:
    """An endpoint that asks for a turn.

    Args:
        read: makes a `TurnRequest` of a body.
        desk: takes it in hand.
        settings: the daemon's.
    """

    def __init__(self, read: Callable[[Any], TurnRequest], desk: Desk, settings: HttpSettings) -> None:
        self._read = read
        self._desk = desk
        self._settings = settings

    async def __call__(self, request: Request) -> ASGIApp:
        """Answer a request."""
        body = await request.body()
        asked = self._read(read_json(body))
        reply = await self._desk.take(asked, request.headers, body)
        return Exchange(
            reply,
            rendering_of(asked),
            stream=asked.stream,
            request_id=request.state.request_id,
            ignored=asked.ignored,
            ping_interval=self._settings.ping_interval,
        )


def build_app(desk: Desk, endpoints: Endpoints, settings: HttpSettings) -> ASGIApp:
    """The application with all its endpoints."""
    routes = [
        _route("/v1/messages", POST=TurnEndpoint(read_messages_request, desk, settings)),
        _route("/v1/messages/count_tokens", POST=endpoints.count_tokens),
        _route("/v1/chat/completions", POST=TurnEndpoint(read_chat_request, desk, settings)),
        _route("/v1/responses", POST=TurnEndpoint(read_responses_request, desk, settings)),
        _route("/v1/models", GET=endpoints.list_models),
        _route("/v1/models/{id:path}", GET=endpoints.show_model),
        _route("/v1/sessions", GET=endpoints.list_sessions),
        _route("/v1/sessions/{id}", GET=endpoints.show_session, DELETE=endpoints.end_session),
        Route("/openapi.json", _show_document, methods=["GET"]),
        Route("/healthz", _say_ok, methods=["GET"]),
        Route("/", _say_ok, methods=["GET"]),
        Route("/api/hello", _say_ok, methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: _on_http_exception, Exception: _on_defect})


def _route(path: str, **endpoints: Callable[[Request], Awaitable[ASGIApp]]) -> Route:
    """A route, with an endpoint for each method, whose failures are told in its API's shape."""

    async def answer(request: Request) -> ASGIApp:
        request.state.request_id = new_id()
        try:
            return await endpoints["GET" if request.method == "HEAD" else request.method](request)
        except HttpError as error:
            return tell_failure(request, error.failure)
        except AdapterError as error:
            return tell_failure(request, failed_start(error))

    return Route(path, answer, methods=list(endpoints))


def tell_failure(request: Request, failure: Failure) -> Response:
    """A failure as a response."""
    request_id = getattr(request.state, "request_id", None) or new_id()
    body = failure.body(openai=not speaks_anthropic(request), request_id=request_id)
    headers = id_headers(request_id) | failure.headers
    return Response(_encode(body), failure.status, headers, "application/json")


def speaks_anthropic(request: Request) -> bool:
    """Whether the client expects the Messages API's shapes."""
    return is_messages_api(request.url.path) or "anthropic-version" in request.headers


async def _show_document(request: Request) -> Response:
    body = _encode(openapi.document(__version__))
    return Response(body, headers=id_headers(new_id()), media_type="application/json")


async def _say_ok(request: Request) -> Response:
    return PlainTextResponse("ok", headers=id_headers(new_id()))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """No such path, or not with this method."""
    assert isinstance(error, HTTPException)
    type = TYPES.get(error.status_code, "not_found_error" if error.status_code == 404 else "invalid_request_error")
    message = f"{request.method} {request.url.path}: {error.detail}"
    response = tell_failure(request, Failure(status=error.status_code, type=type, message=message))
    response.headers.update(error.headers or {})
    return response


async def _on_defect(request: Request, error: Exception) -> Response:
    """A defect of ours, told without its details; they are in the log."""
    message = f"An internal error: {type(error).__name__}."
    return tell_failure(request, Failure(status=500, type="api_error", message=message, should_retry=False))
