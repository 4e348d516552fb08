"""Draws the results as one SVG: bars for those side by side, lines for those that should be flat. Pure."""

from __future__ import annotations

import math
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

WIDTH, HEIGHT = 440, 260
LEFT, RIGHT, TOP, BOTTOM = 64, 20, 44, 44
COLUMNS = 2
COLOURS = {"ours": "#1f77b4", "other": "#b8bec6"}
STYLE = (
    "text{font-family:system-ui,sans-serif;font-size:12px;fill:#333}"
    ".title{font-size:14px;font-weight:600}.axis{stroke:#999}.grid{stroke:#e6e6e6}"
)

Point = tuple[float, float]


def draw(results: dict[str, Any]) -> str:
    """The whole picture; a panel that has no data is left out."""
    panels = [panel for panel in (_cost(results), _starts(results), _memory(results), *_curves(results)) if panel]
    rows = math.ceil(len(panels) / COLUMNS)
    width, height = WIDTH * COLUMNS, HEIGHT * rows
    placed = [
        f'<g transform="translate({WIDTH * (at % COLUMNS)} {HEIGHT * (at // COLUMNS)})">{panel}</g>'
        for at, panel in enumerate(panels)
    ]
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">'
    paper = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    return "\n".join([head, f"<style>{STYLE}</style>", paper, *placed, "</svg>", ""])


def _cost(results: dict[str, Any]) -> str:
    part = results.get("throughput", {})
    bars = [(name, of["cpu_us"]["median"]) for name, of in part.items() if isinstance(of, dict) and name != "CLI alone"]
    return _bars("CPU per streamed delta, µs", sorted(bars, key=lambda bar: bar[1]))


def _starts(results: dict[str, Any]) -> str:
    part = results.get("initialize", {})
    bars = [(name, of["median"]) for name, of in part.items() if isinstance(of, dict)]
    return _bars("spawn to the answer of initialize, ms", sorted(bars, key=lambda bar: bar[1]))


def _memory(results: dict[str, Any]) -> str:
    part = results.get("memory_idle", {})
    bars = [(name, of["all"]["median"]) for name, of in part.items() if isinstance(of, dict)]
    return _bars("memory when idle, with helpers, MB", sorted(bars, key=lambda bar: bar[1]))


def _curves(results: dict[str, Any]) -> list[str]:
    scaling, crowd = results.get("scaling", {}), results.get("crowd", {})
    steps: list[dict[str, float]] = crowd.get("steps", [])
    counts: list[dict[str, float]] = scaling.get("by_count", [])
    sizes: list[dict[str, float]] = scaling.get("by_size", [])
    return [
        _line("ours: µs of CPU per delta, by sessions", [(step["sessions"], step["cpu_us"]) for step in steps]),
        _line("ours: µs of CPU per delta, by deltas in a turn", [(step["deltas"], step["cpu_us"]) for step in counts]),
        _line("ours: ns of CPU per byte, by bytes in a delta", [(step["size"], step["ns_per_byte"]) for step in sizes]),
    ]


def _bars(title: str, bars: Sequence[tuple[str, float]]) -> str:
    if not bars:
        return ""
    top = max(value for _, value in bars)
    height = min(34.0, (HEIGHT - TOP - 20) / len(bars))
    label, room = 150, WIDTH - 150 - 70
    parts = [_text(16, 24, title, css="title")]
    for at, (name, value) in enumerate(bars):
        y, long = TOP + at * height, max(1.0, value / top * room)
        colour = COLOURS["ours" if name == "ours" else "other"]
        parts += [
            _text(label - 8, y + height / 2, name, anchor="end"),
            f'<rect x="{label}" y="{y:.1f}" width="{long:.1f}" height="{height - 8:.1f}" fill="{colour}"/>',
            _text(label + long + 6, y + height / 2, _number(value)),
        ]
    return "".join(parts)


def _line(title: str, points: Sequence[Point]) -> str:
    """Points over a logarithmic axis; the upright axis begins at zero, so that flat looks flat."""
    if not points:
        return ""
    top = _round_up(max(y for _, y in points))
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    wide, high = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM

    def place(point: Point) -> Point:
        along = (math.log10(point[0]) - first) / ((last - first) or 1)
        return LEFT + along * wide, TOP + high - point[1] / top * high

    parts = [_text(16, 24, title, css="title")]
    for step in range(5):
        y = TOP + high - step / 4 * high
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(LEFT - 8, y + 4, _number(top * step / 4), anchor="end"))
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in map(place, points))
    parts.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS["ours"]}" stroke-width="2"/>')
    for point in points:
        x, y = place(point)
        parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{COLOURS["ours"]}"/>')
        parts.append(_text(x, TOP + high + 18, _short(point[0]), anchor="middle"))
    parts.append(f'<line class="axis" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{TOP + high}" y2="{TOP + high}"/>')
    return "".join(parts)


def _text(x: float, y: float, text: str, *, anchor: str = "start", css: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" class="{css}">{escape(text)}</text>'


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.3g}"


def _short(value: float) -> str:
    """`10k` and `1M`, because axes are narrow."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 6, 8 and 10, times a power of ten: its quarters are short numbers."""
    power: float = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in (1, 2, 4, 6, 8, 10) if step * power >= value)
