"""The ledger's SQLite file: its schema, its statements, its rights. Every function blocks; `ledger.py` calls them
in a thread.

Raises `sqlite3.Error` or `OSError` when the file cannot be used; what to do then is decided in `ledger.py`.
"""

from __future__ import annotations

import os
import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from adapter.session.record import DaemonRecord, KeyedTurn, SessionRecord
from protocol.events import TurnUsage

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from pathlib import Path

FILE = "ledger.sqlite3"
SCHEMA_VERSION = 1

BUSY_S = 2.0
"""How long to wait for another daemon's write. Theirs take milliseconds."""

KEPT_S = 30 * 24 * 3600
"""Ended sessions are forgotten after a month: the CLI itself removes transcripts of that age by default."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS daemons (
    daemon_id TEXT PRIMARY KEY, pid INTEGER, started REAL, boot_id TEXT, began_at REAL, ended_at REAL
);
CREATE TABLE IF NOT EXISTS sessions (
    session_id TEXT PRIMARY KEY, daemon_id TEXT, provider TEXT, provider_session_id TEXT, pid INTEGER, state TEXT,
    working_dir TEXT, model TEXT, created_at REAL, last_used_at REAL, turns INTEGER, cost_usd REAL, reason TEXT,
    input_tokens INTEGER, output_tokens INTEGER, cache_read_input_tokens INTEGER, cache_creation_input_tokens INTEGER
);
CREATE TABLE IF NOT EXISTS processes (
    mark TEXT PRIMARY KEY, daemon_id TEXT, session_id TEXT, pid INTEGER, started REAL, spawned_at REAL, exited_at REAL
);
CREATE TABLE IF NOT EXISTS turns (
    turn_id TEXT PRIMARY KEY, session_id TEXT, daemon_id TEXT, outcome TEXT, idempotency_key TEXT, digest TEXT,
    accepted_at REAL, changed_at REAL
);
CREATE TABLE IF NOT EXISTS trusted (path TEXT, digest TEXT, trusted_at REAL, PRIMARY KEY (path, digest));
CREATE INDEX IF NOT EXISTS turns_by_key ON turns (session_id, idempotency_key);
"""

Statement = tuple[str, tuple[Any, ...]]


def connect(folder: Path) -> sqlite3.Connection:
    """Open the ledger in a folder, made if it is not there; both for us alone (0700, 0600).

    Raises:
        sqlite3.DatabaseError: the file is no database, or one of a later version.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder / FILE
    os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA_VERSION:
            raise sqlite3.NotSupportedError(f"{path} was written by a later version of agent-adapter")
        connection.executescript(SCHEMA)
        connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
    except BaseException:
        connection.close()
        raise
    return connection


def write(connection: sqlite3.Connection, statements: list[Statement]) -> None:
    """Run statements in one transaction: all of them or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        for statement, values in statements:
            connection.execute(statement, values)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def put_daemon(daemon: DaemonRecord) -> Statement:
    """A daemon begins."""
    values = (daemon.daemon_id, daemon.pid, daemon.started, daemon.boot_id, time.time())
    return "INSERT OR REPLACE INTO daemons (daemon_id, pid, started, boot_id, began_at) VALUES (?, ?, ?, ?, ?)", values


def put_session(record: SessionRecord, daemon_id: str, *, keep: bool = False) -> Statement:
    """A session, new or changed; with `keep` only where there is none of its id."""
    usage = record.usage
    values = (
        record.session_id,
        daemon_id,
        record.provider,
        record.provider_session_id,
        record.pid,
        record.state,
        record.working_dir,
        record.model,
        record.created_at,
        record.last_used_at,
        record.turns,
        record.cost_usd,
        record.reason,
        usage.input_tokens,
        usage.output_tokens,
        usage.cache_read_input_tokens,
        usage.cache_creation_input_tokens,
    )
    other = "IGNORE" if keep else "REPLACE"
    return f"INSERT OR {other} INTO sessions VALUES ({', '.join('?' * len(values))})", values


def forget_start(session_id: str, daemon_id: str) -> Statement:
    """A session of this daemon's did not start."""
    statement = "DELETE FROM sessions WHERE session_id = ? AND daemon_id = ? AND state = 'starting'"
    return statement, (session_id, daemon_id)


