"""What the generated tests generate: JSON values, damaged copies of real ones, ways to cut bytes into chunks.

Imported by the tests of this folder only.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

    from hypothesis.strategies import SearchStrategy

scalars: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False),
    st.text(max_size=8),
    st.sampled_from(["", "text", "tool_use", "success", "message", "init", "user", "\u2028", "\U0001f600", "2.0"]),
)


def json_values(names: SearchStrategy[str] | None = None) -> SearchStrategy[Any]:
    """Any JSON value, with objects' names drawn from `names`."""
    keys = names if names is not None else st.text(max_size=6)
    return st.recursive(
        scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=5), max_leaves=12
    )


def chunked(data: bytes, cuts: list[int]) -> list[bytes]:
    """`data` cut at these places (taken modulo its length, so that any list will do)."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    edges = [0, *places, len(data)]
    return [data[start:end] for start, end in pairwise(edges)]


@st.composite
def damaged(draw: Callable[[SearchStrategy[Any]], Any], value: Any) -> Any:
    """A copy of a JSON value with one to three members deleted, replaced, or wrapped in a list."""
    copy = value
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(list(_paths(copy)) or [()]))
        copy = _damage(copy, path, draw(st.sampled_from(["delete", "replace", "wrap"])), draw(json_values()))
    return copy


def _paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    members: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        members = list(value.items())
    elif isinstance(value, list):
        members = list(enumerate(value))
    found = [(*here, key) for key, _ in members]
    for key, inner in members:
        found += _paths(inner, (*here, key))
    return found


def _damage(value: Any, path: tuple[Any, ...], how: str, other: Any) -> Any:
    if not path:
        return [value] if how == "wrap" else other
    key, *rest = path
    changed = dict(enumerate(value)) if isinstance(value, list) else dict(value)
    if not rest and how == "delete":
        del changed[key]
    else:
        changed[key] = _damage(changed[key], tuple(rest), how, other)
    return list(changed.values()) if isinstance(value, list) else changed
