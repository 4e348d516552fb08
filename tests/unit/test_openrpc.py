"""The OpenRPC document: complete, closed under its references, and true to the models."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from protocol.errors import CODES
from protocol.methods import METHODS
from protocol.openrpc import OPENRPC_VERSION, document

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def described() -> dict[str, Any]:
    return document("1.2.3")


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(whole: dict[str, Any], reference: str) -> Any:
    found: Any = whole
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_the_document_is_plain_json_and_names_its_versions(described: dict[str, Any]) -> None:
    assert json.loads(json.dumps(described)) == described
    assert described["openrpc"] == OPENRPC_VERSION
    assert described["info"]["version"] == "1.2.3"


def test_every_reference_leads_somewhere_inside_the_document(described: dict[str, Any]) -> None:
    found = set(references(described))
    assert len(found) > len(METHODS)
    for reference in found:
        assert reference.startswith("#/components/")
        assert isinstance(resolve(described, reference), dict), reference


def test_every_method_is_described_with_its_params_in_order(described: dict[str, Any]) -> None:
    assert [method["name"] for method in described["methods"]] == list(METHODS)
    for method in described["methods"]:
        fields = METHODS[method["name"]].params.model_fields
        assert [param["name"] for param in method["params"]] == list(fields)
        assert {param["name"] for param in method["params"] if param["required"]} == {
            name for name, field in fields.items() if field.is_required()
        }
        assert method["paramStructure"] == "by-name"
        assert method["errors"][0] == {"$ref": "#/components/errors/invalid_params"}


def test_every_error_of_the_contract_is_described_with_its_code(described: dict[str, Any]) -> None:
    errors = described["components"]["errors"]
    for kind, code in CODES.items():
        assert errors[kind.value]["code"] == code
        assert errors[kind.value]["data"] == {"kind": kind.value}


def test_what_the_daemon_sends_by_itself_is_described_too(described: dict[str, Any]) -> None:
    server = {method["name"]: method for method in described["x-server-methods"]}
    assert set(server) == {"event", "request_permission", "call_tool", "run_hook", "cancel_request"}
    assert [param["name"] for param in server["event"]["params"]] == ["session_id", "seq", "turn_id", "event"]
    tags = {
        resolve(described, reference)["properties"]["type"]["enum"][0]
        for reference in references(next(p for p in server["event"]["params"] if p["name"] == "event")["schema"])
    }
    assert {"text_delta", "turn_completed", "session_ended"} <= tags
    assert len(tags) == 19
    assert {param["name"] for param in server["request_permission"]["params"] if param["required"]} >= {
        "session_id",
        "tool_call_id",
        "input",
    }


def test_two_documents_are_the_same(described: dict[str, Any]) -> None:
    assert document("1.2.3") == described
