"""`python -m bench.recording [jobs]`: what recording for accounting costs slurmctld: lives of short jobs through engine and journal, without and with it.

A life is five events (submitted, started, launched, exited, freed) of an array's task, hundreds of lives under way at once, everything on disk. Rounds
without and with recording take turns; the figures are medians: lives a second, and CPU microseconds a life in the event loop and in the writer.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from typing import NamedTuple

from slurm.core import admission
from slurm.core import events as e
from slurm.model.job import Allocation
from slurm.model.request import JobRequest, PayloadRef
from slurm.slurmctld.engine import Engine
from slurm.slurmctld.restoring import restore
from slurm.store.group_commit import GroupCommit
from slurm.store.sqlite_journal import SqliteJournal
from slurm.testing import builders as b

ROUNDS = 5
AT_ONCE = 64
LINE = "sbatch --array=1-1000 -J short --wrap true"


class Cost(NamedTuple):
    """Of one round."""

    rate: float
    loop_us: float
    process_us: float
    records: int


async def lives(count: int, *, accounting: bool, folder: str) -> Cost:
    """The lives of so many tasks."""
    journal = SqliteJournal(f"{folder}/journal.db")
    commit = GroupCommit(journal, asyncio.get_running_loop())
    cluster = restore(journal)
    engine = Engine(cluster, commit, lambda effect: None, lambda event: None, lambda error: None)
    nodes = [b.node("cn01", 256, 256_000)]
    rules = b.Settings(accounting=accounting, def_mem_per_cpu=100, max_array_size=count + 1)
    await engine.record(e.Configured(at=b.T0, settings=rules, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
    await engine.record(b.registered(nodes[0], b.T0))
    asked = JobRequest(name="short", array=f"1-{count}", time_limit=600, work_dir="/home/alice/project", submit_line=LINE)
    admitted = admission.admit(cluster, asked, PayloadRef(), b.ALICE, b.T0)
    await engine.record(admitted.event)
    master = admitted.event.job.id
    began, cpu, thread = time.perf_counter(), time.process_time(), time.thread_time()
    for first in range(1, count + 1, AT_ONCE):
        done = []
        for task in range(first, min(first + AT_ONCE, count + 1)):
            started = cluster.starting(master, task, Allocation(shares=[b.share(cluster, "cn01", 1, 100)], partition="debug"), b.T0)
            assert started is not None
            engine.record(started)
            done.append(started.started or master)
        await asyncio.sleep(0)
        for job in done:
            engine.record(e.Launched(at=b.T0, job=job, attempt=1))
        await asyncio.sleep(0)
        for job in done:
            engine.record(e.BatchExited(at=b.T0 + 1, job=job, attempt=1, status=0))
            last = engine.record(e.NodeFreed(at=b.T0 + 1, job=job, attempt=1, node=b.NodeName("cn01")))
        await last
    seconds = time.perf_counter() - began
    cost = Cost(
        count / seconds, 1e6 * (time.thread_time() - thread) / count, 1e6 * (time.process_time() - cpu) / count, journal.outbox_kept().waiting)
    await commit.close()
    journal.close()
    return cost


def main() -> int:
    """Measure and print."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    found: dict[bool, list[Cost]] = {False: [], True: []}
    for _ in range(ROUNDS):
        for accounting in found:
            with tempfile.TemporaryDirectory() as folder:
                found[accounting].append(asyncio.run(lives(count, accounting=accounting, folder=folder)))
    print(f"{'recording':>9}  {'lives/s':>8}  {'loop µs':>8}  {'all µs':>8}  records a life")
    for accounting, costs in found.items():
        middle = [statistics.median(each) for each in zip(*costs, strict=True)]
        print(f"{'on' if accounting else 'off':>9}  {middle[0]:8.0f}  {middle[1]:8.0f}  {middle[2]:8.0f}  {middle[3] / count:.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
