"""`make faults`: runs the matrix, prints a table for each CLI, and exits with 1 if a cell does not hold.

`python -m tests.faults [--cli mock|VERSION] [--row NAME] [--column NAME] [--at-once N] [--write FILE]`; the first three
may be given more than once. Owns the command line and the order of the cells.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from tests.faults import clis, table
from tests.faults.cell import LIMIT_S, run_cell
from tests.faults.columns import COLUMNS
from tests.faults.rows import ROWS
from tests.support.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.faults.cell import Outcome
    from tests.faults.clis import Cli
    from tests.faults.columns import Column
    from tests.faults.rows import Row

AT_ONCE = 2
"""Cells side by side: as many as the smallest machine has cores, so that each is measured almost alone."""

INTRODUCTION = """# The fault matrix

Written by `make faults`; do not edit. Rows: what breaks. Columns: what the session is doing then. A number is the time
in seconds from the fault until nothing was left of the daemon, or of the sessions where the daemon lives on: no CLI, no
tool, no MCP server, no guardian. `{kept}`: the session was busy, so that neither the idle time-out nor an eviction may
end it, and it went on. `↻`: the conversation went on afterwards, in a new daemon or, where only the CLI had died, with
the next message. `{failed}`: processes were left after {limit:g} s, or a promise about events was broken.

Where a parent is left to listen, every cell also checks that each accepted message got its one `turn_completed`, each
session its one `session_ended`, last and with the right reason, and each tool call its output.
"""


def parse(argv: Sequence[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--cli", action="append", default=[], help="mock, or an installed version; default: all")
    parser.add_argument("--row", action="append", default=[], choices=ROWS, metavar="NAME", help=", ".join(ROWS))
    parser.add_argument(
        "--column", action="append", default=[], choices=COLUMNS, metavar="NAME", help=", ".join(COLUMNS)
    )
    parser.add_argument("--at-once", type=int, default=AT_ONCE, metavar="N", help=f"cells side by side ({AT_ONCE})")
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the tables there as well")
    return parser.parse_args(argv)


async def run(cli: Cli, rows: Sequence[Row], columns: Sequence[Column], at_once: int) -> list[Outcome]:
    """Run all these cells, those of many sessions alone and last; tell of each on stderr."""
    outcomes: list[Outcome] = []
    limiter = anyio.CapacityLimiter(at_once)

    async def one(row: Row, column: Column) -> None:
        async with limiter:
            outcome = await run_cell(cli, row, column)
        outcomes.append(outcome)
        told = f"{cli.name:8} {row.name:17} {column.name:12} {table.short(outcome)} ({outcome.took:.1f} s)"
        print(told, file=sys.stderr, flush=True)

    async with anyio.create_task_group() as tasks:
        for row in rows:
            for column in columns:
                if not column.each:
                    tasks.start_soon(one, row, column)
    for row in rows:
        for column in columns:
            if column.each:
                await one(row, column)
    return outcomes


def main(argv: Sequence[str]) -> int:
    """Run what the command line names: 0 if every cell holds, 1 if not, 2 for a CLI that is not there."""
    given = parse(argv)
    rows = [ROWS[name] for name in given.row] or list(ROWS.values())
    columns = [COLUMNS[name] for name in given.column] or list(COLUMNS.values())
    parts, good = [], True
    with ModelServer() as server:
        known = {clis.MOCK: clis.mock()} | clis.real(server.url)
        if unknown := set(given.cli) - set(known):
            print(f"not installed: {', '.join(unknown)} (there are: {', '.join(known)})", file=sys.stderr)
            return 2
        for name in given.cli or known:
            began = time.monotonic()
            outcomes = anyio.run(run, known[name], rows, columns, given.at_once)
            busy = f"Load average afterwards: {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores."
            part = f"## {name}\n\n{table.render(outcomes)}\n\n{table.summary(outcomes)}. {busy}"
            if wrong := table.failures(outcomes):
                part += f"\n\n```\n{wrong}\n```"
            good = good and not wrong
            print(f"\n{part}\n({time.monotonic() - began:.0f} s)\n", flush=True)
            parts.append(part)
    if given.write:
        head = INTRODUCTION.format(kept=table.KEPT, failed=table.FAILED, limit=LIMIT_S)
        machine = f"Measured on {platform.system()} {platform.machine()} with {os.cpu_count()} cores, Python "
        text = "\n\n".join((head.rstrip(), machine + platform.python_version() + ".", *parts))
        given.write.parent.mkdir(parents=True, exist_ok=True)
        given.write.write_text(text + "\n", encoding="utf-8")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
