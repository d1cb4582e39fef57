"""Snapshots in SQLite: row by row, whole or not there, whatever ends the process; and space that is given back."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from slurm.journal.row import Row
from slurm.model.errors import StoreError
from slurm.store import sqlite_rows
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal


def row(key: int | str, text: str | None, kind: str = "job") -> Row:
    return Row(kind, key, 1, text.encode() if text is not None else None)


def kept(journal: SqliteJournal) -> dict[tuple[str, int | str], bytes | None]:
    return {(row.kind, row.key): row.body for row in journal.rows()}


def append(journal: SqliteJournal, count: int = 1) -> None:
    journal.append([Record(1.0, "Submitted", b"event")] * count)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "journal.db")


def test_rows_count_when_their_snapshot_is_complete_and_not_before(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal, 3)
    journal.keep([row(1, "one"), row(2, "two"), row("cn01", "up", "node")])
    assert (journal.snapshot_seq, kept(journal)) == (0, {})
    journal.complete(2, [row(0, "own", "cluster")], 4)
    journal.close()
    journal = SqliteJournal(path)
    assert journal.snapshot_seq == 2
    assert kept(journal) == {("job", 1): b"one", ("job", 2): b"two", ("node", "cn01"): b"up", ("cluster", 0): b"own"}
    assert journal.append([Record(1.0, "Submitted", b"next")]) == 4
    journal.close()


def test_a_later_snapshot_writes_only_what_changed(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal, 2)
    journal.keep([row(1, "one"), row(2, "two")])
    journal.complete(1, [row(3, "three")], 3)
    journal.keep([row(2, "deux"), row(3, None)])
    journal.keep([row(2, "zwei"), row(4, "four")])
    journal.complete(2, [row(5, "five")], 4)
    for reopened in (False, True):
        if reopened:
            journal.close()
            journal = SqliteJournal(path)
        assert kept(journal) == {("job", 1): b"one", ("job", 2): b"zwei", ("job", 4): b"four", ("job", 5): b"five"}
    journal.close()


def test_what_was_replaced_is_dropped_by_and_by_also_after_a_restart(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal, 5000)
    journal.keep([row(n, "x" * 200) for n in range(1000)])
    journal.complete(10, [row(0, "own", "cluster")], 1001)
    journal.keep([row(n, None) for n in range(900)] + [row(n, "new") for n in range(900, 1000)])
    journal.complete(20, [row(0, "own", "cluster")], 101)
    journal.close()
    journal = SqliteJournal(path)
    wanted = kept(journal)
    assert len(wanted) == 101
    steps = 0
    while journal.compact():
        steps += 1
        assert kept(journal) == wanted
    assert steps >= 3
    assert [entry.seq for entry in journal.replay(after=10)][0] == 11
    with sqlite3.connect(path) as looked:
        assert looked.execute("SELECT count(*) FROM rows").fetchone() == (101,)
        assert looked.execute("SELECT min(seq) FROM events").fetchone() == (11,)
    journal.close()


@pytest.mark.parametrize("restarted", [False, True])
def test_a_compaction_that_another_snapshot_overtakes_drops_nothing_that_counts(path: str, *, restarted: bool) -> None:
    journal = SqliteJournal(path)
    append(journal, 3)
    journal.complete(1, [row(n, "old") for n in range(sqlite_rows.ROWS_AT_ONCE + 5)], sqlite_rows.ROWS_AT_ONCE + 5)
    journal.complete(2, [*(row(n, "new") for n in range(sqlite_rows.ROWS_AT_ONCE + 3)), row(sqlite_rows.ROWS_AT_ONCE + 3, None)],
                     sqlite_rows.ROWS_AT_ONCE + 4)
    assert journal.compact()  # a portion, and the rest is not reached before the next snapshot is
    if restarted:
        journal.close()
        journal = SqliteJournal(path)
    wanted = kept(journal)
    journal.complete(3, [row(0, "newest")], sqlite_rows.ROWS_AT_ONCE + 4)
    while journal.compact():
        pass
    assert kept(journal) == wanted | {("job", 0): b"newest"}
    with sqlite3.connect(path) as looked:
        assert looked.execute("SELECT count(*) FROM rows").fetchone() == (sqlite_rows.ROWS_AT_ONCE + 4,)
    journal.close()


def test_space_is_given_back(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal)
    journal.keep([row(n, "x" * 2000) for n in range(20_000)])
    journal.complete(1, [], 20_000)
    journal.keep([row(n, None) for n in range(1, 20_000)])
    journal.complete(1, [], 1)
    while journal.compact():
        pass
    journal.close()
    assert os.path.getsize(path) < 6_000_000


def test_an_unfinished_snapshot_is_named_and_its_rows_are_written_again(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal, 2)
    journal.keep([row(1, "one"), row(2, "two")])
    journal.complete(1, [], 2)
    journal.keep([row(2, "half"), row(3, "half")])
    journal.close()
    journal = SqliteJournal(path)
    assert kept(journal) == {("job", 1): b"one", ("job", 2): b"two"}
    assert journal.unfinished() == [("job", 2), ("job", 3)]
    journal.keep([row(2, "again"), row(3, None)])
    journal.complete(2, [], 2)
    assert kept(journal) == {("job", 1): b"one", ("job", 2): b"again"}
    journal.close()


@pytest.mark.parametrize(("change", "told"), [
    ("UPDATE rows SET body = x'00' WHERE key = 1", "the snapshot's row of job 1 has a wrong checksum"),
    ("DELETE FROM rows WHERE key = 2", "the snapshot at event 1 has 1 of 2 rows"),
])
def test_a_row_that_is_damaged_or_missing_is_told(path: str, change: str, told: str) -> None:
    journal = SqliteJournal(path)
    append(journal)
    journal.complete(1, [row(1, "one"), row(2, "two")], 2)
    journal.close()
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    journal = SqliteJournal(path)
    with pytest.raises(StoreError, match=told):
        kept(journal)
    journal.close()


def test_a_snapshot_may_not_know_more_than_the_events_on_disk(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal)
    with pytest.raises(StoreError, match="only 1 are on disk"):
        journal.complete(2, [], 0)
    journal.close()


def test_the_files_at_every_step_hold_the_state_of_one_snapshot_and_all_events_after_it(path: str, tmp_path: Path) -> None:
    """What kill -9 leaves is what the files hold at that moment: they are copied after each write, and read."""
    chance = random.Random(7)
    journal = SqliteJournal(path)
    state: dict[tuple[str, int | str], bytes | None] = {}
    whole: dict[int, dict[tuple[str, int | str], bytes | None]] = {0: {}}
    for step in range(1, 60):
        append(journal, chance.randint(1, 4))
        rows = [row(key, chance.choice([None, f"at {step}"])) for key in chance.sample(range(12), 4)]
        state |= {(r.kind, r.key): r.body for r in rows}
        what = chance.choice(["keep", "keep", "complete", "compact", "compact"])
        if what == "complete":
            present = {name: body for name, body in state.items() if body is not None}
            journal.complete(journal.last_seq, rows, len(present))
            whole[journal.last_seq] = present
        else:
            journal.keep(rows)
        if what == "compact":
            journal.compact()
        folder = tmp_path / str(step)
        folder.mkdir()
        for suffix in ("", "-wal"):
            shutil.copy(path + suffix, folder / f"journal.db{suffix}")
        copy = SqliteJournal(str(folder / "journal.db"))
        assert kept(copy) == whole[copy.snapshot_seq] == whole[max(whole)]
        assert [entry.seq for entry in copy.replay(copy.snapshot_seq)] == list(range(copy.snapshot_seq + 1, journal.last_seq + 1))
        copy.close()
    journal.close()


def test_events_go_before_rows(path: str) -> None:
    """An event never waits for more than the portion that is just being written."""
    journal = SqliteJournal(path)
    append(journal)
    done = threading.Event()

    def write_rows() -> None:
        number = 0
        while not done.is_set():
            journal.keep([row(number + n, "x" * 300) for n in range(1000)])
            number += 1000
        journal.complete(1, [], number)

    thread = threading.Thread(target=write_rows)
    thread.start()
    waited = []
    for _ in range(50):
        began = time.perf_counter()
        append(journal)
        waited.append(time.perf_counter() - began)
    done.set()
    thread.join()
    assert journal.snapshot_seq == 1
    assert sorted(waited)[len(waited) // 2] < 0.5, waited
    journal.close()


def test_a_full_disk_leaves_the_snapshot_before_it(path: str) -> None:
    journal = SqliteJournal(path)
    append(journal)
    journal.complete(1, [row(1, "one")], 1)
    assert journal._rows is not None
    pages = journal._rows._one("PRAGMA page_count")
    journal._rows._connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="no space is left for it"):
        journal.keep([row(n, "x" * 3000) for n in range(100)])
    journal._rows._connection.execute("PRAGMA max_page_count = 1000000")
    assert kept(journal) == {("job", 1): b"one"}
    journal.keep([row(n, "x" * 3000) for n in range(100)])
    journal.complete(1, [], 100)
    assert len(kept(journal)) == 100
    journal.close()


FORMAT_1 = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE events (seq INTEGER PRIMARY KEY, at REAL NOT NULL, kind TEXT NOT NULL, body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE snapshots (seq INTEGER PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL);
CREATE TABLE payloads (digest BLOB PRIMARY KEY, blob BLOB NOT NULL);
INSERT INTO meta VALUES ('format', '1');
"""


