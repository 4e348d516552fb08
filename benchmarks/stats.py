"""Medians, spreads and percentiles of small samples. Pure; used by every measurement and by the report."""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Summary:
    """A sample in three numbers: the median, and the quartiles as its spread (the extremes below four values)."""

    median: float
    low: float
    high: float
    count: int

    def as_json(self) -> dict[str, Any]:
        """For the file of raw results."""
        return {"median": self.median, "low": self.low, "high": self.high, "count": self.count}


def summarise(values: Sequence[float]) -> Summary:
    """The median and the spread. Raises ValueError for an empty sample."""
    if not values:
        raise ValueError("nothing was measured")
    if len(values) < 4:
        return Summary(statistics.median(values), min(values), max(values), len(values))
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return Summary(middle, low, high, len(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which `share` (0 to 1) of the sample lies, by nearest rank."""
    if not values:
        raise ValueError("nothing was measured")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
