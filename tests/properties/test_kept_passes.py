"""What is kept from pass to pass changes nothing: every pass finds what one would that looks closely at every job and knows of no earlier one."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.core.cluster import Cluster
from slurm.model.request import JobRequest
from slurm.sched.passes import Passes
from slurm.sched.plan import Pass, carried_out
from slurm.sched.proposal import Plan
from slurm.sched.queue import Queue
from slurm.sched.terrain import Terrain
from slurm.sim.engine import Arrival, Breakdown, Simulator
from slurm.sim.policies import ShortestFirst
from slurm.testing import builders as b

MINUTE = 60


class Compared(Passes):
    """Each pass beside one from scratch."""

    alone = 0

    def plan(self, now: float, *, backfill: bool, told: bool) -> Plan:
        work = Pass(self.view, now, backfill, Terrain(self.view))
        work.sight = False
        whole = carried_out(work, type(self.queue)(), forecasts=0)
        found = super().plan(now, backfill=backfill, told=told)
        assert found.proposals == whole.proposals
        assert found.verdicts == whole.verdicts
        assert found.everybody == whole.everybody
        return found

    def _of_arrivals(self, now: float, backfill: bool) -> Plan | None:
        found = super()._of_arrivals(now, backfill)
        self.alone += found is not None
        return found


def machine(shape: str, **rules: object) -> Cluster:
    """A small cluster: one node, many small ones, or two overlapping partitions of different nodes."""
    given: dict[str, object] = {"priority_type": "basic", "select_unit": "cpu", "select_memory": False, "over_time_limit": -1,
        "min_job_age": 0} | rules
    if shape == "one":
        nodes = [b.node("n1", 16)]
    elif shape == "small":
        nodes = [b.node(f"n{i}", 1, position=i) for i in range(12)]
    else:
        nodes = [b.node(f"n{i}", (2, 4, 8)[i % 3], position=i) for i in range(6)]
    halves = [b.partition("second", nodes[len(nodes) // 2:])] if shape == "two" else [b.partition("second", nodes)]
    return b.build(nodes, [b.partition("all", nodes, default=True), *halves], b.Settings(**given))  # type: ignore[arg-type]


requests = st.builds(
    lambda tasks, cpus, nodes, limit, partition, hold, nice, array: JobRequest(
        ntasks=max(tasks, nodes), cpus_per_task=cpus, nodes_min=nodes, time_limit=limit * MINUTE if limit else None, partition=partition,
        hold=hold, nice=nice, array=array),
    st.integers(1, 12), st.sampled_from((1, 1, 1, 2)), st.sampled_from((0, 0, 0, 2)), st.integers(0, 12),
    st.sampled_from(("all", "all", "all", "second", "all,second")), st.sampled_from((False,) * 7 + (True,)), st.sampled_from((0, 0, 0, 5)),
    st.sampled_from(("",) * 5 + ("0-2", "0-3%1")))
workloads = st.lists(st.tuples(st.sampled_from((0, 0, 1, 20, 60, 150, 400)), requests, st.integers(1, 700)), min_size=2, max_size=30)


def arrivals(workload: list[tuple[int, JobRequest, int]]) -> list[Arrival]:
    at, found = b.T0, []
    for gap, request, seconds in workload:
        at += gap
        found.append(Arrival(at, request, b.ALICE, float(seconds)))
    return found


@given(workloads, st.sampled_from(("one", "small", "two")), st.sampled_from((Queue, ShortestFirst)), st.sampled_from((1, 60)),
    st.sampled_from((1, 1, 2)), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_pass_finds_what_one_from_scratch_would(
    workload: list[tuple[int, JobRequest, int]], shape: str, order: type[Queue], resolution: int, reservations: int, backfill: bool,
) -> None:
    cluster = machine(shape, backfill_resolution=resolution, backfill_reservations=reservations,
        scheduler="backfill" if backfill else "builtin")
    failing = [Breakdown(b.T0 + 500, next(iter(cluster.nodes)), 300.0)] if len(workload) % 3 == 0 else []
    simulator = Simulator(cluster, arrivals(workload), planning=Compared(cluster, order()), breakdowns=failing)
    simulator.run()
    assert len(simulator.outcomes) + len(simulator.left()) + len(simulator.refused) >= len(workload)


def test_who_arrives_behind_those_that_wait_is_looked_at_alone() -> None:
    cluster = machine("one")
    full = [(0, JobRequest(ntasks=16, time_limit=600), 500)] * 2
    behind = [(10, JobRequest(ntasks=4, time_limit=60), 50)] * 8
    planning = Compared(cluster)
    Simulator(cluster, arrivals([*full, *behind]), planning=planning).run()
    assert planning.alone >= 7
