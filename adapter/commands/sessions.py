"""`agent-adapter sessions`: what the ledger knows. `agent-adapter sessions clean`: end what dead daemons have left."""

from __future__ import annotations

import sqlite3
import sys
import time
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import anyio
import msgspec

from adapter.commands.report import table, write_json, write_lines
from adapter.config import state_folder
from adapter.process.identity import new_daemon_id
from adapter.session import store
from adapter.session.ledger import Ledger, is_living

if TYPE_CHECKING:
    from adapter.config import Settings
    from adapter.session.record import SessionRecord

SEE_DOCTOR = "See `agent-adapter doctor`.\n"

SHOWN = 200
"""Sessions in the list, the latest ones."""


def run(settings: Settings, *, as_json: bool) -> int:
    """List the ledger; exit code 1 where it cannot be read."""
    folder = state_folder(settings)
    try:
        with closing(store.connect(folder)) as connection:
            dead = [daemon.daemon_id for daemon in store.read_daemons(connection) if not is_living(daemon)]
            records = store.read_sessions(connection, SHOWN, dead=dead)
    except (sqlite3.Error, OSError) as error:
        sys.stderr.write(f"agent-adapter: {folder}: {error}\n{SEE_DOCTOR}")
        return 1
    if as_json:
        write_json([{**asdict(record), "usage": msgspec.to_builtins(record.usage)} for record in records])
    else:
        write_lines(_render(records))
    return 0


def clean(settings: Settings, *, as_json: bool) -> int:
    """End what daemons that have died left running, and settle their sessions; exit code 1 where the ledger, which
    alone knows of them, cannot be read."""
    ended = anyio.run(_recover, settings)
    if ended is None:
        sys.stderr.write(SEE_DOCTOR)
        return 1
    if as_json:
        write_json({"ended": ended})
    else:
        write_lines([f"Ended {len(ended)} processes: {', '.join(map(str, ended))}" if ended else "Nothing was left."])
    return 0


async def _recover(settings: Settings) -> list[int] | None:
    ledger = Ledger(state_folder(settings), new_daemon_id())
    await ledger.open()
    if not ledger.is_open:
        return None
    ended = [process.pid for process in await ledger.recover()]
    await ledger.close()
    return ended


def _render(records: list[SessionRecord]) -> list[str]:
    if not records:
        return ["No sessions."]
    heading = ["SESSION", "PROVIDER", "STATE", "PID", "TURNS", "COST USD", "LAST USED", "WORKING FOLDER", "RESUME BY"]
    return table([heading, *[_row(record) for record in records]])


def _row(record: SessionRecord) -> list[str]:
    state = f"{record.state} ({record.reason})" if record.reason else record.state
    used = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.last_used_at))
    pid, cost = str(record.pid or "-"), f"{record.cost_usd:.4f}"
    resume = record.provider_session_id or "-"
    return [record.session_id, record.provider, state, pid, str(record.turns), cost, used, record.working_dir, resume]
