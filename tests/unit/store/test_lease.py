"""Who leads: one claim after each epoch wins, and a journal writes in its own term alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from slurm.journal.row import Row
from slurm.store.journal import Journal, Missed, Record, Replica
from slurm.store.lease import Deposed, Lease, Overtaken, Silence, Term
from slurm.store.memory import MemoryDisk, MemoryState
from slurm.store.sqlite_journal import SqliteJournal
from slurm.store.state import State, open_state


def record(text: str) -> Record:
    return Record(at=1.0, kind="Submitted", body=text.encode())


def test_of_two_that_saw_the_same_epoch_one_gets_the_next() -> None:
    disk = MemoryDisk()
    one: Lease = MemoryState(disk).lease
    other: Lease = MemoryState(disk).lease
    assert one.read() is None
    assert one.claim("a", "a:6817", 0) == Term(1, "a", "a:6817")
    with pytest.raises(Overtaken, match="a has epoch 1"):
        other.claim("b", "b:6817", 0)
    assert other.claim("b", "b:6817", 1, least=40).epoch == 41


def test_a_deposed_controller_can_neither_write_nor_beat_nor_compact_nor_hand_over() -> None:
    disk = MemoryDisk()
    old, new = MemoryState(disk), MemoryState(disk)
    term = old.lease.claim("a", "", 0)
    journal: Journal = old.journal(term)
    assert journal.append([record("one")]) == 1
    new.journal(new.lease.claim("b", "", 1)).append([record("two")])
    for write in (
            lambda: journal.append([record("late")]), lambda: journal.keep([Row("job", 1, 1, b"")]), journal.compact, journal.rename,
            lambda: journal.complete(2, [], 0), lambda: journal.forget([]), lambda: journal.sweep(set()),
            lambda: old.lease.beat(term), lambda: old.lease.release(term)):
        with pytest.raises(Deposed, match="its epoch was 1, b leads since epoch 2"):
            write()
    assert [entry.body for entry in new.replica().replay()] == [b"one", b"two"]


def test_who_has_handed_over_writes_no_more_and_another_may_claim_at_once() -> None:
    disk = MemoryDisk()
    state: State = MemoryState(disk)
    term = state.lease.claim("a", "", 0)
    journal = state.journal(term)
    state.lease.release(term)
    assert (seen := state.lease.read()) is not None and seen.released
    with pytest.raises(Deposed):
        journal.append([record("late")])
    assert state.lease.claim("b", "", 1) == Term(2, "b")


def test_silence_is_told_by_beats_and_the_watchers_own_clock() -> None:
    watch = Silence()
    assert watch.observe(Term(3, "a", beats=1), 100.0) == 0
    assert watch.observe(Term(3, "a", beats=1), 110.0) == 10
    assert watch.observe(Term(3, "a", beats=2), 115.0) == 0
    assert watch.observe(Term(4, "b", beats=2), 120.0) == 0
    assert watch.observe(Term(4, "b", beats=2), 121.5) == 1.5


def test_a_replica_that_is_too_far_behind_is_told_so() -> None:
    disk = MemoryDisk()
    state: State = MemoryState(disk)
    journal = state.journal(state.lease.claim("a", "", 0))
    replica: Replica = state.replica()
    for number in (1, 2):
        journal.append([record(str(number))])
        journal.complete(number, [Row("cluster", 0, 1, b"")], 1)
    journal.compact()
    replica.refresh()
    assert [entry.seq for entry in replica.replay(1)] == [2]
    with pytest.raises(Missed):
        list(replica.replay(0))


def test_a_file_of_one_controller_remembers_its_epoch_without_a_write_of_its_own(tmp_path: Path) -> None:
    state = open_state(str(tmp_path), cluster="c")
    assert state.lease.read() is None
    first = state.lease.claim("a", "", 0)
    state.lease.beat(first)
    assert os.listdir(tmp_path) == ["journal.db.lock"]
    journal = state.journal(first)
    journal.append([record("one")])
    journal.close()
    state.close()
    again = open_state(str(tmp_path), cluster="c")
    seen = again.lease.read()
    assert seen is not None and (seen.epoch, seen.holder) == (1, "a")
    with pytest.raises(Overtaken):
        again.lease.claim("a", "", 0)
    second = again.lease.claim("a", "", 1)
    assert second.epoch == 2
    journal = again.journal(second)
    assert journal.append([record("two")]) == 2
    journal.close()
    again.lease.release(second)
    assert (seen := again.lease.read()) is not None and seen.released


def test_a_file_that_a_living_process_has_cannot_be_claimed(tmp_path: Path) -> None:
    one, other = open_state(str(tmp_path)), open_state(str(tmp_path))
    term = one.lease.claim("a", "", 0)
    with pytest.raises(Overtaken, match="in use by another slurmctld"):
        other.lease.claim("b", "", 0)
    with pytest.raises(Overtaken):
        SqliteJournal(str(tmp_path / "journal.db"))
    os.unlink(tmp_path / "journal.db.lock")
    assert other.lease.claim("b", "", 0).epoch == 1
    with pytest.raises(Deposed):
        one.lease.beat(term)
    other.close()
