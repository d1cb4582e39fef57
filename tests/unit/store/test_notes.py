"""Notices in the journal: written with their events, once by their key, kept until they were told, in both backends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.journal import Journal, Record
from slurm.store.memory import MemoryJournal
from slurm.store.parcels import KeptNote, Note, Notes
from slurm.store.sqlite_journal import SqliteJournal

Maker = Callable[[], Journal]


@pytest.fixture(params=["sqlite", "memory"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Maker:
    """Opens the journal, again too."""
    if request.param == "memory":
        disk = MemoryJournal().disk
        return lambda: MemoryJournal(disk)
    return lambda: SqliteJournal(str(tmp_path / "journal.db"))


def notes(*keys: str, destination: str = "mail") -> Notes:
    return Notes([Note(destination, key, key.encode()) for key in keys])


def test_notices_are_kept_in_order_for_each_destination_until_they_were_told(make: Maker) -> None:
    journal = make()
    journal.append([Record(1.0, "A", b"a")], notes=notes("1.0", "1.1"))
    journal.append([], notes=notes("2.0", destination="jobcomp"))
    journal.append([], notes=notes("3.0"))
    journal.close()
    journal = make()
    assert journal.notes("mail", 0, 10) == [KeptNote(1, b"1.0"), KeptNote(2, b"1.1"), KeptNote(4, b"3.0")]
    assert journal.notes("mail", 1, 1) == [KeptNote(2, b"1.1")]
    assert journal.notes("jobcomp", 0, 10) == [KeptNote(3, b"2.0")]
    journal.append([], notes=Notes(told=[1, 2, 3, 4]))
    assert journal.notes("mail", 0, 10) == []
    assert journal.notes_last() == 4
    journal.append([], notes=notes("4.0"))
    assert journal.notes("mail", 0, 10) == [KeptNote(5, b"4.0")]
    journal.close()


def test_one_that_is_written_again_is_kept_once(make: Maker) -> None:
    journal = make()
    journal.append([Record(1.0, "A", b"a")], notes=notes("1.0"))
    journal.append([], notes=notes("1.0"))
    assert len(journal.notes("mail", 0, 10)) == 1
    journal.close()


def test_the_clock_of_what_time_brings_about_is_kept(make: Maker) -> None:
    journal = make()
    assert journal.notes_clock() == 0.0
    journal.append([], notes=Notes([Note("mail", "limit", b"x")], clock=12.5))
    journal.append([], notes=notes("other"))
    journal.close()
    journal = make()
    assert journal.notes_clock() == 12.5
    journal.close()


def test_a_damaged_one_is_said(tmp_path: Path) -> None:
    journal = SqliteJournal(str(tmp_path / "journal.db"))
    journal.append([], notes=notes("1.0"))
    journal._writer.execute("UPDATE notices SET body = x'00'")
    with pytest.raises(StoreError, match="notice 1 has a wrong checksum"):
        journal.notes("mail", 0, 10)
    journal.close()
