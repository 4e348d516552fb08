"""The clauses of SPEC.md that no test is marked with yet. The list only shrinks: a test that holds a clause gets its
`pytest.mark.spec`, and the clause leaves this list. Imported by test_clauses.py alone.
"""

from __future__ import annotations

UNTESTED: tuple[str, ...] = ()
