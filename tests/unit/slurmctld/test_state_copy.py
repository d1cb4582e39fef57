"""Copies of a state: the same fold on both sides, never over another one, never of one that is in use, never half."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from slurm.journal import rows
from slurm.model.errors import NotFound, StoreError
from slurm.model.request import PayloadRef
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.state_copy import copy, digest
from slurm.store.journal import Record
from slurm.store.parcels import Note, Notes, Parcel
from slurm.store.payloads import digest as name_of
from slurm.store.sqlite_journal import SqliteJournal
from slurm.store.state import open_state
from tests.upgrade import history, keep


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A state with everything that the kept journals have, and records and notices to be sent."""
    folder = tmp_path / "source"
    folder.mkdir()
    keep.write(folder / "journal.db")
    journal = SqliteJournal(str(folder / "journal.db"))
    cluster = restore(journal)
    for job in cluster.jobs.values():  # the builders name contents that there are not
        job.payload = PayloadRef(script=name_of(history.SCRIPT), environment=name_of(history.ENVIRONMENT))
    rows.unsave_all(cluster)
    journal.complete(journal.last_seq, [*rows.unsaved(cluster), rows.own(cluster)], rows.count(cluster))
    journal.append([], [history.SCRIPT, history.ENVIRONMENT], outbox=[Parcel(number, b"record %d" % number) for number in range(1, 4)],
                   notes=Notes([Note("mail", "one", b"gone"), Note("mail", "two", b"kept")], clock=12.5))
    journal.append([], taken=1, notes=Notes(told=[1]))
    journal.close()
    return folder


def looked(folder: Path, name: str = "journal.db") -> tuple[str, SqliteJournal]:
    journal = SqliteJournal(str(folder / name))
    return digest(restore(journal), journal), journal


def test_a_state_goes_to_a_file_and_back_and_is_the_same(source: Path, tmp_path: Path) -> None:
    exported, target = tmp_path / "state.export", tmp_path / "target"
    target.mkdir()
    told = copy(str(source), str(exported))
    assert os.stat(exported).st_mode & 0o777 == 0o600
    assert copy(str(exported), str(target)) == told
    assert sorted(os.listdir(tmp_path)) == ["source", "state.export", "target"]
    assert sorted(os.listdir(target)) == ["journal.db", "journal.db.lock"]
    (before, one), (after, other) = looked(source), looked(target)
    assert before == after == told.digest and told.jobs > 10
    assert (one.id, one.last_seq, one.outbox_last(), one.outbox(0, 9, 99)) == (other.id, other.last_seq, other.outbox_last(), other.outbox(0, 9, 99))
    assert [note.body for note in other.notes("mail", 0, 9)] == [b"kept"] and other.notes("mail", 0, 9)[0].number > 2
    assert rows.whole(restore(one)) == rows.whole(restore(other))
    assert other.append([Record(1.0, "Accrued", b"\x82\xa2at\xcb?\xf0\x00\x00\x00\x00\x00\x00\xa4jobs\x90")]) == one.last_seq + 1
    other.close()
    one.close()
    term = open_state(str(target)).lease.read()
    assert term is not None and term.epoch > 7  # of the source's own fold


def test_a_state_that_a_slurmctld_has_and_one_that_is_there_already_are_refused(source: Path, tmp_path: Path) -> None:
    running = SqliteJournal(str(source / "journal.db"))
    with pytest.raises(StoreError, match="in use by another slurmctld"):
        copy(str(source), str(tmp_path / "export"))
    running.close()
    copy(str(source), str(tmp_path / "export"))
    for there in (tmp_path / "export", source):
        with pytest.raises(StoreError, match="is there already"):
            copy(str(source) if there != source else str(tmp_path / "export"), str(there))
    with pytest.raises(NotFound, match="there is no state at"):
        copy(str(tmp_path), str(tmp_path / "other"))
    assert sorted(os.listdir(tmp_path)) == ["export", "source"]


def test_a_snapshot_that_claims_events_that_there_are_not_is_told_and_skips_none(source: Path, tmp_path: Path) -> None:
    with closing(SqliteJournal(str(source / "journal.db"))) as journal:
        journal.append([Record(at=1.0, kind="Submitted", body=b"x")])
    with closing(sqlite3.connect(source / "journal.db")) as forging:
        forging.execute("UPDATE complete SET seq = seq + 100")
        forging.commit()
    (tmp_path / "state").mkdir()
    with pytest.raises(StoreError, match="the snapshot says that it covers event"):
        copy(str(source), str(tmp_path / "state"))


def test_a_damaged_state_leaves_nothing_behind(source: Path, tmp_path: Path) -> None:
    with sqlite3.connect(source / "journal.db") as spoiling:
        spoiling.execute("UPDATE outbox SET body = x'78' WHERE sequence = 2")
    spoiling.close()
    with pytest.raises(StoreError, match="wrong checksum"):
        copy(str(source), str(tmp_path / "export"))
    assert os.listdir(tmp_path) == ["source"]


@pytest.mark.parametrize("change", [
    "UPDATE payloads SET blob = 'x'", "UPDATE payloads SET blob = 1.5", "UPDATE outbox SET body = 7", "UPDATE notices SET body = 'x'",
    "UPDATE sqlite_sequence SET seq = 'x'", "UPDATE complete SET seq = 'x'", "UPDATE meta SET value = 'x' WHERE key = 'notices clock'",
    "UPDATE rows SET key = x'00' WHERE kind = 'cluster'", "UPDATE events SET kind = 5"])
def test_a_forged_file_is_refused_with_a_sentence_and_leaves_nothing_behind(source: Path, tmp_path: Path, change: str) -> None:
    """In SQLite a column may hold any kind of value: some were tracebacks."""
    copy(str(source), str(tmp_path / "made.db"))
    with closing(sqlite3.connect(tmp_path / "made.db")) as forging:
        forging.execute(change)
        forging.commit()
    (tmp_path / "state").mkdir()
    try:
        copy(str(tmp_path / "made.db"), str(tmp_path / "state"))
    except StoreError:
        assert not (tmp_path / "state" / "journal.db").exists()
    else:
        assert "events" in change, "it has none: all of them are in the snapshot"

