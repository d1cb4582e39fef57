"""`python -m bench.planner`: CPU seconds of the planner alone, on clusters in memory; no daemon, no clock.

Each line is one shape: frag (every node has a few CPUs free, every job wants more of a node than that), full (2 % of the nodes have some free),
empty (nothing runs), drained (every node is out of service). All jobs differ. `full` is a pass with backfill over everything, `quick` the
median pass after one job has ended, `admit` one submission with its check.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Iterator

from slurm.core import admission
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.model.ids import Digest, Uid
from slurm.model.job import Allocation
from slurm.model.request import JobRequest, PayloadRef
from slurm.sched.feasible import check_request
from slurm.sched.plan import plan
from slurm.sched.queue import Queue
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b

CPUS = 64
SHAPES = ("frag", "full", "empty", "drained")
SIZES = ((1_000, 1_000), (10_000, 5_000), (10_000, 10_000), (27_000, 10_000))
PAYLOAD = PayloadRef(script=Digest("0" * 64), environment=Digest("1" * 64))


def built(shape: str, jobs: int, nodes: int, seed: int = 1) -> Cluster:
    """A cluster of this shape with so many waiting jobs."""
    chance = random.Random(seed)
    cluster = b.cluster(nodes, cpus=CPUS, memory=256_000, max_job_count=10_000_000)
    if shape in ("frag", "full"):
        _occupy(cluster, shape, chance)
    if shape == "drained":
        for name in list(cluster.nodes):
            cluster.apply(e.NodeUpdated(at=b.T0, node=name, by=Uid(0), by_name="root", state="drain", reason="maintenance"))
    for _ in range(jobs):
        b.submit(cluster, **_wish(shape, chance))
    return cluster


def _occupy(cluster: Cluster, shape: str, chance: random.Random) -> None:
    for i, name in enumerate(list(cluster.nodes)):
        spare = chance.randint(1, 8) if shape == "frag" or i % 50 == 0 else 0
        first = chance.randint(1, CPUS - spare - 1)
        for count in (first, CPUS - spare - first):
            job = b.submit(cluster, ntasks=count, time_limit=chance.randint(600, 86_400))
            b.start(cluster, job, str(name), cpus=count, memory=count * 500)


def _wish(shape: str, chance: random.Random) -> dict[str, object]:
    a_node = chance.randint(9, CPUS) if shape == "frag" else chance.randint(1, CPUS)
    nodes = chance.choice((1, 1, 1, 2, 4, 8, 16))
    return {"ntasks": a_node * nodes, "nodes_min": nodes, "nodes_max": nodes if nodes > 1 else 0, "ntasks_per_node": a_node if nodes > 1 else 0,
            "mem_per_cpu": chance.randint(100, 1000), "time_limit": chance.randint(600, 86_400)}


def full_pass(cluster: Cluster) -> tuple[float, int]:
    """CPU seconds of a pass with backfill, and how many starts it proposes."""
    began = time.process_time()
    found = plan(cluster, b.T0 + 60, queue=Queue())
    return time.process_time() - began, len(found.proposals)


def quick_passes(cluster: Cluster, times: int = 30) -> Iterator[float]:
    """CPU seconds of passes that each follow the end of one job."""
    queue, terrain = Queue(), Terrain(cluster)
    plan(cluster, b.T0 + 60, depth=100, backfill=False, queue=queue, terrain=terrain)
    for job in [job for job in cluster.active.values() if job.allocation is not None][:times]:
        b.finish(cluster, job, at=b.T0 + 61)
        began = time.process_time()
        found = plan(cluster, b.T0 + 61, depth=100, backfill=False, queue=queue, terrain=terrain)
        yield time.process_time() - began
        for proposal in found.proposals:
            _start(cluster, proposal.job, proposal.allocation)


def _start(cluster: Cluster, job: int, allocation: Allocation) -> None:
    event = cluster.starting(cluster.jobs[job].id, None, allocation, b.T0 + 61)  # type: ignore[index]
    if event is not None:
        cluster.apply(event)


def admission_seconds(cluster: Cluster, times: int = 50) -> float:
    """CPU seconds of one submission: completed, checked, found feasible."""
    request = JobRequest(name="job", work_dir="/scratch", ntasks=100, time_limit=600)
    terrain = Terrain(cluster)
    check_request(terrain, admission.admit(cluster, request, PAYLOAD, b.ALICE, b.T0).event.job)
    began = time.process_time()
    for _ in range(times):
        admitted = admission.admit(cluster, request, PAYLOAD, b.ALICE, b.T0)
        terrain.refresh()
        check_request(terrain, admitted.event.job)
    return (time.process_time() - began) / times


def main(shapes: list[str]) -> None:
    """Print the table."""
    print(f"{'shape':8} {'jobs':>7} {'nodes':>7} {'full s':>8} {'starts':>7} {'quick ms':>9} {'admit ms':>9}")
    for shape in shapes or SHAPES:
        for jobs, nodes in SIZES:
            cluster = built(shape, jobs, nodes)
            admit = admission_seconds(cluster)
            seconds, starts = full_pass(cluster)
            quick = list(quick_passes(cluster))
            shown = f"{statistics.median(quick) * 1e3:9.2f}" if quick else f"{'':>9}"
            print(f"{shape:8} {jobs:7} {nodes:7} {seconds:8.2f} {starts:7} {shown} {admit * 1e3:9.3f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
