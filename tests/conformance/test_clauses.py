"""Every clause of SPEC.md has a test that says so: `@pytest.mark.spec("3.2")`.

Owns: how marks are found, and that none is missing. Refuses: to judge whether a test holds its clause. Imported by
nobody.
"""

from __future__ import annotations

import ast
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.conformance.untested import UNTESTED
from tests.support import spec

if TYPE_CHECKING:
    from pathlib import Path

PROSE = ("*.md", "adapter/**/*.py", "protocol/**/*.py", "tests/**/*.py", "examples/*.py", "mock_clis/*.py", "docs/*.md")


def is_mark(call: ast.Call) -> bool:
    """`pytest.mark.spec(…)`."""
    return ast.unparse(call.func) == "pytest.mark.spec"


@cache
def marks() -> dict[str, list[str]]:
    """Clause to the places of its marks, in every test file; read from the source, so that no test has to be run."""
    found: dict[str, list[str]] = {}
    for path in sorted((spec.ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and is_mark(node):
                for argument in node.args:
                    clause = argument.value if isinstance(argument, ast.Constant) else ast.unparse(argument)
                    found.setdefault(str(clause), []).append(f"{path.relative_to(spec.ROOT)}:{node.lineno}")
    return found


def in_order(clauses: set[str]) -> list[str]:
    return sorted(clauses, key=lambda clause: [int(part) if part.isdigit() else -1 for part in clause.split(".")])


def test_every_clause_has_a_test_or_stands_in_the_list_of_those_without() -> None:
    assert in_order(set(spec.clauses()) - set(marks()) - set(UNTESTED)) == []


def test_no_mark_names_a_clause_that_is_not_there() -> None:
    unknown = {clause: places for clause, places in marks().items() if clause not in spec.clauses()}
    assert unknown == {}


def test_the_list_of_clauses_without_a_test_only_shrinks() -> None:
    tested = in_order(set(UNTESTED) & set(marks()))
    assert tested == [], "these have a test now: take them off the list in tests/conformance/untested.py"
    gone = in_order(set(UNTESTED) - set(spec.clauses()))
    assert gone == [], "these clauses are no longer there"
    assert list(UNTESTED) == in_order(set(UNTESTED))


def test_clauses_are_numbered_in_order_within_their_sections() -> None:
    section = 0
    expected = 1
    for line in spec.text().splitlines():
        if found := re.match(r"## (\d+)\. ", line):
            assert int(found.group(1)) == section + 1
            section, expected = section + 1, 1
        elif found := re.match(r"\*\*(\d+\.\d+)\*\* ", line):
            assert found.group(1) == f"{section}.{expected}"
            expected += 1


def cited(path: Path) -> set[str]:
    return set(re.findall(r"\bSPEC-(\d+\.\d+)\b", path.read_text(encoding="utf-8")))


def test_every_clause_that_is_cited_is_there() -> None:
    files = sorted({path for pattern in PROSE for path in spec.ROOT.glob(pattern)})
    assert spec.SPEC in files
    lost = {str(path.relative_to(spec.ROOT)): cited(path) - set(spec.clauses()) for path in files}
    assert {name: clauses for name, clauses in lost.items() if clauses} == {}


@pytest.mark.parametrize(
    ("source", "is_one"),
    [("pytest.mark.spec('1.1')", True), ("pytest.mark.slow()", False), ("spec('1.1')", False)],
)
def test_a_mark_is_told_from_other_calls(source: str, is_one: bool) -> None:
    (call,) = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    assert is_mark(call) == is_one
