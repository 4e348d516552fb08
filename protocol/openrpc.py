"""The OpenRPC document that `rpc.discover` answers, made from the models alone: there is no second list to keep
true."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from protocol.errors import CODES, JSONRPC_KINDS, ErrorKind
from protocol.events import EventParams
from protocol.methods import METHODS, QUESTIONS, Method, ParentMethod

if TYPE_CHECKING:
    from pydantic import BaseModel

OPENRPC_VERSION = "1.3.2"
_REF = "#/components/schemas/{model}"


@cache
def document(version: str) -> dict[str, Any]:
    """The OpenRPC document of this daemon. Made once: it takes milliseconds, in which nothing else can happen.

    Args:
        version: the daemon's own.
    """
    schemas: dict[str, Any] = {}
    methods = [_method(name, method, schemas) for name, method in METHODS.items()]
    event_params = _event_params(schemas)
    return {
        "openrpc": OPENRPC_VERSION,
        "info": {
            "title": "agent-adapter",
            "version": version,
            "description": "Drives coding-agent CLIs for a parent process. JSON-RPC 2.0 over stdio; see SPEC.md.",
        },
        "methods": methods,
        "components": {"schemas": schemas, "errors": _errors()},
        "x-server-methods": [
            {
                "name": "event",
                "summary": "What happens in a session (notification).",
                "paramStructure": "by-name",
                "params": event_params,
            },
            *(_question(name, method, schemas) for name, method in QUESTIONS.items()),
            {
                "name": "cancel_request",
                "summary": "A question that is no longer open (notification).",
                "paramStructure": "by-name",
                "params": [{"name": "id", "required": True, "schema": {"type": ["string", "integer"]}}],
            },
        ],
    }


def _method(name: str, method: Method, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": _params(method.params, schemas),
        "result": {"name": method.result.__name__, "schema": _schema(method.result, schemas)},
        "errors": [
            {"$ref": f"#/components/errors/{kind.value}"} for kind in (ErrorKind.INVALID_PARAMS, *method.errors)
        ],
    }


def _question(name: str, method: ParentMethod, schemas: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "summary": method.summary,
        "paramStructure": "by-name",
        "params": _params(method.params, schemas),
        "result": {"name": method.answer.__name__, "schema": _schema(method.answer, schemas)},
    }


def _params(model: type[BaseModel], schemas: dict[str, Any]) -> list[dict[str, Any]]:
    schema = _register(model, schemas)
    required = schema.get("required", ())
    return [
        {"name": name, "required": name in required, "schema": property}
        for name, property in schema.get("properties", {}).items()
    ]


def _schema(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, str]:
    _register(model, schemas)
    return {"$ref": _REF.format(model=model.__name__)}


def _register(model: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    schema = model.model_json_schema(ref_template=_REF)
    schemas.update(schema.pop("$defs", {}))
    schemas[model.__name__] = schema
    return schema


def _event_params(schemas: dict[str, Any]) -> list[dict[str, Any]]:
    _, components = msgspec.json.schema_components([EventParams], ref_template="#/components/schemas/{name}")
    schemas.update(components)
    properties = components[EventParams.__name__]["properties"]
    return [{"name": name, "required": True, "schema": property} for name, property in properties.items()]


def _errors() -> dict[str, Any]:
    codes = {kind.value: code for kind, code in CODES.items()} | {kind: code for code, kind in JSONRPC_KINDS.items()}
    return {
        kind: {"code": code, "message": kind.replace("_", " "), "data": {"kind": kind}} for kind, code in codes.items()
    }
