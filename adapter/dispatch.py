"""The only file that knows jsonrpcserver: method look-up, argument binding and the shape of replies are its; the
rest is ours.

Ours because the library, as it comes, sends the text of any exception to the caller, forgets ids, validates
slowly, and loses replies when it is cancelled from outside: so each handler gets its own cancel scope *inside* the
call, its params are validated by our models, and this file is the one place where an exception becomes an error on
the wire.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ValidationError

from adapter.peer import Call
from adapter.standin import stand_in
from protocol.errors import INTERNAL_ERROR, INVALID_PARAMS, AdapterError, ErrorKind
from protocol.jsonrpc import Request, error_response

if TYPE_CHECKING:
    from jsonrpcserver.methods import Methods
    from jsonrpcserver.result import Result


class _NoValidator:
    """In the place of jsonschema's: the library makes one when it is imported, and we hand it none to call."""

    check_schema = validate = __init__ = lambda *_: None


with (
    stand_in("jsonschema.validators", validator_for=lambda _: _NoValidator),
    stand_in("http.server", BaseHTTPRequestHandler=object, HTTPServer=object),
):
    from jsonrpcserver import Error, Success
    from jsonrpcserver.async_main import dispatch_to_serializable

log = logging.getLogger(__name__)

Handler = Callable[[Call, Any], Awaitable[BaseModel | dict[str, Any]]]
"""Takes the call and its validated params; gives the result."""

# The library logs what it is handed, with tracebacks; we log ourselves, once, without parameters.
logging.getLogger("jsonrpcserver").setLevel(logging.CRITICAL + 1)


class Dispatcher:
    """Serves the methods of one face.

    Args:
        methods: for each method, the model of its params and its handler.
    """

    def __init__(self, methods: Mapping[str, tuple[type[BaseModel], Handler]]) -> None:
        self._methods = cast(
            "Methods", {name: _bind(name, model, handler) for name, (model, handler) in methods.items()}
        )

    async def serve(self, call: Call) -> dict[str, Any] | None:
        """Handle one call; the response object, or None for a notification. Never raises."""
        message = call.message
        envelope: dict[str, Any] = {"jsonrpc": "2.0", "method": message.method, "params": message.params}
        if isinstance(message, Request):
            envelope["id"] = message.id
        reply = await dispatch_to_serializable(
            cast("Any", envelope),
            self._methods,
            context=call,
            deserializer=lambda value: cast("Any", value),
            validator=_no_validation,
        )
        return _with_kind(cast("dict[str, Any] | None", reply))


def _with_kind(reply: dict[str, Any] | None) -> dict[str, Any] | None:
    """The library's own errors carry a bare string; ours, an object with a kind."""
    error = reply.get("error") if reply is not None else None
    if reply is None or error is None or isinstance(error.get("data"), dict):
        return reply
    return error_response(reply["id"], error["code"], error["message"])


def _no_validation(envelope: Any) -> Any:
    """The envelope was validated when it was parsed."""
    return envelope


def _bind(name: str, model: type[BaseModel], handler: Handler) -> Callable[..., Awaitable[Result]]:
    async def method(call: Call, /, **params: Any) -> Result:
        try:
            valid = model.model_validate(params)
        except ValidationError as error:
            about = _describe(error, params)
            first = about["errors"][0]
            return Error(INVALID_PARAMS, f"Invalid params: {first['path']}: {first['message']}", about)
        try:
            with call.scope:
                result = await handler(call, valid)
                return Success(result.model_dump(mode="json") if isinstance(result, BaseModel) else result)
        except AdapterError as error:
            return Error(error.code, error.message, error.data)
        except Exception:
            log.exception("%s failed", name)
            return Error(
                INTERNAL_ERROR,
                "Internal error",
                {"kind": "internal", "hint": "This is a defect; the log has the details."},
            )
        cut = AdapterError(ErrorKind.INTERRUPTED, "The request was cut short: the daemon is shutting down.")
        return Error(cut.code, cut.message, cut.data)

    return method


def _describe(error: ValidationError, params: dict[str, Any]) -> dict[str, Any]:
    errors: dict[tuple[str, str], dict[str, str]] = {}
    for found in error.errors(include_url=False, include_context=False, include_input=False):
        path, message = _path(found["loc"], params), found["msg"].removeprefix("Value error, ")
        errors[path, message] = {"path": path, "message": message}
    return {"kind": ErrorKind.INVALID_PARAMS.value, "errors": list(errors.values())}


def _path(places: tuple[int | str, ...], value: Any) -> str:
    """Where in the params an error lies: `config.allowed_dirs.0`. The model's own names for branches of a union, which
    no parent has written, are left out."""
    path: list[str] = []
    for at, place in enumerate(places):
        is_last = at == len(places) - 1
        if isinstance(value, dict) and value.get("type") == place and not is_last:
            continue  # the branch for what calls itself that, which may have a member of the same name
        if isinstance(value, dict) and (place in value or is_last):
            value = value.get(place)
        elif isinstance(value, list) and isinstance(place, int) and place < len(value):
            value = value[place]
        else:
            continue
        path.append(str(place))
    return ".".join(path)
