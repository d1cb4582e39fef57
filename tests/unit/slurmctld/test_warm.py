"""What a slurmctld that stands by follows is what the journal has, from whatever moment it begins."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.core.events import Event
from slurm.journal import codec, rows
from slurm.slurmctld.restoring import restore
from slurm.slurmctld.warm import Warm
from slurm.store.journal import Record
from slurm.store.memory import MemoryDisk, MemoryJournal, MemoryState
from slurm.testing import builders as b


@pytest.fixture
def records(monkeypatch: pytest.MonkeyPatch) -> list[Record]:
    """What a small cluster went through: jobs that ran, run, wait, and were forgotten of."""
    happened: list[Record] = []

    class Noted(Cluster):
        def apply(self, event: Event) -> list[Effect]:
            happened.append(Record(event.at, type(event).__name__, codec.encode(event)))
            return super().apply(event)

    monkeypatch.setattr(b, "Cluster", Noted)
    c = b.cluster(nodes=2, cpus=4)
    for number in range(3):
        b.finish(c, b.started(c, "cn01", name=f"ended{number}", time_limit=600), at=b.T0 + 60)
    b.started(c, "cn02", name="runs", time_limit=900)
    b.submit(c, name="waits", array="1-3", time_limit=1200)
    return happened


@pytest.fixture
def state() -> Iterator[MemoryState]:
    made = MemoryState(MemoryDisk())
    yield made
    made.close()


def led(state: MemoryState, epoch: int) -> MemoryJournal:
    return state.journal(state.lease.claim("a", "a", epoch - 1))


@pytest.mark.parametrize("begun", [0.0, 0.3, 1.0])
def test_what_was_followed_is_what_is_restored(state: MemoryState, records: list[Record], begun: float) -> None:
    journal = led(state, 1)
    at = int((len(records) - 2) * begun)
    journal.append(records[:at])
    warm = Warm(state)
    warm._look()
    for record in records[at:-2]:
        journal.append([record])
        warm._look()
    journal.append(records[-2:])
    later = led(state, 2)
    found = warm.take(later)
    assert found is not None
    assert rows.whole(found) == rows.whole(restore(later))


def test_a_snapshot_that_overtakes_who_follows_is_read_anew(state: MemoryState, records: list[Record]) -> None:
    journal = led(state, 1)
    half = len(records) // 2
    journal.append(records[:half])
    warm = Warm(state)
    warm._look()
    journal.append(records[half:])
    for _ in range(2):
        cluster = restore(journal)
        whole = rows.whole(cluster)
        journal.complete(journal.last_seq, list(whole.values()), len(whole))
    journal.compact()
    warm._look()
    warm._look()
    found = warm.take(led(state, 2))
    assert found is not None
    assert rows.whole(found) == rows.whole(restore(journal))


def test_who_never_followed_has_nothing(state: MemoryState) -> None:
    assert Warm(state).take(led(state, 1)) is None
