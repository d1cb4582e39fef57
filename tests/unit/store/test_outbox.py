"""What is on its way to the accounting database lies with the events, until it has arrived."""

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from slurm.model.errors import StoreError
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal, Record, StoreBusy
from slurm.store.memory import Crashed, Fault, MemoryDisk, MemoryJournal
from slurm.store.parcels import Kept, Parcel
from slurm.store.sqlite_journal import SqliteJournal

MANY = 1 << 30


def event(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def parcels(first: int, last: int, size: int = 10) -> list[Parcel]:
    return [Parcel(number, str(number).encode().rjust(size)) for number in range(first, last + 1)]


@pytest.fixture(params=["memory", "sqlite"])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Journal]:
    disk = MemoryDisk()
    return lambda: MemoryJournal(disk) if request.param == "memory" else SqliteJournal(str(tmp_path / "journal.db"))


def test_parcels_are_kept_with_their_events_and_come_back_in_slices(opened: Callable[[], Journal]) -> None:
    journal = opened()
    assert journal.outbox_kept() == Kept()
    assert journal.append([event("a")], outbox=parcels(1, 3)) == 1
    journal.append([event("b")], outbox=parcels(4, 500))
    journal.close()
    journal = opened()
    assert journal.outbox_kept() == Kept(1, 500)
    assert journal.outbox_kept().waiting == 500
    assert journal.outbox(0, 1000, MANY) == parcels(1, 500)
    assert journal.outbox(2, 250, MANY) == parcels(3, 252)
    assert journal.outbox(2, 1000, 35) == parcels(3, 6), "the slice ends with the parcel by which it exceeds the size"
    assert journal.outbox(500, 1000, MANY) == []
    journal.close()


def test_one_parcel_larger_than_a_slice_goes_alone(opened: Callable[[], Journal]) -> None:
    journal = opened()
    journal.append([], outbox=[Parcel(1, b"x" * 1000), Parcel(2, b"y")])
    assert journal.outbox(0, 10, 100) == [Parcel(1, b"x" * 1000)]
    journal.close()


def test_what_has_arrived_is_dropped_with_the_next_events(opened: Callable[[], Journal]) -> None:
    journal = opened()
    journal.append([event("a")], outbox=parcels(1, 10))
    journal.append([event("b")], outbox=parcels(11, 12), taken=7)
    assert journal.outbox_kept() == Kept(8, 12)
    journal.append([], taken=12)
    assert journal.outbox_kept() == Kept()
    assert journal.outbox_last() == 12, "it is remembered when nothing is left"
    journal.close()
    journal = opened()
    assert journal.outbox_last() == 12
    assert journal.last_seq == 2
    journal.close()


def test_a_journal_has_a_name_for_ever_and_another_one_when_it_is_renamed(opened: Callable[[], Journal], tmp_path: Path) -> None:
    journal = opened()
    name = journal.id
    journal.close()
    journal = opened()
    assert journal.id == name
    other = SqliteJournal(str(tmp_path / "other.db"))
    assert other.id != name
    fresh = journal.rename()
    assert fresh == journal.id != name
    journal.close()
    journal = opened()
    assert journal.id == fresh
    journal.close()
    other.close()


def test_a_write_that_failed_keeps_neither_events_nor_parcels_and_one_that_died_after_it_both() -> None:
    disk = MemoryDisk()
    disk.faults = [Fault.FULL, Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
    with pytest.raises(StoreBusy):
        MemoryJournal(disk).append([event("a")], outbox=parcels(1, 2))
    with pytest.raises(Crashed):
        MemoryJournal(disk).append([event("a")], outbox=parcels(1, 2))
    assert MemoryJournal(disk).outbox_kept() == Kept()
    with pytest.raises(Crashed):
        MemoryJournal(disk).append([event("a")], outbox=parcels(1, 2))
    assert MemoryJournal(disk).outbox_kept() == Kept(1, 2)
    assert MemoryJournal(disk).last_seq == 1


def test_a_journal_of_before_there_was_an_outbox_gets_one(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    SqliteJournal(path).close()
    with sqlite3.connect(path) as database:
        database.execute("DROP TABLE outbox")
        database.execute("DELETE FROM meta WHERE key = 'id'")
    database.close()
    journal = SqliteJournal(path)
    journal.append([event("a")], outbox=parcels(1, 1))
    assert journal.outbox_kept() == Kept(1, 1)
    assert journal.id
    journal.close()


def test_a_damaged_or_missing_parcel_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "journal.db")
    journal = SqliteJournal(path)
    journal.append([], outbox=parcels(1, 5))
    with sqlite3.connect(path) as database:
        database.execute("UPDATE outbox SET body = x'00' WHERE sequence = 3")
        database.execute("DELETE FROM outbox WHERE sequence = 5")
        database.execute("INSERT INTO outbox SELECT 6, body, crc FROM outbox WHERE sequence = 4")
    database.close()
    with pytest.raises(StoreError, match="accounting record 3 "):
        journal.outbox(0, 10, MANY)
    with pytest.raises(StoreError, match="accounting record 6 "):
        journal.outbox(3, 10, MANY)
    journal.close()


def test_group_commit_writes_parcels_in_order_and_drops_what_has_arrived(opened: Callable[[], Journal]) -> None:
    journal = opened()

    async def main() -> None:
        commit = GroupCommit(journal, asyncio.get_running_loop())
        for number in range(1, 101):
            commit.submit([event(str(number))], lambda error: None, outbox=parcels(2 * number - 1, 2 * number))
        commit.submit([], lambda error: None, taken=50)
        await commit.drain()
        await commit.close()

    asyncio.run(main())
    assert [parcel.sequence for parcel in journal.outbox(0, 1000, MANY)] == list(range(51, 201))
    journal.close()
