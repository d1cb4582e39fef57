"""A cluster whose events lie in a journal on disk, with what the journal gives up in its history: for tests about the past."""

from __future__ import annotations

import random
from pathlib import Path

from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.journal import codec, rows
from slurm.model.request import JobRequest
from slurm.sim.engine import Arrival, Simulator
from slurm.store.history import History
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b


class Written(Cluster):
    """A cluster whose events go to a journal, with a snapshot after so many."""

    def __init__(self, folder: Path, every: int = 40, segment: int = 150, seconds: float = 7 * 86400, most: int = 1 << 30) -> None:
        super().__init__()
        self.journal = SqliteJournal(str(folder / "journal.db"), cluster="cluster")
        self.history = History(str(folder / "journal.db"), seconds=seconds, most=most, segment_events=segment)
        self.every = every
        self.unwritten: list[Record] = []

    def apply(self, event: e.Event) -> list[Effect]:
        body = codec.encode(event)
        effects = super().apply(event)
        self.unwritten.append(Record(at=event.at, kind=type(event).__name__, body=body))
        if len(self.unwritten) == self.every:
            self.snapshot(event.at)
        return effects

    def write(self) -> None:
        self.journal.append(self.unwritten)
        self.unwritten = []

    def snapshot(self, at: float, *, history: bool = True) -> None:
        """As the daemon does it: the snapshot, then the history, then what nobody needs is given up."""
        self.write()
        last = [*rows.unsaved(self), rows.own(self)]
        self.journal.complete(self.journal.last_seq, last, rows.count(self))
        if history:
            self.history.record(at)
        while self.journal.compact():
            continue


def day(cluster: Written, seed: int = 1, jobs: int = 60) -> Simulator:
    """A few hours of work on four nodes."""
    chance = random.Random(seed)
    nodes = [b.node(f"cn{i:02d}", 16, 64000, position=i) for i in range(1, 5)]
    settings = b.Settings(def_mem_per_cpu=500, backfill_resolution=1, min_job_age=1800)
    cluster.apply(e.Configured(at=b.T0, settings=settings, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
    for node in nodes:
        cluster.apply(b.registered(node))
    arrivals, at = [], b.T0
    for _ in range(jobs):
        at += chance.randint(10, 400)
        limit = 60 * chance.randint(10, 120)
        request = JobRequest(name="job", ntasks=chance.choice([4, 16, 40]), time_limit=limit, work_dir="/scratch",
                             array=chance.choice(["", "", "1-3%2"]))
        arrivals.append(Arrival(at, request, b.ALICE, chance.uniform(0.2, 1.1) * limit))
    return Simulator(cluster, arrivals)
