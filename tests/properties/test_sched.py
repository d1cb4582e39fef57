"""Whatever is asked of whatever cluster: nothing is given twice, what is given is what was asked for, promises are kept."""

from __future__ import annotations

from copy import deepcopy
from random import Random

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.core import events as e
from slurm.core import invariants
from slurm.core.cluster import Cluster
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import SlurmError
from slurm.model.ids import Uid
from slurm.model.job import Allocation, Job
from slurm.model.node import GresPool, Node
from slurm.model.settings import Settings
from slurm.sched.board import Board
from slurm.sched.feasible import check_request
from slurm.sched.need import need_of
from slurm.sched.plan import plan
from slurm.sched.proposal import Plan
from slurm.sched.room import room
from slurm.sched.space import NodeSpace
from slurm.sched.terrain import Terrain
from slurm.sim.engine import Arrival, Simulator
from slurm.testing import builders as b

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=100, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
OPTIONS: tuple[tuple[str, list[object]], ...] = (
    ("ntasks_per_node", [1, 2]), ("ntasks_per_socket", [1, 2]), ("ntasks_per_core", [1]), ("threads_per_core", [1]), ("mincpus", [2, 3]),
    ("mem_per_cpu", [100, 900]), ("mem_per_node", [0, 500, 1900]), ("gres", ["gpu:1", "gpu:a100:2"]), ("gpus", ["1", "3", "a100:1,h100:1"]),
    ("gpus_per_task", ["1"]), ("cpus_per_gpu", [2]), ("exclusive", ["node", "user"]), ("features", ["intel", "[intel|amd]", "ib*1", "[intel*1&amd*1]"]),
    ("exclude", ["cn00"]), ("nodelist", ["cn01"]), ("array", ["0-4", "0-7%2"]), ("contiguous", [True]), ("spread_job", [True]),
    ("use_min_nodes", [True]), ("overcommit", [True]), ("oversubscribe", [True]), ("core_spec", [0, 1, 2]), ("thread_spec", [1]),
)


def some_nodes(chance: Random) -> list[Node]:
    """One to four unequal nodes, some with hyperthreads, some with devices of one or two types."""
    made = []
    for i in range(chance.randint(1, 4)):
        threads, cores = chance.choice([1, 1, 2]), chance.randint(1, 4)
        pools, first = [], 0
        for kind in chance.choice([(), (), ("a100",), ("a100", "h100")]):
            count = chance.randint(1, 3)
            pools.append(GresPool(name="gpu", type=kind, count=count, first=first, files=[""] * count, cores=CpuSet(chance.choice([0, 1]))))
            first += count
        made.append(b.node(
            f"cn{i:02d}", cpus=2 * cores * threads, memory=chance.choice([2000, 4000, 16000]), sockets=2, cores_per_socket=cores,
            threads_per_core=threads, gres=pools, position=i, weight=chance.choice([1, 1, 5]),
            features=chance.choice([["intel"], ["amd"], ["amd", "ib"]])))
        made[-1].spec_cpus = made[-1].aside(chance.choice([0, 0, 0, 1]))
        made[-1].spec_cores = len(made[-1].spec_cpus) // threads
        made[-1].spec_memory = chance.choice([0, 0, 50])
    return made


def some_request(chance: Random) -> dict[str, object]:
    """Anything that makes choosing nodes hard."""
    counts = [0, 0, 0, 1, 2, 3]
    asked: dict[str, object] = {
        "time_limit": chance.choice([-1, 60, 100, 1000]), "ntasks": chance.choice([*counts, 9]), "cpus_per_task": chance.choice(counts)}
    least = chance.choice(counts)
    if least:
        asked |= {"nodes_min": least, "nodes_max": least + chance.choice([0, 0, 2])}
    for name, values in OPTIONS:
        if chance.random() < 0.12:
            asked[name] = chance.choice(values)
    if "mem_per_cpu" in asked:
        asked.pop("mem_per_node", None)
    return asked


def submit(cluster: Cluster, request: dict[str, object], by: b.Caller) -> Job | None:
    """The job, None when admission refuses it."""
    try:
        return b.submit(cluster, by=by, **request)
    except SlurmError:
        return None


