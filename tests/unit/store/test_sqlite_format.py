"""A journal of a later version is refused with a sentence, and not a byte of it is changed."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal


def written(path: Path, version: int, shapes: str) -> dict[str, bytes]:
    """A journal with one event, left as a killed process leaves it: the log lies beside the file."""
    journal = SqliteJournal(str(path), version=version, shapes=shapes)
    journal.append([Record(1.0, "Submitted", b"body")])
    kept = path.parent / "kept"
    kept.mkdir()
    for suffix in ("", "-wal"):
        (kept / (path.name + suffix)).write_bytes((path.parent / (path.name + suffix)).read_bytes())
    journal.close()
    return {name: (kept / name).read_bytes() for name in os.listdir(kept)}


@pytest.mark.parametrize(("version", "shapes", "told"), [
    (2, "Thing a:int", "was written by a newer slurm-py: its records have version 3, this one reads up to 2"),
    (3, "Thing b:int", "whose records of version 3 have other fields than this one's")])
def test_later_records_and_other_records_of_one_version_are_refused_and_left_alone(tmp_path: Path, version: int, shapes: str, told: str) -> None:
    files = written(tmp_path / "journal.db", 3, "Thing a:int")
    path = tmp_path / "kept" / "journal.db"
    for _ in range(2):
        with pytest.raises(StoreError, match=told) as caught:
            SqliteJournal(str(path), version=version, shapes=shapes)
        assert caught.value.hints
        assert {name: (tmp_path / "kept" / name).read_bytes() for name in files} == files
    journal = SqliteJournal(str(path), version=3, shapes="Thing a:int")
    assert [(entry.version, entry.body) for entry in journal.replay()] == [(3, b"body")]
    journal.close()


def test_each_version_that_wrote_is_known_with_its_shapes(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    for version in (2, 3):
        journal = SqliteJournal(path, version=version, shapes=f"Thing v{version}:int")
        assert journal.shapes() == ({2: "Thing v2:int"} if version == 3 else {})
        journal.append([Record(1.0, "Submitted", b"body")])
        journal.close()
    journal = SqliteJournal(path, version=3, shapes="Thing v3:int")
    assert journal.shapes() == {2: "Thing v2:int", 3: "Thing v3:int"}
    assert [entry.version for entry in journal.replay()] == [2, 3]
    journal.close()


def test_a_journal_that_was_only_read_does_not_say_that_the_reader_wrote(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    SqliteJournal(path, version=2, shapes="Thing a:int").close()
    SqliteJournal(path, version=1, shapes="Thing b:int").close()
    with sqlite3.connect(path) as looked:
        assert not looked.execute("SELECT * FROM meta WHERE key LIKE 'shapes%'").fetchall()
