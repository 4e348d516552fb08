"""SPEC.md, section 2: what the daemon tells about itself is complete, and true of what it answers."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from protocol.errors import CODES
from protocol.events import AnyEvent
from protocol.methods import METHODS
from tests.support.mock_daemon import mock_daemon

pytestmark = pytest.mark.anyio


async def test_initialize_tells_who_is_there_whenever_it_is_asked() -> None:
    async with mock_daemon("--max-sessions", "7") as daemon:
        client: dict[str, Any] = {"client_info": {"name": "tests", "version": "1", "more": [1]}, "protocol_version": 1}
        told = await daemon.request("initialize", **client)
        assert told["protocol_version"] == 1
        assert told["server_info"]["name"] == "agent-adapter"
        assert told["providers"] == ["claude"]
        assert set(told["capabilities"]["methods"]) == set(METHODS)
        assert told["capabilities"]["limits"]["max_sessions"] == 7
        assert await daemon.request("initialize") == told
        assert (await daemon.request("initialize", protocol_version=2))["protocol_version"] == 1


async def test_the_document_describes_every_method_error_and_event() -> None:
    async with mock_daemon() as daemon:
        document = await daemon.request("rpc.discover")
        assert document["openrpc"].startswith("1.")
        assert [method["name"] for method in document["methods"]] == list(METHODS)
        components = document["components"]
        assert {error["code"] for error in components["errors"].values()} > set(CODES.values())
        assert {method["name"] for method in document["x-server-methods"]} == {
            "event",
            "request_permission",
            "call_tool",
            "run_hook",
            "cancel_request",
        }
        _check_references(document, document)
        events = {name for name, schema in components["schemas"].items() if "type" in schema.get("properties", {})}
        assert {type.__name__ for type in get_args(AnyEvent)} <= events


def _check_references(part: Any, document: dict[str, Any]) -> None:
    """Every `$ref` leads somewhere."""
    if isinstance(part, dict):
        if isinstance(reference := part.get("$ref"), str):
            place: Any = document
            for name in reference.removeprefix("#/").split("/"):
                place = place[name]
        for value in part.values():
            _check_references(value, document)
    elif isinstance(part, list):
        for value in part:
            _check_references(value, document)
