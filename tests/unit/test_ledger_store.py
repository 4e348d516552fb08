"""The ledger's file, without a daemon: rights, versions, what is read is what was written."""

from __future__ import annotations

import sqlite3
import stat
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from adapter.session import store
from adapter.session.idempotency import KEPT, IdempotencyKeys, digest
from adapter.session.record import DaemonRecord, KeyedTurn, SessionRecord
from protocol.errors import AdapterError
from protocol.events import TurnUsage

if TYPE_CHECKING:
    from pathlib import Path


def record(session_id: str = "s1", state: str = "idle", **fields: object) -> SessionRecord:
    usage = TurnUsage(input_tokens=1, output_tokens=2, cache_read_input_tokens=3, cache_creation_input_tokens=4)
    given = {"created_at": 1.5, "last_used_at": 2.5, "turns": 3, "cost_usd": 0.25, "usage": usage, **fields}
    return SessionRecord(session_id, "claude", "p1", 42, state, "/work", "opus", **given)  # type: ignore[arg-type]


def test_only_we_can_read_the_folder_and_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "agent-adapter"
    with closing(store.connect(folder)) as connection:
        store.write(connection, [store.put_session(record(), "d1")])
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_a_session_is_read_as_it_was_written(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        store.write(connection, [store.put_session(record(), "d1")])
        assert store.read_session(connection, "s1") == record()
        assert store.read_session(connection, "other") is None


def test_the_latest_word_about_a_session_stands(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        store.write(connection, [store.put_session(record(), "d1"), store.put_session(record(turns=9), "d1")])
        assert store.read_sessions(connection, 10) == [record(turns=9)]


def test_a_failing_transaction_leaves_nothing(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        with pytest.raises(sqlite3.Error):
            store.write(connection, [store.put_session(record(), "d1"), ("INSERT INTO nowhere VALUES (1)", ())])
        assert store.read_sessions(connection, 10) == []
        store.write(connection, [store.put_session(record(), "d1")])
        assert len(store.read_sessions(connection, 10)) == 1


def test_a_dead_daemons_sessions_end_and_its_turns_are_settled(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        turns = [("t1", "accepted"), ("t2", "delivered"), ("t3", "completed")]
        statement = "INSERT INTO turns VALUES (?, 's1', 'd1', ?, NULL, NULL, 1, 1)"
        store.write(
            connection,
            [
                store.put_daemon(DaemonRecord("d1", 1, 2.0, "boot")),
                store.put_session(record(state="busy"), "d1"),
                store.put_session(record("s2"), "d2"),
                *[(statement, turn) for turn in turns],
            ],
        )
        store.write(connection, store.settle_dead_daemon("d1"))
        ended, other = store.read_session(connection, "s1"), store.read_session(connection, "s2")
        outcomes = dict(connection.execute("SELECT turn_id, outcome FROM turns").fetchall())
        assert store.read_daemons(connection) == []
    assert ended is not None
    assert other is not None
    assert (ended.state, ended.reason, ended.pid) == ("ended", "crashed", None)
    assert other.state == "idle"
    assert outcomes == {"t1": "failed", "t2": "unknown", "t3": "completed"}


def test_a_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        connection.execute(f"PRAGMA user_version = {store.SCHEMA_VERSION + 1}")
    with pytest.raises(sqlite3.NotSupportedError, match="later version"):
        store.connect(tmp_path)


def test_old_ended_sessions_are_forgotten_and_live_ones_are_not(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        store.write(
            connection, [store.put_session(record("old", "ended"), "d"), store.put_session(record("live"), "d")]
        )
        store.write(connection, store.forget_old())
        assert [each.session_id for each in store.read_sessions(connection, 10)] == ["live"]


def test_a_key_with_the_same_message_is_the_same_turn() -> None:
    keys, turn = IdempotencyKeys(), KeyedTurn("k", digest("hello"), "t1", "completed")
    assert keys.find("k", digest("hello")) is None
    keys.remember("k", digest("hello"), turn)
    assert keys.find("k", digest("hello")) is turn


def test_a_key_with_another_message_is_refused() -> None:
    keys = IdempotencyKeys()
    keys.remember("k", digest("hello"), KeyedTurn("k", digest("hello"), "t1", "completed"))
    with pytest.raises(AdapterError) as caught:
        keys.find("k", digest([{"type": "text", "text": "hello"}]))
    assert caught.value.data["errors"][0]["path"] == "idempotency_key"


def test_the_oldest_keys_are_forgotten() -> None:
    keys, turn = IdempotencyKeys(), KeyedTurn("k", "d", "t1", "completed")
    for at in range(KEPT + 1):
        keys.remember(f"k{at}", "d", turn)
    assert keys.find("k0", "d") is None
    assert keys.find(f"k{KEPT}", "d") is turn


def test_a_start_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        store.write(connection, [store.put_session(record("old", "ended"), "d1")])
        for id in ("old", "new"):
            store.write(connection, [store.put_session(record(id, "starting"), "d2", keep=True)])
        assert store.read_session(connection, "old") == record("old", "ended")
        store.write(connection, [store.forget_start(id, "d2") for id in ("old", "new")])
        assert [each.session_id for each in store.read_sessions(connection, 5)] == ["old"]


def test_the_sessions_of_a_dead_daemon_are_listed_as_ended_and_those_with_a_turn_as_busy(tmp_path: Path) -> None:
    with closing(store.connect(tmp_path)) as connection:
        daemons = {"a": "dead", "b": "d2", "c": "d2"}
        store.write(connection, [store.put_session(record(id), daemon) for id, daemon in daemons.items()])
        for id in ("a", "c"):
            connection.execute("INSERT INTO turns (turn_id, session_id, outcome) VALUES (?, ?, 'delivered')", (id, id))
        found = {each.session_id: (each.state, each.pid) for each in store.read_sessions(connection, 5, dead=["dead"])}
    assert found == {"a": ("ended", None), "b": ("idle", 42), "c": ("busy", 42)}
