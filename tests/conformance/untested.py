"""The clauses of SPEC.md that no test is marked with yet. The list only shrinks: a test that holds a clause gets its
`pytest.mark.spec`, and the clause leaves this list. Imported by test_clauses.py alone.
"""

from __future__ import annotations

UNTESTED = (
    "1.1",
    "1.2",
    "1.3",
    "1.6",
    "1.7",
    "1.8",
    "1.9",
    "1.10",
    "1.12",
    "2.10",
    "2.16",
    "3.3",
    "3.5",
    "5.4",
    "5.5",
    "5.10",
    "6.5",
    "6.6",
    "6.7",
    "7.2",
    "7.8",
    "8.4",
    "9.3",
    "9.4",
    "9.5",
    "9.6",
    "9.7",
    "10.2",
    "10.3",
    "10.4",
    "10.5",
    "10.6",
    "12.3",
)
