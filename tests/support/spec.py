"""Reads SPEC.md: its clauses, its tables, its fenced blocks, the messages in its examples.

Owns: the few conventions that SPEC.md keeps so that a program can read it, each named at its function. Refuses: to know
what is right; the tests compare with the models. Imported by the conformance tests.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

ROOT = Path(__file__).resolve().parents[2]
SPEC = ROOT / "SPEC.md"

_CLAUSE = re.compile(r"^\*\*(\d+\.\d+)\*\* ", re.MULTILINE)
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FIELD = re.compile(r"`(\w+)(?: = ([^`]*))?`(\?)?( or null)?")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of SPEC.md: the cells of its header, and those of each row."""

    header: list[str]
    rows: list[list[str]]

    def column(self, name: str) -> list[str]:
        """The cells below a header."""
        at = self.header.index(name)
        return [row[at] for row in self.rows]

    def by_name(self, column: str) -> dict[str, str]:
        """The first code span of each row's first cell, and the cell of `column`. No name may come twice."""
        found: dict[str, str] = {}
        for first, cell in zip(self.column(self.header[0]), self.column(column), strict=True):
            name = code_spans(first)[0]
            assert name not in found, f"{name} has two rows"
            found[name] = cell
        return found


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """A field as a cell writes it: `name`, `name`? (may be left out), `name = default`, with `or null` behind."""

    optional: bool = False
    default: str | None = None
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Shown:
    """A message of an example. `sender` is who sends it."""

    sender: Literal["parent", "daemon"]
    value: Any


@cache
def text() -> str:
    """SPEC.md."""
    return SPEC.read_text(encoding="utf-8")


def clauses() -> dict[str, str]:
    """The numbered clauses: a paragraph that begins with its number in bold, up to the next one or the next heading."""
    found: dict[str, str] = {}
    starts = list(_CLAUSE.finditer(text()))
    for at, start in enumerate(starts):
        end = starts[at + 1].start() if at + 1 < len(starts) else len(text())
        number = start.group(1)
        assert number not in found, f"two clauses are numbered {number}"
        found[number] = re.split(r"^#", text()[start.end() : end], maxsplit=1, flags=re.MULTILINE)[0].strip()
    return found


def tables() -> list[Table]:
    """All tables, outside of fenced blocks."""
    found: list[Table] = []
    rows: list[list[str]] = []
    for line in [*_FENCE.sub("", text()).splitlines(), ""]:
        if line.startswith("|"):
            rows.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif rows:
            header, rule, *body = rows
            assert all(set(cell) <= set("-:") for cell in rule), f"no rule below {header}"
            assert all(len(row) == len(header) for row in body), f"a row below {header} has too many or too few cells"
            found.append(Table(header, body))
            rows = []
    return found


def table(first: str) -> Table:
    """The one table whose first header is `first`."""
    fitting = [each for each in tables() if each.header[0] == first]
    assert len(fitting) == 1, f"SPEC.md has {len(fitting)} tables that begin with the header {first!r}"
    return fitting[0]


def code_spans(cell: str) -> list[str]:
    """What stands in backticks."""
    return _CODE.findall(cell.replace("\\|", "|"))


def fields(cell: str) -> dict[str, FieldSpec]:
    """The fields that a cell lists; empty for a dash."""
    found: dict[str, FieldSpec] = {}
    for name, default, optional, nullable in _FIELD.findall(cell):
        assert name not in found, f"{name} comes twice in {cell!r}"
        found[name] = FieldSpec(bool(optional), default or None, bool(nullable))
    return found


def fences() -> list[tuple[str, str]]:
    """The fenced blocks: language and text."""
    return _FENCE.findall(text())


def fenced(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for name, body in fences() if name == language]


def exchanges() -> list[list[Shown]]:
    """The examples: blocks of messages, each behind an arrow. `→` is what the parent sends, `←` what the daemon sends;
    an indented line goes on with the message above."""
    return [_exchange(block) for block in fenced("exchange")]


def _exchange(block: str) -> list[Shown]:
    messages: list[list[str]] = []
    for line in block.splitlines():
        if line.startswith(("→ ", "← ")):
            messages.append([line])
        else:
            assert messages, f"an example begins without an arrow: {line!r}"
            assert line.startswith("  "), f"neither an arrow nor an indented line: {line!r}"
            messages[-1].append(line.strip())
    joined = [" ".join(lines) for lines in messages]
    return [Shown("parent" if each[0] == "→" else "daemon", json.loads(each[2:])) for each in joined]
