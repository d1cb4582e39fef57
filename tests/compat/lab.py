"""The cluster of the recorded sessions as records, at two moments, and a connection that answers from them without any daemon.

`early` is when squeue was recorded, `late` some seconds on, when sinfo and scontrol were: cn03 drains and the next three tasks of array 63 run.
"""

import io
import os
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

import msgspec

from slurm.commands.shell import Shell
from slurm.core.events import Caller
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import SlurmError, describe, revive
from slurm.model.ids import Gid, JobId, NodeName, Uid
from slurm.model.job import Allocation, ArrayPart, DependencyClause, Job, NodeShare, Owner
from slurm.model.node import GresPool, Node
from slurm.model.partition import Partition
from slurm.model.request import JobRequest
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.model.states import JobState, NodeState
from slurm.render import describe as describing
from slurm.render import job_list, node_list
from slurm.render.view import View
from slurm.wire import messages as m

SUBMITTED = 1795221747.0
"""2026-11-21T00:42:27 UTC, when jobs 86 to 94 were submitted."""
STARTED = SUBMITTED + 1
EARLY = SUBMITTED + 8
LATE = SUBMITTED + 13
RESERVED = 1795232284.0
RESERVATION = Reservation(id=2, name="alice_2", start=RESERVED, end=RESERVED + 3600, nodes=[NodeName("cn01")], cores=16, node_count=1, partition="debug", users=["alice"])

ROOT = Owner(Uid(0), Gid(0), "root", "root")
ALICE = Owner(Uid(1001), Gid(1001), "alice", "alice")
BOB = Owner(Uid(1002), Gid(1002), "bob", "bob")
CALLERS = {"root": Caller(Uid(0), Gid(0), "root", "root"), "alice": Caller(Uid(1001), Gid(1001), "alice", "alice"),
           "bob": Caller(Uid(1002), Gid(1002), "bob", "bob")}
ACCOUNTS = {"root": "root", "alice": "research", "bob": "students"}
TOP = "Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions"


class Waits(NamedTuple):
    """A planner's verdict."""

    reason: str


class Expected(NamedTuple):
    """A planner's forecast."""

    start: float
    nodes: list[str]


def use_utc() -> None:
    """The recordings are in UTC."""
    os.environ["TZ"] = "UTC"
    time.tzset()


def nodes() -> dict[NodeName, Node]:
    """The four nodes, nothing held yet."""
    found = {}
    for number in range(1, 5):
        big = number == 4
        name = NodeName(f"cn{number:02d}")
        found[name] = Node(
            name=name, address="127.0.0.1", hostname="localhost", port=37000 + number, sockets=2, cores_per_socket=8, cpus=16,
            memory=128000 if big else 64000, weight=10 if big else 1, features=["amd", "ib", "gpu"] if big else ["intel", "ib"],
            gres=[GresPool(name="gpu", type="a100", count=2)] if big else [], position=number, state=NodeState.IDLE, responding=True,
            registered=True, arch="x86_64", os="Linux 6.1.0-18-amd64 #1 SMP PREEMPT_DYNAMIC @0", version="26.11.0-0rc1",
            boot_time=SUBMITTED - 3746, slurmd_start_time=SUBMITTED - 262, cpu_load=1.32, free_memory=22299,
            last_busy_time=SUBMITTED - {1: 22, 2: 5, 3: 197, 4: 0}[number])
    return found


def partitions() -> dict[str, Partition]:
    """debug, batch and gpu."""
    names = [NodeName(f"cn{number:02d}") for number in range(1, 5)]
    return {each.name: each for each in (
        Partition(name="debug", nodes=names, nodes_text="ALL", default=True, max_time=3600, default_time=600, preempt_mode="REQUEUE", position=0),
        Partition(name="batch", nodes=names[:3], nodes_text="cn[01-03]", max_time=7 * 86400, preempt_mode="REQUEUE", position=1),
        Partition(name="gpu", nodes=names[3:], nodes_text="cn04", max_time=3 * 86400, preempt_mode="REQUEUE", position=2))}


def _job(number: int, owner: Owner, name: str, line: str, priority: int, minutes: int, **fields: object) -> Job:
    request = JobRequest(
        name=name, account=ACCOUNTS[owner.user], qos="normal", work_dir="/scratch", submit_line=line, submit_host="localhost",
        alloc_sid=1323, **fields.pop("request", {}))  # type: ignore[arg-type]
    values: dict[str, object] = {
        "partition": "debug", "submit_time": SUBMITTED, "eligible_time": SUBMITTED, "accrue_time": SUBMITTED, "priority": priority,
        "time_limit": minutes * 60, **fields}
    return Job(id=JobId(number), owner=owner, request=request, **values)  # type: ignore[arg-type]


