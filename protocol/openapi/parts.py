"""Pieces that JSON Schemas of requests and answers are put together from. Imported by this package only."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
INTEGER: Schema = {"type": "integer"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANY_OBJECT: Schema = {"type": "object"}


def record(needed: dict[str, Schema], **optional: Schema) -> Schema:
    """An object with these members; others may be there, too."""
    shape: Schema = {"type": "object", "properties": {**needed, **optional}}
    return {**shape, "required": list(needed)} if needed else shape


def kind(*names: str) -> Schema:
    """One of these words."""
    return {"type": "string", "enum": list(names)}


def items(each: Schema, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": each, **({"minItems": least} if least else {})}


def either(*schemas: Schema) -> Schema:
    """What fits any of them."""
    return {"anyOf": list(schemas)}


def maybe(schema: Schema) -> Schema:
    """The same, or null."""
    return either(schema, {"type": "null"})


def ref(name: str) -> Schema:
    """A schema of the document's components."""
    return {"$ref": f"#/components/schemas/{name}"}


def described(schema: Schema, text: str) -> Schema:
    """A schema with a sentence about it."""
    return {**schema, "description": text}
