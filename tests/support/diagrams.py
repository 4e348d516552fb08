"""Draws the machines of `protocol.lifecycle` as mermaid state diagrams: `python -m tests.support.diagrams`.

Owns: how a transition table becomes a picture. Refuses: to know a state or a transition by itself. Imported by the
conformance tests, which compare the pictures in SPEC.md with these.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from protocol.lifecycle import SESSION_TRANSITIONS, TURN_TRANSITIONS, session_machine, turn_machine

if TYPE_CHECKING:
    from collections.abc import Mapping

S = TypeVar("S", bound=StrEnum)
T = TypeVar("T", bound=StrEnum)


def draw(table: Mapping[tuple[S, T], S], first: S) -> str:
    """The mermaid text of one table: states in the order in which the table names them, final states ended.

    Args:
        table: (state, trigger) and where it leads.
        first: the state that a machine begins in.
    """
    lines = ["stateDiagram-v2", f"    [*] --> {first}"]
    lines += [f"    {state} --> {following}: {trigger}" for (state, trigger), following in table.items()]
    left = {state for state, _ in table}
    lines += [f"    {state} --> [*]" for state in dict.fromkeys(table.values()) if state not in left]
    return "\n".join(lines)


def diagrams() -> list[str]:
    """The diagrams that SPEC.md shows, in its order: the session's, the turn's."""
    return [
        draw(SESSION_TRANSITIONS, session_machine().state),
        draw(TURN_TRANSITIONS, turn_machine().state),
    ]


def main() -> None:
    """Print the diagrams as SPEC.md has them."""
    for diagram in diagrams():
        print(f"```mermaid\n{diagram}\n```\n")


if __name__ == "__main__":
    main()