def _pending() -> list[Job]:
    waiting: dict[str, object] = {"eligible_time": 0.0, "accrue_time": 0.0}
    hello = {"command": "/scratch/hello.sh"}
    return [
        _job(59, ROOT, "hello", "sbatch -H hello.sh", 0, 5, request=hello, reason="JobHeldUser", held="user",
             **waiting | {"submit_time": SUBMITTED - 24}),
        _job(88, ALICE, "sweep", "sbatch --parsable -a 1-200%2 -t 10 -J sweep --wrap sleep 120", 9566, 10, array_job=JobId(88),
             eligible_time=0.0, reason="JobArrayTaskLimit", array_part=ArrayPart(ranges=[(3, 200, 1)], limit=2, count=200),
             request={"array": "1-200%2"}),
        _job(89, ALICE, "post", "sbatch --parsable -d afterok:86 -J post --wrap hostname", 9566, 10, reason="Dependency",
             dependency=[DependencyClause(kind="afterok", job=JobId(86))], **waiting),
        _job(90, ALICE, "later", "sbatch --parsable --begin=now+2hours -J later --wrap hostname", 9566, 10, reason="BeginTime",
             not_before=SUBMITTED + 7200, **waiting),
        _job(91, ALICE, "held", "sbatch --parsable -H -J held --wrap hostname", 0, 10, reason="JobHeldUser", held="user", **waiting),
        _job(92, ALICE, "impossible", "sbatch --parsable -N3 -p gpu -J impossible --wrap hostname", 9699, 3 * 1440, partition="gpu",
             request={"nodes_min": 3, "nodes_max": 3, "partition": "gpu"}, reason="PartitionNodeLimit"),
        _job(94, ALICE, "gpujob2", "sbatch --parsable -p gpu --gres=gpu:a100:1 -J gpujob2 -t 20 --wrap sleep 200", 9566, 20, partition="gpu",
             request={"gres": "gpu:a100:1", "partition": "gpu"}),
        _job(97, BOB, "big", "sbatch --parsable -N4 --exclusive -t 20 -J big --wrap sleep 100", 7265, 20,
             submit_time=SUBMITTED + 4, eligible_time=SUBMITTED + 4, accrue_time=SUBMITTED + 4,
             request={"nodes_min": 4, "nodes_max": 4, "exclusive": "node"}),
    ]


def _running(job: Job, started: float, *shares: NodeShare, exclusive: bool = False) -> Job:
    job.state, job.start_time, job.attempt, job.launched = JobState.RUNNING, started, 1, True
    job.allocation = Allocation(shares=list(shares), partition=job.partition, exclusive=exclusive)
    job.batch_host = shares[0].node
    return job


def _share(node: str, cpus: int, memory: int, gpus: int = 0) -> NodeShare:
    return NodeShare(node=NodeName(node), cpus=CpuSet(cpus), memory=memory, gres={"gpu": CpuSet(gpus)} if gpus else {})


def _tasks_of_63(first: int, numbers: list[int], started: float, cpus: list[int]) -> list[Job]:
    return [
        _running(
            _job(number, ROOT, "hello", "sbatch -a 0-9%3 hello.sh", 4566, 5, array_job=JobId(63), array_task=first + place,
                 request={"command": "/scratch/hello.sh", "array": "0-9%3"}, submit_time=SUBMITTED - 22, eligible_time=SUBMITTED - 22,
                 accrue_time=SUBMITTED - 22),
            started, _share("cn01", 1 << cpus[place], 500))
        for place, number in enumerate(numbers)]


def _of_63(first: int) -> Job:
    return _job(63, ROOT, "hello", "sbatch -a 0-9%3 hello.sh", 4566, 5, array_job=JobId(63), reason="JobArrayTaskLimit",
                array_part=ArrayPart(ranges=[(first, 9, 1)], limit=3, count=10),
                request={"command": "/scratch/hello.sh", "array": "0-9%3"}, submit_time=SUBMITTED - 22, eligible_time=0.0)


