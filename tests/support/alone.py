"""Coroutines for tests that have no event loop of their own. Tests may import it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import anyio

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

R = TypeVar("R")


def run_alone(function: Callable[..., Awaitable[R]], *args: object) -> R:
    """Run an async function in a thread of its own: this one may have the loop of a fixture that outlives tests."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(anyio.run, function, *args).result()