def carry_out(cluster: Cluster, outcome: Plan, now: float) -> None:
    """Apply every proposal; none may be refused."""
    for proposal in outcome.proposals:
        job = cluster.jobs[proposal.job]
        satisfied(cluster, job, proposal.allocation)
        event = cluster.starting(proposal.job, proposal.task, proposal.allocation, now, proposal.time_limit)
        assert event is not None, f"{proposal} is refused"
        cluster.apply(event)
        invariants.assert_valid(cluster)


def satisfied(cluster: Cluster, job: Job, allocation: Allocation) -> None:
    """The allocation is what the request asks for."""
    request, shares = job.request, allocation.shares
    names = {share.node for share in shares}
    assert len(names) == len(shares) >= max(1, request.nodes_min)
    assert not request.nodes_max or len(shares) <= request.nodes_max
    assert not request.ntasks or sum(share.tasks for share in shares) == request.ntasks or (request.gpus and request.gres)
    assert request.exclude not in names
    assert not request.nodelist or request.nodelist in names
    assert [cluster.nodes[name].position for name in allocation.nodes] == sorted(cluster.nodes[name].position for name in names)
    for share in shares:
        node = cluster.nodes[share.node]
        assert share.tasks >= 1
        if request.core_spec is None and request.thread_spec is None:
            assert share.cpus.isdisjoint(node.spec_cpus)
        assert share.cpu_count >= max(1, request.mincpus)
        if not request.overcommit:
            assert share.cpu_count >= share.tasks * max(1, request.cpus_per_task)
        if request.ntasks_per_node:
            assert share.tasks <= request.ntasks_per_node
        if request.mem_per_node is not None:
            assert share.memory == (request.mem_per_node or node.job_memory)
        elif request.mem_per_cpu and not allocation.exclusive:
            used = min(node.threads, request.threads_per_core or node.threads)
            assert share.memory == request.mem_per_cpu * (share.cpu_count * used // node.threads)
        if request.gpus_per_task:
            assert len(share.gres["gpu"]) >= share.tasks
    if request.gpus == "3" and not request.gpus_per_task and not request.gres and request.exclusive != "node":
        assert sum(len(share.gres.get("gpu", ())) for share in shares) == 3


@FEW
@given(SEEDS)
def test_proposals_give_what_was_asked_and_nothing_twice(seed: int) -> None:
    chance = Random(seed)
    made = some_nodes(chance)
    rules = Settings(select_unit=chance.choice(["core", "core", "cpu", "socket"]), def_mem_per_cpu=10, gres_types=["gpu"], requeue_delay=0,
                     spec_usage=chance.random() < 0.5)
    sharing = chance.choice(["NO", "NO", "YES:2", "FORCE:2"])
    c = b.build(made, [b.partition("debug", made, default=True, oversubscribe=sharing, max_cpus_per_socket=chance.choice([-1, -1, 2]),
                                   select_type=chance.choice(["", "", "CR_SOCKET_MEMORY"]))], rules)
    now = b.T0
    for i in range(12):
        submit(c, some_request(chance), chance.choice([b.ALICE, b.BOB]))
        now += 10
        if i % 2:
            carry_out(c, plan(c, now, depth=50, backfill=False), now)
        carry_out(c, plan(c, now), now)
        for job in list(c.active.values())[: i % 3]:
            b.finish(c, job, at=now)
            invariants.assert_valid(c)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(SEEDS, st.sampled_from([3, 70]))
def test_a_terrain_that_is_kept_leads_to_the_plans_of_one_made_anew(seed: int, size: int) -> None:
    chance = Random(seed)
    made = [b.node(f"cn{i:03d}", cpus=chance.choice([2, 4, 8]), memory=4000, gpus=chance.choice([0, 0, 2]), position=i, weight=chance.choice([1, 5]))
            for i in range(size)]
    c = b.build(made, [b.partition("debug", made, default=True), b.partition("half", made[::2])], Settings(def_mem_per_cpu=100, gres_types=["gpu"]))
    terrain, now = Terrain(c), b.T0
    for _ in range(10):
        now += 10
        for _ in range(chance.randint(1, 25)):
            submit(c, some_request(chance) | {"partition": chance.choice(["debug", "half", "half,debug"]), "nodelist": "", "exclude": ""}, b.ALICE)
        if chance.random() < 0.4:
            name = chance.choice(made).name
            c.apply(e.NodeUpdated(at=now, node=name, by=Uid(0), by_name="root", state=chance.choice(["drain", "resume"]), reason="test"))
        for backfill in (False, True):
            depth = None if backfill else 20
            kept, anew = (plan(c, now, depth=depth, backfill=backfill, terrain=one) for one in (terrain, None))
            assert kept == anew
            for proposal in kept.proposals:  # some come to nothing, as when something else was faster
                event = c.starting(proposal.job, proposal.task, proposal.allocation, now, proposal.time_limit) if chance.random() < 0.8 else None
                if event is not None:
                    c.apply(event)
        for job in list(c.active.values())[: chance.randint(0, size)]:
            b.finish(c, job, at=now)


@FEW
@given(SEEDS)
def test_what_is_not_refused_at_submission_starts_on_an_empty_cluster(seed: int) -> None:
    chance = Random(seed)
    made = some_nodes(chance)
    c = b.build(made, [b.partition("debug", made, default=True)], Settings(def_mem_per_cpu=10, gres_types=["gpu"]))
    job = submit(c, some_request(chance), b.ALICE)
    if job is None:
        return
    try:
        warnings = check_request(Terrain(c), job)
    except SlurmError:
        assert not plan(c, b.T0).proposals
        return
    if not warnings:
        assert [proposal.job for proposal in plan(c, b.T0).proposals][:1] == [job.id]


@FEW
@given(SEEDS)
def test_the_board_never_promises_less_than_a_node_has(seed: int) -> None:
    chance = Random(seed)
    made = some_nodes(chance)
    rules = Settings(select_unit=chance.choice(["core", "cpu", "socket"]), def_mem_per_cpu=10, gres_types=["gpu"])
    for node in made:
        node.cpus_used = CpuSet(chance.randrange(1 << node.cpus) & node.job_cpus)
        node.jobs = {b.JobId(1)} if node.cpus_used else set()
        node.memory_used = chance.randint(0, node.job_memory)
        node.gres_used = {"gpu": CpuSet(chance.randrange(8))}
    board = Board(made, rules)
    for _ in range(20):
        need = need_of(b.JobRequest(**some_request(chance)), rules)  # type: ignore[arg-type]
        most = board.tasks(board.now, need, np.arange(len(made)))
        for node, tasks in zip(made, most, strict=True):
            exact = room(NodeSpace(node), need, rules)
            assert (exact.tasks if exact is not None else 0) <= tasks


@FEW
@given(SEEDS)
def test_with_exact_run_times_no_promise_to_the_first_blocked_job_is_broken(seed: int) -> None:
    chance = Random(seed)
    rules = Settings(priority_type="basic", def_mem_per_cpu=10, gres_types=["gpu"], over_time_limit=-1, min_job_age=10**6)
    made = some_nodes(chance)
    c, probe = (b.build(own, [b.partition("debug", own, default=True)], rules) for own in (made, deepcopy(made)))
    arrivals, at, expected = [], b.T0, 0
    for _ in range(20):
        seconds = chance.randint(1, 300)
        request = some_request(chance) | {"time_limit": seconds, "work_dir": "/"}
        if "%" in str(request.get("array")) or "ntasks_per_socket" in request or {"gres", "gpus"} <= request.keys():
            # tasks held back by a limit come before what was promised meanwhile; promises count, they know no sockets and no overlapping types
            continue
        if {"contiguous", "features"} <= request.keys() or "," in str(request.get("gpus")):
            continue  # counted features are picked first and may not be neighbours; GPUs of two types are taken from the first nodes that have them
        job = submit(probe, request, b.ALICE)
        if job is None or not accepted(probe, job):
            continue
        at += chance.randint(0, 100)
        arrivals.append(Arrival(at, b.JobRequest(**request), b.ALICE, float(seconds)))  # type: ignore[arg-type]
        expected += job.array_part.count if job.array_part is not None else 1
    promised: dict[int, float] = {}

    def planned(outcome: object, now: float) -> None:
        assert isinstance(outcome, Plan)
        for job_id, forecast in outcome.forecasts.items():
            promised.setdefault(job_id, forecast.start)

    outcomes = Simulator(c, arrivals, check=invariants.assert_valid, planned=planned).run()
    assert len(outcomes) == expected
    for outcome in outcomes:
        if outcome.job in promised and c.jobs[outcome.job].array_job == 0:
            assert outcome.started <= promised[outcome.job] + 1e-3, f"job {outcome.job}"


def accepted(cluster: Cluster, job: Job) -> bool:
    """Whether a job may ever start, as told at submission."""
    try:
        return not check_request(Terrain(cluster), job)
    except SlurmError:
        return False