def test_a_file_of_format_1_is_read_as_it_is_and_changed_with_the_first_write(path: str) -> None:
    from slurm.store.sqlite_format import APPLICATION_ID
    from slurm.store.sqlite_journal import _checksum

    with sqlite3.connect(path) as old:
        old.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        old.executescript(FORMAT_1)
        old.execute("INSERT INTO snapshots VALUES (1, ?, ?)", (b"everything", _checksum(1, "snapshot", b"everything")))
        old.executemany("INSERT INTO events VALUES (?, 1.0, 'a', ?, ?)", [(seq, b"x", _checksum(seq, "a", b"x")) for seq in (1, 2)])
    old.close()
    journal = SqliteJournal(path)
    assert (journal.last_seq, journal.snapshot_seq, journal.old_snapshot(), list(journal.rows())) == (2, 1, b"everything", [])
    assert [tuple(entry) for entry in journal.replay(1)] == [(2, 1, "a", b"x")]
    journal.close()
    with sqlite3.connect(path) as looked:
        assert looked.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("1",)
    journal = SqliteJournal(path, version=2)
    append(journal)
    assert journal.old_snapshot() == b"everything"
    journal.complete(3, [row(1, "one")], 1)
    while journal.compact():
        pass
    assert journal.old_snapshot() is None
    journal.close()
    with sqlite3.connect(path) as looked:
        assert looked.execute("SELECT value FROM meta WHERE key = 'format'").fetchone() == ("2",)
        assert looked.execute("PRAGMA auto_vacuum").fetchone() == (2,)
        assert looked.execute("SELECT seq, version FROM events").fetchall() == [(1, 1), (2, 1), (3, 2)]
        assert looked.execute("SELECT count(*) FROM snapshots").fetchone() == (0,)
    assert sqlite_rows.ROWS_AT_ONCE > 0
