"""A JSON Schema as Claude Code takes it for its structured output: fitted where that changes no meaning, else refused.

The CLI checks a schema with a strict validator of draft 7, and passes over one that has a keyword it does not know,
without a word: the turn then has no structured output. Measured, keyword by keyword, with claude 2.1.197 and 2.1.329.
Pure.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

Json = dict[str, Any]

FORMATS_SINCE: Final = (2, 1, 329)
"""2.1.197 knows no `format`; since draft 2019-09 it is a remark that validators need not check."""

DRAFT_7: Final = "http://json-schema.org/draft-07/schema"

_SCHEMAS: Final = frozenset(
    "items additionalItems contains additionalProperties propertyNames not if then else".split()
)
_MAPS: Final = frozenset(("properties", "patternProperties", "definitions", "$defs", "dependencies"))
_LISTS: Final = frozenset(("allOf", "anyOf", "oneOf", "items"))
_KNOWN: Final = frozenset(
    """
    $schema $id $ref $comment title description default deprecated readOnly writeOnly examples type enum const
    multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength minLength pattern maxItems minItems
    uniqueItems maxProperties minProperties required format contentMediaType contentEncoding nullable
    """.split()
)
_REMARKS: Final = frozenset(("example", "externalDocs", "xml"))
_TYPES: Final = frozenset("null boolean object array number integer string".split())


class SchemaUnfit(Exception):
    """The CLI would pass over the schema; `path` is where, the text why."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path or 'the schema'}: {reason}")
        self.path = path


def fit_schema(schema: Json, *, formats: bool) -> Json:
    """The schema as the CLI takes it.

    Args:
        schema: the parent's.
        formats: whether this CLI knows `format`.

    Raises:
        SchemaUnfit: there is no way to say the same.
    """
    fitted: Json = _fit(schema, "", formats)
    for path, reference in _references(fitted, ""):
        if not _leads_somewhere(reference, fitted):
            raise SchemaUnfit(path, f"{reference!r} leads nowhere in the schema, and the CLI fetches none")
    return fitted


def _fit(schema: Any, path: str, formats: bool) -> Any:
    if isinstance(schema, bool):
        return schema
    if not isinstance(schema, dict):
        raise SchemaUnfit(path, "must be an object, true or false")
    fitted: Json = {}
    for name, value in _in_words_of_draft_7(schema).items():
        here = f"{path}.{name}" if path else name
        if name.startswith("x-") or name in _REMARKS or (name == "format" and not formats):
            continue
        if name == "$schema" and str(value).rstrip("#") != DRAFT_7:
            continue
        if name in _MAPS and isinstance(value, dict):
            fitted[name] = {
                key: each if name == "dependencies" and isinstance(each, list) else _fit(each, f"{here}.{key}", formats)
                for key, each in value.items()
            }
        elif name in _LISTS and isinstance(value, list):
            fitted[name] = [_fit(each, f"{here}.{at}", formats) for at, each in enumerate(value)]
        elif name in _SCHEMAS:
            fitted[name] = _fit(value, here, formats)
        elif name in _KNOWN:
            fitted[name] = value
        else:
            raise SchemaUnfit(here, "the CLI's validator does not know this keyword")
    _check_type(fitted.get("type"), path)
    return fitted


def _in_words_of_draft_7(schema: Json) -> Json:
    """What newer drafts only say in other words."""
    said = dict(schema)
    if isinstance(said.get("prefixItems"), list):
        if "items" in said:
            said["additionalItems"] = said.pop("items")
        said["items"] = said.pop("prefixItems")
    depending = {**(said.pop("dependentRequired", None) or {}), **(said.pop("dependentSchemas", None) or {})}
    if depending:
        said["dependencies"] = {**(said.get("dependencies") or {}), **depending}
    return said


def _check_type(given: Any, path: str) -> None:
    words = given if isinstance(given, list) else [] if given is None else [given]
    for word in words:
        if word not in _TYPES:
            raise SchemaUnfit(f"{path}.type" if path else "type", f"there is no type {word!r}")


def _references(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, each in value.items():
            here = f"{path}.{name}" if path else name
            if name == "$ref" and isinstance(each, str):
                yield here, each
            elif name not in ("const", "enum", "default", "examples"):
                yield from _references(each, here)
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from _references(each, f"{path}.{at}")


def _leads_somewhere(reference: str, root: Json) -> bool:
    head, _, pointer = reference.partition("#")
    if head and head != root.get("$id"):
        return False
    at: Any = root
    for part in pointer.split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(at, dict) and key in at:
            at = at[key]
        elif isinstance(at, list) and key.isdigit() and int(key) < len(at):
            at = at[int(key)]
        else:
            return False
    return not pointer or pointer.startswith("/")
