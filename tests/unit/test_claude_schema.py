"""`protocol/codecs/claude_schema.py`: schemas that the CLI would pass over are fitted, or refused with the place."""

from __future__ import annotations

from typing import Any

import pytest

from protocol.codecs.claude_schema import DRAFT_7, SchemaUnfit, fit_schema

PLAIN = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}


def with_property(**schema: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"day": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        PLAIN,
        {**PLAIN, "$schema": f"{DRAFT_7}#", "$id": "http://x/y", "$comment": "c"},
        {"$defs": {"day": {"type": ["string", "null"]}}, "properties": {"day": {"$ref": "#/$defs/day"}}},
        with_property(const={"$ref": "#/data", "zzz": 1}),
        {"type": "array", "items": {"type": "string"}},
        with_property(anyOf=[{"type": "string", "contentEncoding": "base64"}, True]),
    ],
)
def test_what_the_cli_knows_stays_as_it_is(schema: dict[str, Any]) -> None:
    assert fit_schema(schema, formats=True) == schema


def test_remarks_that_the_cli_stumbles_over_are_left_out() -> None:
    schema = {**with_property(type="string", format="date", example="today"), "x-order": 1}
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    assert fit_schema(schema, formats=False) == with_property(type="string")
    assert fit_schema(schema, formats=True) == with_property(type="string", format="date")


def test_newer_words_for_old_things_are_put_into_the_old_ones() -> None:
    pair = {"type": "array", "prefixItems": [{"type": "string"}], "items": False, "minItems": 1}
    assert fit_schema(with_property(**pair), formats=True) == with_property(
        type="array", items=[{"type": "string"}], additionalItems=False, minItems=1
    )
    depending = {"type": "object", "dependentRequired": {"a": ["b"]}, "dependentSchemas": {"c": {"required": ["d"]}}}
    assert fit_schema(depending, formats=True) == {
        "type": "object",
        "dependencies": {"a": ["b"], "c": {"required": ["d"]}},
    }


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({**PLAIN, "unevaluatedProperties": False}, "unevaluatedProperties"),
        (with_property(type="array", minContains=1), "properties.day.minContains"),
        (with_property(anyOf=[{"type": "string"}, {"zzz": 1}]), "properties.day.anyOf.1.zzz"),
        (with_property(type="text"), "properties.day.type"),
        (with_property(**{"$ref": "#/$defs/day"}), "properties.day.$ref"),
        (with_property(**{"$ref": "http://x/y"}), "properties.day.$ref"),
        ({"properties": {"day": "string"}}, "properties.day"),
    ],
)
def test_what_cannot_be_said_in_the_clis_words_is_refused_with_its_place(schema: dict[str, Any], path: str) -> None:
    with pytest.raises(SchemaUnfit) as refusal:
        fit_schema(schema, formats=True)
    assert refusal.value.path == path