def settle_dead_daemon(daemon_id: str) -> list[Statement]:
    """A daemon died: its sessions have ended, and what was under way has an unknown outcome."""
    now = time.time()
    return [
        (
            (
                "UPDATE sessions SET state = 'ended', reason = 'crashed', pid = NULL "
                "WHERE daemon_id = ? AND state != 'ended'"
            ),
            (daemon_id,),
        ),
        (
            "UPDATE turns SET outcome = 'failed', changed_at = ? WHERE daemon_id = ? AND outcome = 'accepted'",
            (now, daemon_id),
        ),
        (
            "UPDATE turns SET outcome = 'unknown', changed_at = ? WHERE daemon_id = ? AND outcome = 'delivered'",
            (now, daemon_id),
        ),
        ("UPDATE processes SET exited_at = ? WHERE daemon_id = ? AND exited_at IS NULL", (now, daemon_id)),
        ("UPDATE daemons SET ended_at = ? WHERE daemon_id = ?", (now, daemon_id)),
    ]


def forget_old() -> list[Statement]:
    """Let go of what nobody will ask for any more."""
    before = (time.time() - KEPT_S,)
    return [
        ("DELETE FROM sessions WHERE state = 'ended' AND last_used_at < ?", before),
        ("DELETE FROM turns WHERE changed_at < ? AND session_id NOT IN (SELECT session_id FROM sessions)", before),
        ("DELETE FROM processes WHERE exited_at < ?", before),
        ("DELETE FROM daemons WHERE ended_at < ?", before),
    ]


def read_daemons(connection: sqlite3.Connection) -> list[DaemonRecord]:
    """The daemons that have not said goodbye: running, or dead."""
    rows = connection.execute("SELECT daemon_id, pid, started, boot_id FROM daemons WHERE ended_at IS NULL")
    return [DaemonRecord(*row) for row in rows]


def read_ended_sessions(connection: sqlite3.Connection, limit: int) -> list[SessionRecord]:
    """The latest ended sessions, of all daemons, latest first."""
    query = "SELECT * FROM sessions WHERE state = 'ended' ORDER BY last_used_at DESC LIMIT ?"
    return [_session(row) for row in connection.execute(query, (limit,))]


def read_sessions(connection: sqlite3.Connection, limit: int, *, dead: Container[str] = ()) -> list[SessionRecord]:
    """The latest sessions, live ones too, of all daemons, latest first; those of `dead` daemons as ended.

    The beginning of a turn is written down with the turn alone: a session is busy while one of its own is open.
    """
    open_turns = connection.execute("SELECT DISTINCT session_id FROM turns WHERE outcome IN ('accepted', 'delivered')")
    busy = {id for (id,) in open_turns}
    found = []
    for row in connection.execute("SELECT * FROM sessions ORDER BY last_used_at DESC LIMIT ?", (limit,)):
        record, daemon_id = _session(row), row[1]
        if daemon_id in dead and record.state != "ended":
            record = replace(record, state="ended", reason="crashed", pid=None)
        elif record.state == "idle" and record.session_id in busy:
            record = replace(record, state="busy")
        found.append(record)
    return found


def read_session(connection: sqlite3.Connection, session_id: str) -> SessionRecord | None:
    """A session by our id."""
    row = connection.execute("SELECT * FROM sessions WHERE session_id = ?", (session_id,)).fetchone()
    return None if row is None else _session(row)


def read_keyed_turns(connection: sqlite3.Connection, session_id: str) -> list[KeyedTurn]:
    """The turns that were accepted with an idempotency key, oldest first."""
    query = """SELECT idempotency_key, digest, turn_id, outcome FROM turns
        WHERE session_id = ? AND idempotency_key IS NOT NULL ORDER BY accepted_at"""
    return [KeyedTurn(*row) for row in connection.execute(query, (session_id,))]


def put_trust(path: str, digest: str) -> Statement:
    """Something that a file brings is trusted. Kept for as long as the ledger is."""
    return "INSERT OR REPLACE INTO trusted VALUES (?, ?, ?)", (path, digest, time.time())


def read_trusted(connection: sqlite3.Connection, paths: Iterable[str]) -> set[tuple[str, str]]:
    """What is trusted in these files, by path and digest."""
    query = "SELECT path, digest FROM trusted WHERE path = ?"
    return {(path, digest) for each in paths for path, digest in connection.execute(query, (each,))}


def _session(row: tuple[Any, ...]) -> SessionRecord:
    (id, _, provider, provider_id, pid, state, folder, model, created, used, turns, cost, reason, *tokens) = row
    usage = TurnUsage(
        input_tokens=tokens[0],
        output_tokens=tokens[1],
        cache_read_input_tokens=tokens[2],
        cache_creation_input_tokens=tokens[3],
    )
    return SessionRecord(
        id, provider, provider_id, pid, state, folder, model, created, used, turns, cost, usage, reason
    )
