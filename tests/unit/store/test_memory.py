"""The fake journal: faults on order, and a disk that survives its journal."""

import pytest

from slurm.journal.row import Row
from slurm.model.errors import StoreError
from slurm.store.journal import Journal, Record, StoreBusy
from slurm.store.memory import Crashed, Fault, MemoryDisk, MemoryJournal
from slurm.store.payloads import digest, expand, shrink


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def row(key: int, text: str | None) -> Row:
    return Row("job", key, 1, text.encode() if text is not None else None)


def test_it_has_the_journals_interface() -> None:
    journal: Journal = MemoryJournal()
    assert journal.append([record("a")], [b"content"]) == 1
    journal.keep([row(1, "one"), row(2, "two")])
    assert journal.snapshot_seq == 0
    journal.complete(1, [row(0, "own")], 3)
    assert journal.append([record("b")]) == 2
    journal.complete(2, [row(2, None), row(0, "own")], 2)
    assert journal.append([record("c")]) == 3
    assert (journal.snapshot_seq, sorted(journal.rows())) == (2, [row(0, "own"), row(1, "one")])
    assert not journal.compact()
    assert [entry.body for entry in journal.replay(after=1)] == [b"b", b"c"]
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
    assert [entry.body for entry in MemoryJournal(disk).replay()] == [b"kept"]


def test_a_payload_survives_compression_and_damage_is_seen() -> None:
    name = digest(b"content")
    assert expand(name, shrink(b"content")) == b"content"
    with pytest.raises(StoreError, match="another checksum"):
        expand(name, shrink(b"other"))
    with pytest.raises(StoreError, match="damaged"):
        expand(name, b"no zlib")
