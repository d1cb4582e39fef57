"""Builders: small clusters, jobs and their lives for tests, through the same events that the daemons make.

Not here: clocks, fake executors, mini-clusters of processes.
"""

from __future__ import annotations

from slurm.core import admission, preempting, timers
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.core.events import Caller
from slurm.core.reserving import making
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.ids import Digest, Gid, JobId, NodeName, Uid
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.node import GresPool, Node
from slurm.model.partition import Partition
from slurm.model.request import JobRequest, PayloadRef
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.sched.proposal import Plan

T0 = 1_000_000.0
"""The moment at which built clusters begin, seconds since the epoch."""

ROOT = Caller(uid=Uid(0), gid=Gid(0), user="root", group="root", groups=("root",), host="login1")
ALICE = Caller(uid=Uid(1001), gid=Gid(1001), user="alice", group="alice", groups=("alice",), host="login1")
BOB = Caller(uid=Uid(1002), gid=Gid(1002), user="bob", group="bob", groups=("bob",), host="login1")


class People:
    """The users and groups of built clusters: alice and bob are in group staff, charlie and root are not."""

    def user(self, text: str) -> str | None:
        """The name of a user, None when there is none."""
        return text if text in ("alice", "bob", "charlie", "root") else None

    def members(self, group: str) -> list[str] | None:
        """The users of a group, None when there is none."""
        return ["alice", "bob"] if group == "staff" else None


def reserve(on: Cluster, name: str = "", *, by: Caller = ROOT, at: float = T0, **keys: str) -> Reservation:
    """`scontrol create reservation` with these keys; from now for an hour and for alice unless they say otherwise."""
    asked = {"StartTime": "now", "Duration": "60", "Users": "alice"} | ({"ReservationName": name} if name else {}) | keys
    if "EndTime" in keys:
        del asked["Duration"]
    if asked.keys() & {"Groups", "Accounts"} and "Users" not in keys:
        del asked["Users"]
    event = making.create(on, asked, by, People(), at)
    on.apply(event)
    pass_time(on, at)
    return on.reservations[event.reservation.name]


def pass_time(on: Cluster, until: float) -> list[e.Event]:
    """Let everything happen that time alone brings about up to a moment; returns it."""
    happened: list[e.Event] = []
    while (moment := timers.next_due(on)) is not None and moment <= until:
        for event in timers.due(on, moment):
            on.apply(event)
            happened.append(event)
    return happened


