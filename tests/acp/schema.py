"""The published JSON Schema of the Agent Client Protocol, held against what we send.

The schema comes with the npm package `@agentclientprotocol/sdk`; without it nothing is checked. It allows any further
member anywhere, so the members of the outer objects are compared with it here as well.
"""

from __future__ import annotations

import functools
import json
from typing import Any

from tests.support.foreign import npm_package

Json = dict[str, Any]

OF_OTHER_VERSIONS = {"fork"}
"""Members that the unstable schema has: a client that does not know them passes over them."""


@functools.cache
def definitions() -> Json | None:
    """The schema's definitions; None where the package is not installed."""
    package = npm_package("@agentclientprotocol/sdk")
    if package is None:
        return None
    found: Json = json.loads((package / "schema" / "v1" / "schema.json").read_text())["$defs"]
    return found


@functools.cache
def by_method() -> dict[str, dict[str, str]]:
    """For each method the names of its definitions: `request` and `response`, or `notification`."""
    found: dict[str, dict[str, str]] = {}
    for name, definition in (definitions() or {}).items():
        method = definition.get("x-method")
        if method is not None:
            kind = "response" if name.endswith("Response") else "request"
            found.setdefault(method, {})[kind] = name
    return found


@functools.cache
def _validator(name: str) -> Any:
    from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

    return Draft202012Validator({"$ref": f"#/$defs/{name}", "$defs": definitions()})


def problems(name: str, value: Any) -> list[str]:
    """What is wrong with a value of this definition."""
    known = definitions()
    if known is None:
        return []
    found = [f"{name}{error.json_path[1:]}: {error.message[:300]}" for error in _validator(name).iter_errors(value)]
    return found + [f"{name}: {each} is not in the schema" for each in _strangers(known, name, value)]


def _strangers(known: Json, name: str, value: Any) -> list[str]:
    """Members that the definition does not have, also one level down in what is typed by a plain reference."""
    if not isinstance(value, dict):
        return []
    members = _members(known, known[name])
    found = [key for key in value if members and key not in members and key not in OF_OTHER_VERSIONS]
    for key, about in known[name].get("properties", {}).items():
        reference = about.get("$ref") or next((each.get("$ref") for each in about.get("allOf", [])), None)
        if reference and key in value:
            found += [f"{key}.{each}" for each in _strangers(known, reference.rpartition("/")[2], value[key])]
    return found


def _members(known: Json, definition: Json) -> set[str]:
    """All the members that an object of this definition may have, in any of its forms."""
    found = set(definition.get("properties", {}))
    for part in ("allOf", "anyOf", "oneOf"):
        for each in definition.get(part, []):
            found |= _members(known, each)
    if "$ref" in definition:
        found |= _members(known, known[definition["$ref"].rpartition("/")[2]])
    return found
