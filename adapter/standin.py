"""Leaving out an import whose contents are never used.

pydantic looks through all installed packages for plugins, of which we use none; jsonrpcserver imports jsonschema,
a third of our start-up time, only to build a default validator that we never call, and http.server for a
development server that we never run. While `stand_in` is open, such an import finds an empty module; afterwards
the real one can be imported as ever.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def import_pydantic_without_plugins() -> None:
    """Import what pydantic looks for plugins with, so that it finds none. Before the first model is built."""
    with stand_in("importlib.metadata", entry_points=lambda **_: ()), suppress(ImportError):
        import pydantic.plugin._loader  # noqa: F401


@contextmanager
def stand_in(name: str, **attributes: Any) -> Iterator[None]:
    """For the block, let `name` and its parents be empty modules; `name` has these attributes.

    Does nothing where the real one has been imported already.
    """
    if name in sys.modules:
        yield
        return
    parts = name.split(".")
    placed = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
    placed = [each for each in placed if each not in sys.modules]
    for each in placed:
        sys.modules[each] = ModuleType(each)
    vars(sys.modules[name]).update(attributes)
    try:
        yield
    finally:
        for each in placed:
            del sys.modules[each]
