"""docs/http.md says what the code says: settings, variables of another bridge, endpoints, headers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from adapter.config import own_settings, variable
from adapter.config_http import ALIASES, HttpSettings
from protocol import openapi
from protocol.openapi.document import ANSWER_HEADERS, ERRORS, REQUEST_HEADERS

TEXT = (Path(__file__).parents[2] / "docs" / "http.md").read_text(encoding="utf-8")


def rows(header: str) -> list[list[str]]:
    """The rows of the table whose first column has this name."""
    table = TEXT.split(f"\n| {header} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table]


def shown(default: Any) -> str:
    if default is None or default == []:
        return "\N{EN DASH}"
    return str(default).lower() if isinstance(default, bool) else str(default)


def test_the_table_of_settings_is_their_model() -> None:
    expected = []
    for name in own_settings(HttpSettings):
        field = HttpSettings.model_fields[name]
        flag = "--" + name.replace("_", "-")
        flags = f"`{flag}`, `--no-{flag[2:]}`" if field.annotation is bool else f"`{flag}`"
        expected.append(
            [f"`{name}`", flags, f"`{variable(HttpSettings, name)}`", shown(field.default), field.description]
        )
    assert rows("setting") == expected


def test_every_variable_of_the_other_bridge_is_listed() -> None:
    assert [row[0].strip("`") for row in rows("variable")] == list(ALIASES)


def test_every_endpoint_is_listed() -> None:
    listed = {tuple(each.split()) for row in rows("endpoint") for each in re.findall(r"`([^`]+)`", row[0])}
    paths = openapi.document("1")["paths"]
    assert {(method.upper(), path) for path in paths for method in paths[path]} <= listed


def test_every_header_and_status_is_spoken_of() -> None:
    ours = [name for name in {**REQUEST_HEADERS, **ANSWER_HEADERS} if name.startswith("x-")]
    assert [name for name in ours if f"`{name}" not in TEXT] == []
    statuses = {status for row in rows("status") for status in row[0].split(", ")}
    assert set(ERRORS) == statuses
