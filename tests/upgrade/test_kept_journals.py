"""Journals that earlier versions wrote: today's program reads them, finds what was there, and goes on with what ran."""

from __future__ import annotations

import lzma
import sqlite3
from pathlib import Path

import pytest

from slurm.core import events as e
from slurm.core import invariants, recovery
from slurm.core.cluster import Cluster
from slurm.journal import codec, rows
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.ids import JobId, NodeName
from slurm.sched.plan import plan
from slurm.slurmctld.restoring import restore
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b
from tests.upgrade import history, keep

HERE = Path(__file__).parent
KEPT = sorted(int(path.name[1:].removesuffix(".db.xz")) for path in HERE.glob("v*.db.xz"))
versions = pytest.mark.parametrize("version", KEPT)
LATER = b.T0 + 1000


def opened(folder: Path, version: int) -> SqliteJournal:
    """A copy of the kept journal, opened as slurmctld does."""
    path = folder / "journal.db"
    path.write_bytes(lzma.decompress((HERE / f"v{version}.db.xz").read_bytes()))
    return SqliteJournal(str(path), cluster="kept", version=VERSION, shapes=TEXT)


def again(folder: Path) -> Cluster:
    journal = SqliteJournal(str(folder / "journal.db"), cluster="kept", version=VERSION, shapes=TEXT)
    try:
        return restore(journal)
    finally:
        journal.close()


class Going:
    """A cluster that goes on from a kept journal, writing into it."""

    def __init__(self, journal: SqliteJournal) -> None:
        self.journal = journal
        self.cluster = restore(journal)

    def record(self, *events: e.Event) -> None:
        for event in events:
            self.journal.append([Record(event.at, type(event).__name__, codec.encode(event))])
            self.cluster.apply(event)
            invariants.assert_valid(self.cluster)

    def snapshot(self) -> None:
        self.journal.keep(list(rows.unsaved(self.cluster)))
        self.journal.complete(self.journal.last_seq, [rows.own(self.cluster)], rows.count(self.cluster))
        while self.journal.compact():
            pass


def test_the_journal_of_each_version_is_kept() -> None:
    assert list(range(1, VERSION + 1)) == KEPT, "run python -m tests.upgrade.keep, and keep what it wrote"


def test_a_change_of_the_shapes_has_a_version_of_its_own(tmp_path: Path) -> None:
    assert opened(tmp_path, VERSION).shapes() == {VERSION: TEXT}, "raise VERSION in journal/shapes.py, write an upgrade, keep a journal"


def test_the_present_version_writes_what_was_kept_of_it(tmp_path: Path) -> None:
    assert keep.write(tmp_path / "journal.db") == (HERE / f"v{VERSION}.txt").read_text()


def test_the_present_version_has_every_kind_of_event_in_it(tmp_path: Path) -> None:
    keep.write(tmp_path / "journal.db")
    with sqlite3.connect(tmp_path / "journal.db") as looked:
        kinds = {kind for (kind,) in looked.execute("SELECT kind FROM events")}
    assert kinds == set(codec.EVENTS), "let it happen in tests/upgrade/history.py"


@versions
def test_what_was_there_is_there(tmp_path: Path, version: int) -> None:
    journal = opened(tmp_path, version)
    cluster = restore(journal)
    invariants.assert_valid(cluster)
    assert history.described(cluster) == (HERE / f"v{version}.txt").read_text()
    journal.close()


@versions
def test_reading_changes_nothing_on_disk(tmp_path: Path, version: int) -> None:
    journal = opened(tmp_path, version)
    restore(journal)
    journal.close()
    words = (HERE / f"v{version}.txt").read_text()
    assert history.described(again(tmp_path)) == words
    kept = lzma.decompress((HERE / f"v{version}.db.xz").read_bytes())
    assert len((tmp_path / "journal.db").read_bytes()) - len(kept) <= 4 * 4096  # the outboxes of records and of notices, and the journal's id


@versions
def test_running_jobs_go_on_and_the_waiting_ones_start_behind_them(tmp_path: Path, version: int) -> None:
    going = Going(opened(tmp_path, version))
    c = going.cluster
    running = [job for job in c.active.values() if job.lost is None and not job.completing and not getattr(job, "suspended_by", "")]
    assert {job.request.name for job in running} - {"inside", "server", "clients", "wide", "went on", "has grace"} == {"running", "array", "on-gpu", "holder"}
    for name, node in sorted(c.nodes.items()):
        held = [recovery.Held(job.id, job.attempt, step.id) for job in c.active.values() for step in (job.lost.steps if job.lost else job.steps).values()
                if name in step.nodes_left]
        going.record(b.registered(node, LATER))
        going.record(*recovery.reconcile(c, NodeName(name), held, LATER).events)
    assert all(job.state.name == "RUNNING" and job.attempt == 1 for job in running)
    assert c.jobs[JobId(14)].state.name == "RUNNING" and c.jobs[JobId(14)].lost is None
    first = c.jobs[JobId(1)]
    going.record(e.BatchExited(at=LATER + 1, job=first.id, attempt=1, status=0))
    going.record(*(e.NodeFreed(at=LATER + 2, job=first.id, attempt=1, node=name) for name in list(first.nodes_left)))
    assert first.state.name == "COMPLETED"
    for proposal in plan(c, LATER + 400).proposals:
        started = c.starting(proposal.job, proposal.task, proposal.allocation, LATER + 400, None, proposal.components)
        if started is not None:  # the array's limit may have been reached meanwhile
            going.record(started)
    assert {c.jobs[JobId(number)].state.name for number in (7, 8, 9, 18)} == {"RUNNING"}
    going.journal.close()
    assert history.described(again(tmp_path)) == history.described(c)


@versions
def test_the_next_snapshot_has_everything_in_the_present_version(tmp_path: Path, version: int) -> None:
    going = Going(opened(tmp_path, version))
    going.record(e.Held(at=LATER, job=JobId(19)))
    going.snapshot()
    assert {row.version for row in going.journal.rows()} == {VERSION}
    assert going.journal.old_snapshot() is None
    words = history.described(going.cluster)
    going.journal.close()
    restarted = again(tmp_path)
    assert history.described(restarted) == words
    assert rows.whole(restarted) == rows.whole(going.cluster)
