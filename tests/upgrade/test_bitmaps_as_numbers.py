"""A journal of the last commit that wrote sets of CPUs and devices as numbers of at most 64 bits is read, and what ran goes on.

`bitmaps_as_numbers.db.xz` was written by that commit (5bcb4bb): a snapshot and events behind it; cn01 and cn02 have 64 CPUs and 8 GPUs in two
pools, job 1 holds all of cn01 and has two steps, jobs 2 and 4 parts of cn02, job 3 waits for all of cn02.
"""

from __future__ import annotations

import lzma
from pathlib import Path

from slurm.core import events as e
from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model import msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import JobId, NodeName
from slurm.model.job import NodeShare
from slurm.sched.plan import plan
from slurm.slurmctld.restoring import restore
from slurm.store.journal import Record
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b

KEPT = Path(__file__).with_name("bitmaps_as_numbers.db.xz")
ALL = CpuSet.run(64)


def kept(folder: Path) -> SqliteJournal:
    """The journal as that commit left it."""
    path = folder / "journal.db"
    path.write_bytes(lzma.decompress(KEPT.read_bytes()))
    return SqliteJournal(str(path), cluster="kept")


def shares(cluster: Cluster, job: int) -> list[NodeShare]:
    """What a job holds."""
    holding = cluster.jobs[JobId(job)].holding
    return holding.shares if holding is not None else []


def check(cluster: Cluster) -> None:
    """Everything is as it was, the highest bit of a word included."""
    invariants.assert_valid(cluster)
    assert [(share.cpus, share.gres) for share in shares(cluster, 1)] == [(ALL, {"gpu": CpuSet.run(8)})]
    assert [(share.cpus, share.gres) for share in shares(cluster, 2)] == [(CpuSet.run(6), {"gpu": CpuSet.of([0, 1])})]
    assert [(share.cpus, share.gres) for share in shares(cluster, 4)] == [(CpuSet.run(3, 6), {"gpu": CpuSet.of([2])})]
    steps = {step.name: step.shares[0] for step in cluster.jobs[JobId(1)].steps.values()}
    assert {name: (share.cpus, share.gres["gpu"]) for name, share in steps.items()} == {
        "batch": (ALL, CpuSet.run(8)), "tail": (CpuSet.run(32), CpuSet.of([0])), "rest": (CpuSet.run(32, 32), CpuSet.run(4, 1))}
    nodes = [cluster.nodes[NodeName(name)] for name in ("cn01", "cn02", "cn03")]
    assert [node.cpus_used for node in nodes] == [ALL, CpuSet.run(9), CpuSet()]
    assert [pool.cores for pool in nodes[0].gres] == [CpuSet.run(32), CpuSet.run(32, 32)]


def test_it_is_read_and_the_waiting_job_starts_when_the_others_have_ended(tmp_path: Path) -> None:
    journal = kept(tmp_path)
    cluster = restore(journal)
    check(cluster)
    assert not plan(cluster, b.T0 + 10).proposals
    for number in (1, 2, 4):
        job = cluster.jobs[JobId(number)]
        b.finish(cluster, job, at=b.T0 + 20)
    assert [(proposal.job, proposal.allocation.shares[0].cpus) for proposal in plan(cluster, b.T0 + 30).proposals] == [(3, ALL)]
    journal.close()


def test_what_is_written_now_lies_behind_it_in_the_same_journal(tmp_path: Path) -> None:
    journal = kept(tmp_path)
    cluster = restore(journal)
    for job in (1, 2, 4):
        exited = e.BatchExited(at=b.T0 + 20, job=JobId(job), attempt=1, status=0)
        freed = e.NodeFreed(at=b.T0 + 21, job=JobId(job), attempt=1, node=shares(cluster, job)[0].node)
        for event in (exited, freed):
            journal.append([Record(at=event.at, kind=type(event).__name__, body=msgpack.encode(event))])
            cluster.apply(event)
    [proposal] = plan(cluster, b.T0 + 30).proposals
    started = cluster.starting(proposal.job, None, proposal.allocation, b.T0 + 30)
    assert started is not None
    journal.append([Record(at=started.at, kind="Started", body=msgpack.encode(started))])
    journal.close()
    again = SqliteJournal(str(tmp_path / "journal.db"), cluster="kept")
    assert shares(restore(again), 3)[0].cpus == ALL
    again.close()


def test_its_snapshot_is_written_anew_in_the_form_of_today(tmp_path: Path) -> None:
    journal = kept(tmp_path)
    written = rows.whole(restore(journal))
    journal.close()
    again = restored(written.values(), Reader({}))
    assert again is not None
    check(again)
    assert b"\xc4\x08" + b"\xff" * 8 in (written["job", 1].body or b"")
