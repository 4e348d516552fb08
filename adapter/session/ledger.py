"""The ledger on disk: sessions, turns and processes of all daemons of this user, so that nothing is lost or left
behind.

Whoever has something to write notes it, which never waits; one task writes what was noted, in order, in a thread.
Who must not go on before it is written awaits `flush`. A ledger that cannot be used (a full disk, a locked,
read-only or corrupt file) costs a warning and what it would have remembered, never the daemon: every method works
then, and knows nothing.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import anyio
import anyio.to_thread

from adapter.process import containment, scratch
from adapter.process.identity import ProcessId, boot_id, identify, is_alive
from adapter.session import store
from adapter.session.record import DaemonRecord, KeyedTurn, SessionRecord, TurnEntry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

log = logging.getLogger(__name__)

FLUSH_S = 3.0
"""How long anybody waits for the disk: longer than SQLite waits for another daemon, and then we go on without."""

WARN_AGAIN_S = 60.0
"""A ledger in trouble is reported once a minute."""

R = TypeVar("R")


class Ledger:
    """One daemon's hold on the ledger.

    Args:
        folder: where the file is.
        daemon_id: ours, as in the marks of our processes.
    """

    def __init__(self, folder: Path, daemon_id: str) -> None:
        self._folder = folder
        self._daemon_id = daemon_id
        self._connection: sqlite3.Connection | None = None
        self._thread = anyio.CapacityLimiter(1)
        self._noted: list[store.Statement] = []
        self._noted_count = 0
        self._written_count = 0
        self._wake = anyio.Event()
        self._progress = anyio.Event()
        self._warned_at = -WARN_AGAIN_S
        self.ready = anyio.Event()
        """Set when leftovers of dead daemons have been dealt with (or cannot be)."""

    # Life

    async def run(self) -> None:
        """Open the ledger, deal with leftovers, then write what is noted. Runs until cancelled."""
        await self.open()
        try:
            await self.recover()
        finally:
            self.ready.set()
        while True:
            await self._wake.wait()
            await self._write_noted()

    @property
    def is_open(self) -> bool:
        """Whether the file could be opened."""
        return self._connection is not None

    async def close(self) -> None:
        """Write what is left, and say goodbye."""
        self._note("UPDATE daemons SET ended_at = ? WHERE daemon_id = ?", time.time(), self._daemon_id)
        with anyio.CancelScope(shield=True), anyio.move_on_after(FLUSH_S):
            await self._write_noted()
            await self._do(lambda connection: connection.close())
        self._connection = None

    async def recover(self) -> list[ProcessId]:
        """End what daemons that have died left running, and settle their sessions. What was ended."""
        ended: list[ProcessId] = []
        for daemon in await self._ask(store.read_daemons) or []:
            if daemon.daemon_id == self._daemon_id or is_living(daemon):
                continue
            swept = await containment.sweep(daemon.daemon_id) if daemon.boot_id == boot_id() else []
            if swept:
                log.warning("ended %d processes that a daemon (PID %d) left behind", len(swept), daemon.pid)
            ended += swept
            scratch.clear(scratch.folder_of(daemon.daemon_id))
            self._note_all(store.settle_dead_daemon(daemon.daemon_id))
        self._note_all(store.forget_old())
        await self._write_noted()
        return ended

    # Writing

    def note_start(self, record: SessionRecord) -> None:
        """A session is about to be started. An ended one with its id can be resumed until it has."""
        self._note_all([store.put_session(record, self._daemon_id, keep=True)])

    def forget_start(self, session_id: str) -> None:
        """It did not start: nothing is left of it."""
        self._note_all([store.forget_start(session_id, self._daemon_id)])

    def note_session(self, record: SessionRecord) -> None:
        """A session is new or has changed."""
        self._note_all([store.put_session(record, self._daemon_id)])

    def note_turn(self, record: TurnEntry) -> None:
        """A turn is accepted, or has come further."""
        now = time.time()
        if record.outcome == "accepted":
            self._note(
                "INSERT OR REPLACE INTO turns VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                record.turn_id,
                record.session_id,
                self._daemon_id,
                record.outcome,
                record.idempotency_key,
                record.digest,
                now,
                now,
            )
        else:
            self._note(
                "UPDATE turns SET outcome = ?, changed_at = ? WHERE turn_id = ?", record.outcome, now, record.turn_id
            )

    def forget_conversation(self, provider_session_id: str) -> None:
        """A conversation was deleted: its ended sessions can no longer be resumed."""
        statement = "DELETE FROM sessions WHERE provider_session_id = ? AND state = 'ended'"
        self._note(statement, provider_session_id)

    def note_trust(self, keys: Iterable[tuple[str, str]]) -> None:
        """These things are trusted: paths of files, and digests of what they bring."""
        self._note_all([store.put_trust(path, digest) for path, digest in keys])

    async def spawning(self, mark: str, owner: str | None) -> None:
        """A process is about to be started. Written before it is."""
        self._note(
            "INSERT INTO processes (mark, daemon_id, session_id, spawned_at) VALUES (?, ?, ?, ?)",
            mark,
            self._daemon_id,
            owner,
            time.time(),
        )
        await self.flush()

    async def spawned(self, mark: str, process: ProcessId) -> None:
        """It runs. Written before it is used."""
        self._note("UPDATE processes SET pid = ?, started = ? WHERE mark = ?", process.pid, process.started, mark)
        await self.flush()

    def exited(self, mark: str) -> None:
        """It has gone, and all it started."""
        self._note("UPDATE processes SET exited_at = ? WHERE mark = ?", time.time(), mark)

    async def flush(self) -> None:
        """Wait until everything noted so far is written, or cannot be."""
        wanted = self._noted_count
        with anyio.move_on_after(FLUSH_S):
            while self._written_count < wanted:
                await self._progress.wait()

    # Reading

    async def ended_sessions(self, limit: int) -> list[SessionRecord]:
        """The latest ended sessions of all daemons, latest first."""
        await self._settled()
        return await self._ask(lambda connection: store.read_ended_sessions(connection, limit)) or []

    async def session(self, session_id: str) -> SessionRecord | None:
        """A session by our id."""
        await self._settled()
        return await self._ask(lambda connection: store.read_session(connection, session_id))

    async def keyed_turns(self, session_id: str) -> list[KeyedTurn]:
        """The messages that were accepted with an idempotency key under this session id."""
        await self._settled()
        return await self._ask(lambda connection: store.read_keyed_turns(connection, session_id)) or []

    async def trusted(self, paths: Iterable[str]) -> set[tuple[str, str]]:
        """What was trusted in these files before, by any daemon."""
        wanted = list(paths)
        await self._settled()
        return await self._ask(lambda connection: store.read_trusted(connection, wanted)) or set()

    async def _settled(self) -> None:
        with anyio.move_on_after(FLUSH_S):
            await self.ready.wait()
        await self.flush()

    # The thread

    def _note(self, statement: str, *values: object) -> None:
        self._noted.append((statement, values))
        self._noted_count += 1
        self._wake.set()

    def _note_all(self, statements: list[store.Statement]) -> None:
        for statement, values in statements:
            self._note(statement, *values)

    async def _write_noted(self) -> None:
        self._wake = anyio.Event()
        statements, self._noted = self._noted, []
        if statements:
            await self._ask(lambda connection: store.write(connection, statements))
        self._written_count += len(statements)
        self._progress.set()
        self._progress = anyio.Event()

    async def open(self) -> None:
        """Open the file; where that fails, warn and know nothing."""
        try:
            self._connection = await anyio.to_thread.run_sync(self._connect, limiter=self._thread)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
            return
        me = identify(os.getpid())
        if me is not None:
            self._note_all([store.put_daemon(DaemonRecord(self._daemon_id, me.pid, me.started, boot_id()))])

    def _connect(self) -> sqlite3.Connection:
        try:
            return store.connect(self._folder)
        except sqlite3.OperationalError:
            raise
        except sqlite3.NotSupportedError:
            raise
        except sqlite3.DatabaseError as error:
            self._set_aside(error)
            return store.connect(self._folder)

    def _set_aside(self, error: sqlite3.Error) -> None:
        """A file that is no database: keep it for who wants to look, and begin a new one."""
        path = self._folder / store.FILE
        aside = path.with_suffix(f".corrupt-{int(time.time())}")
        path.rename(aside)
        for tail in ("-wal", "-shm"):
            Path(f"{path}{tail}").unlink(missing_ok=True)
        log.warning("the ledger was unreadable (%s); it is kept as %s, and a new one is begun", error, aside)

    async def _ask(self, act: Callable[[sqlite3.Connection], R]) -> R | None:
        """Do something with the file; None, and a warning, where it cannot be done."""
        try:
            return await self._do(act)
        except (sqlite3.Error, OSError) as error:
            self._warn(error)
            return None

    async def _do(self, act: Callable[[sqlite3.Connection], R]) -> R | None:
        connection = self._connection
        if connection is None:
            return None
        return await anyio.to_thread.run_sync(act, connection, limiter=self._thread)

    def _warn(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._warned_at >= WARN_AGAIN_S:
            self._warned_at = now
            log.warning(
                "the ledger in %s cannot be used (%s); sessions are not written down meanwhile", self._folder, error
            )


def is_living(daemon: DaemonRecord) -> bool:
    """Whether a daemon of the ledger still runs."""
    return daemon.boot_id == boot_id() and is_alive(ProcessId(daemon.pid, daemon.started))
