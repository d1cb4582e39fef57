"""The fake journal: faults on order, and a disk that survives its journal."""

import pytest

from slurm.model.errors import StoreError
from slurm.store.journal import Journal, Record, StoreBusy
from slurm.store.memory import Crashed, Fault, MemoryDisk, MemoryJournal
from slurm.store.payloads import digest, expand, shrink


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def test_it_has_the_journals_interface() -> None:
    journal: Journal = MemoryJournal()
    assert journal.append([record("a")], [b"content"]) == 1
    journal.snapshot(1, b"one")
    assert journal.append([record("b")]) == 2
    journal.snapshot(2, b"two")
    assert journal.append([record("c")]) == 3
    assert journal.last_snapshot() == (2, b"two")
    assert list(journal.replay(after=1)) == [(2, b"b"), (3, b"c")]
    with pytest.raises(StoreError, match="event 1 is missing"):
        list(journal.replay())
    assert journal.sweep(set()) == 1
    with pytest.raises(StoreError):
        journal.payload(digest(b"content"))


def test_a_full_disk_takes_nothing_and_then_goes_on() -> None:
    journal = MemoryJournal()
    journal.disk.faults = [Fault.FULL, Fault.BROKEN]
    with pytest.raises(StoreBusy):
        journal.append([record("a")])
    with pytest.raises(StoreError) as caught:
        journal.append([record("a")])
    assert not isinstance(caught.value, StoreBusy)
    assert journal.append([record("a")]) == 1


def test_a_crash_before_the_write_loses_it_and_one_after_it_does_not() -> None:
    disk = MemoryDisk()
    disk.faults = [Fault.CRASH_BEFORE, Fault.CRASH_AFTER]
    with pytest.raises(Crashed):
        MemoryJournal(disk).append([record("lost")])
    with pytest.raises(Crashed):
        MemoryJournal(disk).append([record("kept")])
    assert list(MemoryJournal(disk).replay()) == [(1, b"kept")]


def test_a_payload_survives_compression_and_damage_is_seen() -> None:
    name = digest(b"content")
    assert expand(name, shrink(b"content")) == b"content"
    with pytest.raises(StoreError, match="another checksum"):
        expand(name, shrink(b"other"))
    with pytest.raises(StoreError, match="damaged"):
        expand(name, b"no zlib")
