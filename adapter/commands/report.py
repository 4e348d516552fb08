"""How subcommands talk: JSON for programs, aligned text for people. The one place of the program that writes to
stdout by itself."""

from __future__ import annotations

import json
import sys
from typing import Any


def write_json(value: Any) -> None:
    """Write a value for programs."""
    sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def write_lines(lines: list[str]) -> None:
    """Write lines for people."""
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def table(rows: list[list[str]]) -> list[str]:
    """Rows with their columns aligned; the first row is the heading."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
