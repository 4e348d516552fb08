"""Leaves the real CLI's cells out where there is no real CLI; the tests in `tests/e2e` say so in one line for all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.real_cli import installed_versions

if TYPE_CHECKING:
    import pytest

HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """An empty list of versions would be a skipped test for each of its users."""
    if installed_versions():
        return
    idle = [item for item in items if HERE in item.path.parents and item.get_closest_marker("real_cli")]
    config.hook.pytest_deselected(items=idle)
    items[:] = [item for item in items if item not in idle]
