"""Patterns, their differences from what came, and templates with captured values.

Owns: how a scenario describes an incoming line and how it refers back to parts of it.
Refuses: input, output and any knowledge of the dialect: it works on plain JSON values.
May be imported by: the other modules of ``mock_clis``.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

ANYTHING = "*"
# What is shown of a value in a difference; a line can be megabytes long.
SHOWN_CHARACTERS = 160
_WHOLE = re.compile(r"\$([A-Za-z_][\w.]*)\Z")
_INSIDE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")


class UnknownName(Exception):
    """A template refers to a value that nothing has captured."""


def shorten(value: Any) -> str:
    """One line of JSON for people, cut to ``SHOWN_CHARACTERS``."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}… ({len(text)} characters)"


def differences(pattern: Any, value: Any, captures: dict[str, Any], where: str = "line") -> list[str]:
    """Say in words how ``value`` fails ``pattern``; an empty list means that it matches.

    Objects match as subsets, lists element by element, ``"*"`` matches anything, and ``"$name"`` matches anything and
    keeps it in ``captures``. An object with one ``$`` key is an operator: ``$regex``, ``$any_of``, ``$absent``.
    """
    if isinstance(pattern, dict):
        operator = _operator(pattern)
        if operator is not None:
            return _apply(operator, pattern[operator], value, captures, where)
        return _object_differences(pattern, value, captures, where)
    if isinstance(pattern, list):
        return _list_differences(pattern, value, captures, where)
    if isinstance(pattern, str):
        if pattern == ANYTHING:
            return []
        name = _WHOLE.match(pattern)
        if name:
            captures[name.group(1)] = value
            return []
    if pattern == value and isinstance(pattern, bool) == isinstance(value, bool):
        return []
    return [f"{where}: expected {shorten(pattern)}, got {shorten(value)}"]


def _operator(pattern: Mapping[str, Any]) -> str | None:
    keys = list(pattern)
    return keys[0] if len(keys) == 1 and keys[0].startswith("$") else None


def _apply(operator: str, operand: Any, value: Any, captures: dict[str, Any], where: str) -> list[str]:
    if operator == "$regex":
        if isinstance(value, str) and re.search(operand, value):
            return []
        return [f"{where}: expected text like /{operand}/, got {shorten(value)}"]
    if operator == "$any_of":
        for choice in operand:
            found: dict[str, Any] = {}
            if not differences(choice, value, found, where):
                captures.update(found)
                return []
        return [f"{where}: expected one of {shorten(operand)}, got {shorten(value)}"]
    return [f"{where}: expected {operand!r} to be absent, got {shorten(value)}"]


def _object_differences(pattern: dict[str, Any], value: Any, captures: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, dict):
        return [f"{where}: expected an object, got {shorten(value)}"]
    found: list[str] = []
    for key, wanted in pattern.items():
        place = f"{where}.{key}"
        wants_absence = isinstance(wanted, dict) and _operator(wanted) == "$absent"
        if key not in value:
            if not wants_absence:
                found.append(f"{place}: expected {shorten(wanted)}, but it is missing")
        elif wants_absence:
            found.append(f"{place}: expected nothing, got {shorten(value[key])}")
        else:
            found.extend(differences(wanted, value[key], captures, place))
    return found


def _list_differences(pattern: list[Any], value: Any, captures: dict[str, Any], where: str) -> list[str]:
    if not isinstance(value, list):
        return [f"{where}: expected a list, got {shorten(value)}"]
    if len(pattern) != len(value):
        return [f"{where}: expected {len(pattern)} elements, got {len(value)}: {shorten(value)}"]
    found: list[str] = []
    for index, wanted in enumerate(pattern):
        found.extend(differences(wanted, value[index], captures, f"{where}[{index}]"))
    return found


def fill(template: Any, look_up: Callable[[str], Any], whole: bool = True) -> Any:
    """Replace ``"$name"`` (keeping the value's type) and ``"…${name}…"`` (as text) throughout a JSON value.

    Not ``whole``: leave ``"$name"`` alone, as in patterns, where it captures.
    Raises UnknownName when ``look_up`` does, that is, for a name that stands for nothing.
    """
    if isinstance(template, dict):
        return {key: fill(value, look_up, whole) for key, value in template.items()}
    if isinstance(template, list):
        return [fill(value, look_up, whole) for value in template]
    if not isinstance(template, str) or "$" not in template:
        return template
    name_only = _WHOLE.match(template)
    if name_only:
        return look_up(name_only.group(1)) if whole else template
    return _INSIDE.sub(lambda name: _as_text(look_up(name.group(1))), template)


def descend(name: str, values: Mapping[str, Any]) -> Any:
    """The value of a dotted name such as ``updated_input.command``; raises UnknownName."""
    head, *path = name.split(".")
    if head not in values:
        raise UnknownName(f"nothing is known by the name ${head} (known: {', '.join(sorted(values)) or 'nothing'})")
    value = values[head]
    for step in path:
        if not isinstance(value, dict) or step not in value:
            raise UnknownName(f"${name}: there is no {step!r} in {shorten(value)}")
        value = value[step]
    return value


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