def node(name: str = "cn01", cpus: int = 16, memory: int = 64000, gpus: int = 0, gpu_type: str = "a100", **fields: object) -> Node:
    """A node of two sockets with `gpus` devices /dev/nvidia0 …; `fields` as Node has them."""
    sockets = 2 if cpus % 2 == 0 and cpus > 1 else 1
    pools = [GresPool(name="gpu", type=gpu_type, count=gpus, files=[f"/dev/nvidia{i}" for i in range(gpus)])] if gpus else []
    built = Node(name=NodeName(name), cpus=cpus, memory=memory, sockets=sockets, cores_per_socket=cpus // sockets, gres=pools)
    for field, value in fields.items():
        setattr(built, field, value)
    return built


def partition(name: str, nodes: list[Node], **fields: object) -> Partition:
    """A partition of these nodes; `fields` as Partition has them."""
    built = Partition(name=name, nodes=[n.name for n in nodes])
    for field, value in fields.items():
        setattr(built, field, value)
    return built


def registered(of: Node, at: float = T0, **fields: object) -> e.NodeRegistered:
    """The event by which a node's slurmd says that it has just what is configured."""
    values: dict[str, object] = {
        "cpus": of.cpus, "boards": of.boards, "sockets": of.sockets, "cores_per_socket": of.cores_per_socket,
        "threads_per_core": of.threads_per_core, "memory": of.memory, "tmp_disk": of.tmp_disk, "boot_time": at - 3600.0,
        "slurmd_start_time": at, "version": "26.11.0", "hostname": of.name} | fields
    return e.NodeRegistered(at=at, node=of.name, **values)  # type: ignore[arg-type]


def build(nodes: list[Node], partitions: list[Partition], settings: Settings | None = None, *, up: bool = True) -> Cluster:
    """A cluster that was configured so and, when `up`, whose nodes have registered."""
    made = Cluster()
    made.apply(e.Configured(at=T0, settings=settings or Settings(), nodes=nodes, partitions=partitions))
    if up:
        for each in nodes:
            made.apply(registered(each))
    return made


def cluster(nodes: int = 4, cpus: int = 16, memory: int = 64000, gpus: int = 0, **settings: object) -> Cluster:
    """A cluster of equal nodes cn01 … in one default partition `debug` without limits; `settings` as Settings has them, plans to the
    second."""
    made = [node(f"cn{i:02d}", cpus, memory, gpus, position=i) for i in range(1, nodes + 1)]
    given: dict[str, object] = {"gres_types": ["gpu"] if gpus else [], "def_mem_per_cpu": 500, "backfill_resolution": 1} | settings
    rules = Settings(**given)  # type: ignore[arg-type]
    return build(made, [partition("debug", made, default=True)], rules)


def lab_cluster(**settings: object) -> Cluster:
    """The cluster of the reference transcripts: cn[01-03] for debug and batch, cn04 with two GPUs for debug and gpu."""
    plain = [
        node(f"cn{i:02d}", 16, 64000, features=["intel", "ib"], weight=1, position=i, port=37000 + i, address="127.0.0.1")
        for i in (1, 2, 3)]
    gpu = node("cn04", 16, 128000, 2, "a100", features=["amd", "ib", "gpu"], weight=10, position=4, port=37004, address="127.0.0.1")
    rules: dict[str, object] = {
        "cluster_name": "lab", "def_mem_per_cpu": 500, "max_array_size": 10001, "return_to_service": 2, "kill_wait": 5,
        "gres_types": ["gpu"], "config_overrides": True, "priority_weight_age": 1000, "priority_weight_job_size": 500,
        "priority_weight_partition": 2000, "backfill_resolution": 1} | settings
    return build(
        [*plain, gpu],
        [partition("debug", [*plain, gpu], nodes_text="ALL", default=True, max_time=3600, default_time=600, position=0),
         partition("batch", plain, nodes_text="cn[01-03]", max_time=7 * 86400, position=1),
         partition("gpu", [gpu], nodes_text="cn04", max_time=3 * 86400, position=2)],
        Settings(**rules))  # type: ignore[arg-type]


def submit(to: Cluster, *, by: Caller = ALICE, at: float = T0, **request: object) -> Job:
    """Submit through admission and apply; returns the record in memory. `request` as JobRequest has it."""
    asked = JobRequest(**({"name": "job", "work_dir": "/scratch"} | request))  # type: ignore[arg-type]
    admitted = admission.admit(to, asked, PayloadRef(script=Digest("0" * 64), environment=Digest("1" * 64)), by, at)
    to.apply(admitted.event)
    return to.jobs[admitted.event.job.id]


def submit_het(to: Cluster, *components: dict[str, object], by: Caller = ALICE, at: float = T0, **request: object) -> list[Job]:
    """Submit a heterogeneous job; returns its records in order.

    `request` is what all components ask for, each of `components` what one asks for.
    """
    asked = [JobRequest(**({"name": "het", "work_dir": "/scratch"} | request | one)) for one in components]  # type: ignore[arg-type]
    admitted = admission.admit(
        to, asked[0], PayloadRef(script=Digest("0" * 64), environment=Digest("1" * 64)), by, at, asked[1:])
    to.apply(admitted.event)
    return [to.jobs[job.id] for job in (admitted.event.job, *admitted.event.components)]


def start_planned(on: Cluster, outcome: Plan, at: float = T0) -> list[Effect]:
    """Carry out what a pass proposes; returns the effects."""
    effects: list[Effect] = []
    for proposal in outcome.proposals:
        event = on.starting(proposal.job, proposal.task, proposal.allocation, at, proposal.time_limit, proposal.components)
        if event is not None:
            effects += on.apply(event)
    for change in outcome.changes:
        if preempting.possible(on, change):
            effects += on.apply(change)
    return effects


def share(on: Cluster, name: str, cpus: int = 1, memory: int = 0, tasks: int = 1, gpus: int = 0) -> NodeShare:
    """The lowest free CPUs and devices of a node, in these numbers; ValueError when it has not enough."""
    of = on.nodes[NodeName(name)]
    gres = {"gpu": _lowest(of.devices("gpu") - of.gres_used.get("gpu", NOTHING), gpus)} if gpus else {}
    return NodeShare(node=of.name, cpus=_lowest(CpuSet.run(of.cpus) - of.cpus_used, cpus), memory=memory, gres=gres, tasks=tasks)


def start(on: Cluster, job: Job | JobId, *names: str, task: int | None = None, at: float = T0, cpus: int = 1, memory: int = 0,
          gpus: int = 0) -> tuple[Job, list[Effect]]:
    """Start a job (or one task of an array) on these nodes, cn01 when none is named; returns its record and the effects."""
    record = on.jobs[job] if isinstance(job, int) else job
    if record.array_part is not None and task is None:
        task = record.array_part.ranges[0][0]
    shares = [share(on, name, cpus, memory, cpus, gpus) for name in names or ("cn01",)]
    partition_name = (record.partition or on.default_partition()).split(",")[0]
    event = on.starting(record.id, task, Allocation(shares=shares, partition=partition_name), at)
    if event is None:
        raise ValueError(f"job {record.id} cannot be started")
    effects = on.apply(event)
    return on.jobs[event.started or record.id], effects


def started(on: Cluster, *names: str, at: float = T0, launched: bool = True, **request: object) -> Job:
    """Submit a job, start it and have its script confirmed."""
    job, _ = start(on, submit(on, at=at, **request), *names, at=at)  # type: ignore[arg-type]
    if launched and job.request.kind == "batch":
        on.apply(e.Launched(at=at, job=job.id, attempt=job.attempt))
    return job


def exit_batch(on: Cluster, job: Job, code: int = 0, *, at: float = T0 + 1, signal: int = 0, oom: bool = False) -> list[Effect]:
    """The script ends with this exit code or signal."""
    return on.apply(e.BatchExited(at=at, job=job.id, attempt=job.attempt, status=signal or code << 8, oom=oom))


def free(on: Cluster, job: Job, *, at: float = T0 + 1) -> list[Effect]:
    """Every node of an ending job becomes clean."""
    effects: list[Effect] = []
    for name in list(job.nodes_left):
        effects += on.apply(e.NodeFreed(at=at, job=job.id, attempt=job.attempt, node=name))
    return effects


def finish(on: Cluster, job: Job, code: int = 0, *, at: float = T0 + 1) -> list[Effect]:
    """The script ends and the nodes become clean."""
    return exit_batch(on, job, code, at=at) + free(on, job, at=at)


def _lowest(free: CpuSet, count: int) -> CpuSet:
    if len(free) < count:
        raise ValueError("not enough is free")
    return free.lowest(count)