def jobs(*, late: bool) -> dict[JobId, Job]:
    """The jobs at one of the two moments."""
    all_cpus = (1 << 16) - 1
    running = [
        _running(_job(86, ALICE, "train", "sbatch --parsable -N1 -n4 -t 30 -J train -q normal --wrap sleep 300", 9578, 30,
                      request={"nodes_min": 1, "nodes_max": 1, "ntasks": 4}),
                 STARTED, _share("cn01", 0b1100011000, 2000)),
        _running(_job(87, BOB, "sim", "sbatch --parsable -N2 --exclusive -t 30 -J sim -p batch --wrap sleep 300", 7132, 30, partition="batch",
                      request={"nodes_min": 2, "nodes_max": 2, "exclusive": "node", "partition": "batch"}),
                 STARTED, _share("cn02", all_cpus, 8000), _share("cn03", all_cpus, 8000), exclusive=True),
        _running(_job(93, ALICE, "gpujob", "sbatch --parsable -p gpu --gres=gpu:a100:2 -J gpujob -t 20 --mem=16G --wrap sleep 200", 9566, 20,
                      partition="gpu", request={"gres": "gpu:a100:2", "mem_per_node": 16384, "partition": "gpu"}),
                 STARTED, _share("cn04", 1, 16384, gpus=3)),
        *(_running(_job(94 + task, ALICE, "sweep", "sbatch --parsable -a 1-200%2 -t 10 -J sweep --wrap sleep 120", 9566, 10,
                        array_job=JobId(88), array_task=task, request={"array": "1-200%2"}),
                   STARTED, _share("cn01", 1 << (4 + task), 500)) for task in (1, 2)),
    ]
    running += _tasks_of_63(3, [98, 99, 100], SUBMITTED + 11, [0, 1, 2]) if late else _tasks_of_63(0, [66, 67, 68], SUBMITTED - 21, [0, 1, 2])
    return {job.id: job for job in [*_pending(), _of_63(6 if late else 3), *running]}


def view(*, late: bool = False) -> View:
    """Everything at one of the two moments."""
    found_nodes, found_jobs = nodes(), jobs(late=late)
    for job in found_jobs.values():
        for share in job.allocation.shares if job.allocation else ():
            node = found_nodes[share.node]
            node.jobs.add(job.id)
            node.cpus_used |= share.cpus
            node.memory_used += share.memory
            for name, devices in share.gres.items():
                node.gres_used[name] = node.gres_used.get(name, NOTHING) | devices
    if late:
        draining = found_nodes[NodeName("cn03")]
        draining.drain, draining.reason, draining.reason_user, draining.reason_time = True, "bad dimm", "root", LATE
    # The job at cn01 runs beside two CPUs that nobody in these records holds.
    return View(
        settings=Settings(cluster_name="lab", def_mem_per_cpu=500, job_requeue=True), nodes=found_nodes, partitions=partitions(),
        jobs=found_jobs, reservations={"alice_2": RESERVATION}, now=LATE if late else EARLY,
        verdicts={JobId(94): Waits("Resources"), JobId(97): Waits(TOP)},
        forecasts={JobId(94): Expected(SUBMITTED + 1201, ["cn04"]), JobId(97): Expected(SUBMITTED + 2433, ["cn01", "cn02", "cn03", "cn04"])},
        last_planned=LATE)


class Answering:
    """A connection to nowhere: answers questions from a View, and refuses everything else."""

    def __init__(self, of: View, caller: Caller) -> None:
        self._view = of
        self._caller = caller
        self.sent: list[dict[str, object]] = []

    def call(self, message: dict[str, object]) -> dict[str, object]:
        """The reply, as it would come over the wire."""
        self.sent.append(dict(message))
        request = msgspec.convert(message, m.Request)
        try:
            reply = self._answer(request)
        except SlurmError as error:
            said = describe(error)
            raise revive(**said) from None  # type: ignore[arg-type]
        found: dict[str, object] = msgspec.json.decode(msgspec.json.encode(reply))
        return found

    def _answer(self, request: m.Request) -> m.Message:
        now = self._view.now
        if isinstance(request, m.ListJobs):
            return m.Rows(rows=job_list.list_jobs(self._view, request, self._caller, now))
        if isinstance(request, m.ListNodes):
            return m.Rows(rows=node_list.list_nodes(self._view, request, now))
        if isinstance(request, m.Describe):
            return describing.describe(self._view, request, self._caller, now)
        if isinstance(request, m.Ping):
            return m.Pong(host="login1")
        return m.Done()

    def send(self, message: dict[str, object]) -> None:
        """Keeps it."""
        self.sent.append(dict(message))

    def receive(self, timeout: float | None = None) -> dict[str, object]:
        """Always Done."""
        return {"type": "Done"}

    def close(self) -> None:
        """Nothing to close."""


class Outcome(NamedTuple):
    """What a command printed and its status."""

    stdout: str
    stderr: str
    status: int


def run(main: Callable[[Shell], int], argv: list[str], *, late: bool = False, user: str = "root", environ: Mapping[str, str] | None = None,
        stdin: bytes = b"", of: View | None = None) -> Outcome:
    """One command against the lab; `main` is that of its module, `argv` with the command's name first."""
    use_utc()
    found = of or view(late=late)
    out, err = io.StringIO(), io.StringIO()
    shell = Shell(argv[0], argv[1:], environ or {}, io.BytesIO(stdin), out, err,
                  connect=lambda environ: Answering(found, CALLERS[user]), now=lambda: found.now)
    status = main(shell)
    return Outcome(out.getvalue(), err.getvalue(), status)
