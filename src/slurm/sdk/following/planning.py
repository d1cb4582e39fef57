"""What runs until when and what is planned: ours tells its plan; what a real Slurm reports of itself is planned here, by our planner.

The second is texts of scontrol made into the records that `core` and `sched` work with: its configuration, jobs, then the cluster of them.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import msgspec

from slurm.config.config import Config, load, parse
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.journal import codec
from slurm.journal.shapes import VERSION
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError, NotationError
from slurm.model.explanation import Explanation
from slurm.model.ids import Gid, JobId, NodeName, Uid
from slurm.model.job import Allocation, ArrayPart, Job, NodeShare, Owner
from slurm.model.node import Node
from slurm.model.refusal import Refusal
from slurm.model.request import JobRequest
from slurm.model.reservation import Reservation
from slurm.model.schedule import Schedule
from slurm.model.states import JobState
from slurm.notation import array, duration, hostlist, licenses, moment, size
from slurm.sched.explain import explain
from slurm.sched.plan import plan
from slurm.sched.proposal import Forecast
from slurm.sched.queue import Queue
from slurm.sched.schedule import schedule as drawn_schedule
from slurm.sched.suggestions import suggest
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following.inspection import NOTHING, Ask, JobRecord, job_record, records
from slurm.slurmctld import setup

KEYS = (
    "ClusterName", "DefMemPerCPU", "DefMemPerNode", "EnforcePartLimits", "GresTypes", "Licenses", "MaxArraySize", "MaxMemPerCPU",
    "MaxMemPerNode", "PriorityFlags", "SchedulerParameters", "SchedulerType", "SelectType", "SelectTypeParameters")
"""What of the configuration decides where and when jobs start. Priorities are those that it computed, limits its reasons."""
_NODE = {
    "NodeName": "NodeName", "CPUTot": "CPUs", "Boards": "Boards", "CoresPerSocket": "CoresPerSocket",
    "ThreadsPerCore": "ThreadsPerCore", "RealMemory": "RealMemory", "TmpDisk": "TmpDisk", "Weight": "Weight",
    "AvailableFeatures": "Feature", "MemSpecLimit": "MemSpecLimit", "CoreSpecCount": "CoreSpecCount"}
"""Key of scontrol show node → key of slurm.conf."""
_PARTITION = (
    "PartitionName", "Nodes", "Default", "DefaultTime", "MaxTime", "MinNodes", "MaxNodes", "PriorityTier", "PriorityJobFactor", "State",
    "OverSubscribe", "LLN", "MaxCPUsPerNode", "Hidden", "RootOnly", "ExclusiveUser", "AllowAccounts", "AllowGroups", "AllowQos",
    "DenyAccounts", "DenyQos", "DefMemPerCPU", "DefMemPerNode", "MaxMemPerCPU", "MaxMemPerNode")
_PARAMETERS = re.compile(r"(bf_\w+|sched_\w+|default_queue_depth|max_switch_wait|spec_cores_first|partition_job_depth)(=|$)")
"""Switches of SchedulerParameters that we heed where they are ours too; others would be refused."""
_UNSAID = NOTHING | {"", "ALL", "UNLIMITED", "NONE"}


def configuration(config: str, nodes: str, partitions: str) -> Config:
    """The configuration that these reports describe; ConfigError where they describe something that we do not know."""
    said = dict(_said(config))
    lines = [f"{key}={value}" for key in KEYS if (value := _adapted(key, said.get(key.lower(), "")))]
    lines += ["AuthType=auth/local", "SlurmctldHost=localhost", "SlurmUser=root"]
    gres: list[str] = []
    types: set[str] = set()
    for record in records(nodes, "NodeName"):
        lines.append(_node(record))
        for name, type, count in devices(record.get("Gres", "")):
            types.add(name)
            gres.append(f"NodeName={record['NodeName']} Name={name}{f' Type={type}' if type else ''} Count={count}")
    if types and said.get("grestypes", "") in _UNSAID:
        lines.append(f"GresTypes={','.join(sorted(types))}")
    lines += [line for record in records(partitions, "PartitionName") if (line := _partition(record))]
    return parse("\n".join(lines) + "\n", "scontrol show config", gres="\n".join(gres) + "\n")


def _said(config: str) -> Sequence[tuple[str, str]]:
    pairs = (line.partition("=") for line in config.splitlines() if "=" in line)
    return [(key.strip().lower(), value.strip()) for key, _, value in pairs]


def _adapted(key: str, value: str) -> str:
    """A value as our slurm.conf takes it, "" for one that says nothing."""
    if value in _UNSAID:
        return ""
    if key == "SelectType":
        return "select/linear" if "linear" in value else "select/cons_tres"
    if key == "SchedulerParameters":
        return ",".join(word for word in value.split(",") if _PARAMETERS.match(word))
    if key == "SchedulerType":
        return "sched/builtin" if "builtin" in value else "sched/backfill"
    return value


def _node(record: Mapping[str, str]) -> str:
    words = [f"{ours}={value}" for theirs, ours in _NODE.items() if (value := record.get(theirs, "").strip()) not in _UNSAID | {"0"}]
    boards = max(1, int(record.get("Boards", "1") or 1))
    words.append(f"SocketsPerBoard={max(1, int(record.get('Sockets', '1') or 1) // boards)}")
    found = [f"{name}{f':{type}' if type else ''}:{count}" for name, type, count in devices(record.get("Gres", ""))]
    return " ".join([*words, f"Gres={','.join(found)}"] if found else words)


def devices(text: str) -> list[tuple[str, str, int]]:
    """(name, type, count) of `gpu:a100:2(S:0-1),shard:8`; counts with a unit, as of bandwidth, are left out."""
    found = []
    for item in re.sub(r"\([^)]*\)", "", text).split(","):
        name, _, rest = item.strip().partition(":")
        type, _, count = rest.rpartition(":")
        if name and count.isdigit():
            found.append((name, type, int(count)))
    return found


def _partition(record: Mapping[str, str]) -> str:
    """Its line, "" for one without nodes."""
    if record.get("Nodes", "") in _UNSAID:
        return ""
    words = [f"{key}={value}" for key in _PARTITION if (value := record.get(key, "").strip()) not in _UNSAID]
    return " ".join(words)


WAITS_FOR_ROOM = frozenset(("", "None", "Resources", "Priority", "BeginTime", "Licenses", "Reservation", "NodeDown", "ReqNodeNotAvail"))
"""Reasons of jobs that the planner can look at; behind any other one is something that only the cluster itself knows."""
_DOWN = "Nodes required for job are DOWN"
_SHARE = re.compile(r"Nodes=(\S+) CPU_IDs=(\S*) Mem=(\d+) GRES=(\S*)")
_Of = Callable[[str], str]
_HELD = {"JobHeldAdmin": "admin", "JobHoldMaxRequeue": "admin"}


class Reported(NamedTuple):
    """A job as the cluster tells of it, our record of it, and what it holds if it runs."""

    told: JobRecord
    job: Job
    allocation: Allocation | None

    @property
    def plannable(self) -> bool:
        """Whether it waits for nothing but room."""
        return not self.job.held and waits_for_room(self.told)


def waits_for_room(told: JobRecord) -> bool:
    """Whether its own cluster names no other reason than room, and no job that it depends on."""
    reason = told.reason.partition(",")[0]
    return (reason in WAITS_FOR_ROOM or reason.startswith(_DOWN)) and not told.dependency


def jobs(said: str, now: float) -> list[Reported]:
    """Every job that waits or runs."""
    found = []
    for block in re.split(r"\n\n(?=JobId=)", said):
        for fields in records(block, "JobId"):
            told = job_record(fields)
            if told.state in ("PENDING", "RUNNING", "COMPLETING", "SUSPENDED", "CONFIGURING"):
                found.append(_reported(told, fields, block, now))
    return found


def _reported(told: JobRecord, fields: Mapping[str, str], block: str, now: float) -> Reported:
    def of(name: str) -> str:
        value = fields.get(name, "").strip()
        return "" if value in NOTHING else value

    uid = re.search(r"\((\d+)\)", fields.get("UserId", ""))
    gid = re.search(r"\((\d+)\)", fields.get("GroupId", ""))
    request = _request(told, of)
    eligible = _moment(of("EligibleTime"), now)
    priority = int(of("Priority") or 0) if (of("Priority") or "0").isdigit() else 0
    request.priority = min(priority, 2**32 - 2) or None
    job = Job(
        id=JobId(int(told.raw_id)), owner=Owner(
            uid=Uid(int(uid[1]) if uid else 0), gid=Gid(int(gid[1]) if gid else 0), user=told.user,
            group=fields.get("GroupId", "").partition("(")[0]),
        request=request, partition=request.partition, submit_time=_moment(told.submit, now), priority=priority,
        eligible_time=eligible, time_limit=request.time_limit if request.time_limit is not None else -1,
        not_before=eligible if eligible > now else 0.0,
        held=_HELD.get(told.reason, "user") if not priority and told.state == "PENDING" else "")
    tasks = of("ArrayTaskId")
    if told.array_id and not tasks.isdigit():
        spec = array.parse(tasks)
        job.array_job, job.array_part = job.id, ArrayPart(
            ranges=list(spec.tasks.runs), limit=spec.limit, count=len(spec.tasks), lowest=spec.tasks.first, highest=spec.tasks.last)
    if told.state == "PENDING":
        return Reported(told, job, None)
    job.state = JobState.RUNNING
    return Reported(told, job, _allocation(told, block))


def _request(told: JobRecord, of: _Of) -> JobRequest:
    least, _, most = of("NumNodes").partition("-")
    limit = of("TimeLimit")
    request = JobRequest(
        name=told.name[:1024], partition=told.partition, account=told.account, qos=told.qos, work_dir=told.work_dir,
        nodes_min=_count(least), nodes_max=_count(most) or (_count(least) if _count(least) > 1 else 0), ntasks=_count(of("NumTasks")),
        cpus_per_task=_count(of("CPUs/Task")), ntasks_per_node=_count(of("NtasksPerN:B:S:C").partition(":")[0]),
        mincpus=_count(of("MinCPUsNode")), tmp_disk=_memory(of("MinTmpDiskNode")) or 0, mem_per_node=_memory(of("MinMemoryNode")),
        mem_per_cpu=_memory(of("MinMemoryCPU")), features=of("Features"), nodelist=of("ReqNodeList"), exclude=of("ExcNodeList"),
        contiguous=of("Contiguous") == "1", exclusive="node" if of("OverSubscribe") in ("NO", "EXCLUSIVE") else "",
        oversubscribe=of("OverSubscribe") == "YES", reservation=of("Reservation"),
        time_limit=-1 if limit in ("", "UNLIMITED") else duration.parse(limit), submit_line=of("SubmitLine"))
    try:
        licenses.parse(of("Licenses"))
        request.licenses = of("Licenses")
    except NotationError:
        request.licenses = ""  # in a form that we do not know: it is planned as if it had none
    for key, field in (("TresPerNode", "gres"), ("TresPerJob", "gpus"), ("TresPerTask", "gpus_per_task")):
        asked = of(key)
        if field == "gres":
            request.gres = ",".join(re.sub(r"^gres[:/]", "", item) for item in asked.split(",") if re.match(r"gres[:/]", item))
        else:
            found = re.search(r"gres[:/]gpu(?::([a-z_]\w*))?[:=](\d+)", asked)
            setattr(request, field, f"{found[1]}:{found[2]}" if found and found[1] else found[2] if found else "")
    return request


def _allocation(told: JobRecord, block: str) -> Allocation | None:
    """What it holds, node by node; where CPUs are not told by number, as many as it has."""
    shares: list[NodeShare] = []
    for names, cpus, memory, held in _SHARE.findall(block):
        ids = _numbers(cpus)
        shares += [NodeShare(node=NodeName(name), cpus=ids, memory=int(memory), gres=_indices(held), tasks=1)
                   for name in hostlist.expand(names)]
    if not shares and told.nodelist:
        names = hostlist.expand(told.nodelist)
        shares = [NodeShare(node=NodeName(name), cpus=CpuSet.run(-(-told.cpus // len(names))), tasks=1) for name in names]
    return Allocation(shares=shares, partition=told.partition.partition(",")[0]) if shares else None


def _indices(held: str) -> dict[str, CpuSet]:
    """`gpu:a100:2(IDX:0-1)` as devices by number."""
    found: dict[str, CpuSet] = {}
    for name, ids in re.findall(r"(\w+)(?::[^,(]*)?\(IDX:([\d,-]+)\)", held):
        found[name] = found.get(name, CpuSet()) | _numbers(ids)
    return found


def _numbers(text: str) -> CpuSet:
    """0-3,6 as a set."""
    return CpuSet.of(array.parse(text).tasks) if text else CpuSet()


def _count(text: str) -> int:
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _memory(text: str) -> int | None:
    try:
        return size.parse_mb(text) if text else None
    except NotationError:
        return None


def _moment(text: str, now: float) -> float:
    try:
        return moment.parse(text, now, past=True) if text else 0.0
    except NotationError:
        return 0.0


FORECASTS = 1000
SUGGESTING_SECONDS = 20.0
_NODE_FLAGS = (("DOWN", "down"), ("FAIL", "down"), ("DRAIN", "drain"), ("NOT_RESPONDING", "down"), ("POWERED_DOWN", ""))


class ReportedCluster(NamedTuple):
    """A cluster of a real Slurm at the moment `at`, in our records. `jobs` by their numbers.

    `left_out`: jobs whose holdings contradict others', as where CPUs are shared; they are taken to hold nothing.
    """

    cluster: Cluster
    at: float
    jobs: dict[JobId, Reported]
    left_out: list[str]


def empty(ask: Ask, now: float, path: str = "") -> Cluster:
    """The cluster with all its nodes idle, as it reports itself or as the slurm.conf at `path` describes it. BackendError, ConfigError."""
    if path:
        conf = load(os.path.abspath(path))
    else:
        try:
            conf = configuration(ask(["scontrol", "show", "config"]), ask(["scontrol", "show", "node"]),
                ask(["scontrol", "show", "partition"]))
        except (ConfigError, NotationError, ValueError) as error:
            lines = error.lines() if isinstance(error, ConfigError) else [str(error)]
            raise BackendError(f"what that cluster reports of itself is not understood: {'; '.join(lines)}") from error
    cluster = Cluster()
    event = setup.configured(conf, now, [])
    event.settings.min_job_age = event.settings.max_job_count = 10**9
    cluster.apply(event)
    for node in list(cluster.nodes.values()):
        cluster.apply(_registered(node, now))
    return cluster


def report(ask: Ask, now: float, path: str = "") -> ReportedCluster:
    """Asks the cluster's own commands, changes nothing there; the slurm.conf at `path` takes the place of its configuration.

    BackendError, ConfigError.
    """
    cluster = empty(ask, now, path)
    for record in records(ask(["scontrol", "show", "node"]), "NodeName"):
        _set_state(cluster, record.get("NodeName", ""), record.get("State", ""), record.get("Reason", ""), now)
    for number, record in enumerate(records(ask(["scontrol", "show", "reservation"]), "ReservationName"), 1):
        reserved = _reservation(cluster, record, number, now)
        if reserved is not None:
            cluster.apply(e.ReservationCreated(at=now, reservation=reserved))
            if reserved.start <= now:
                cluster.apply(e.ReservationBegun(at=now, name=reserved.name))
    found = ReportedCluster(cluster, now, {}, [])
    told = jobs(ask(["scontrol", "-d", "show", "job"]), now)
    for one in sorted(told, key=lambda one: (one.allocation is None, one.job.submit_time, one.job.id)):
        _add(found, one)
    return found


def _registered(of: Node, at: float) -> e.NodeRegistered:
    return e.NodeRegistered(
        at=at, node=of.name, cpus=of.cpus, boards=of.boards, sockets=of.sockets, cores_per_socket=of.cores_per_socket,
        threads_per_core=of.threads_per_core, memory=of.memory, tmp_disk=of.tmp_disk, boot_time=at, slurmd_start_time=at, hostname=of.name)


def _set_state(cluster: Cluster, name: str, state: str, reason: str, now: float) -> None:
    words = set(re.split(r"[+*$@^!%#~-]", state.replace("_", "")))
    wanted = next((ours for word, ours in _NODE_FLAGS if any(one.startswith(word.replace("_", "")) for one in words) and ours), "")
    if "*" in state:
        wanted = "down"
    if wanted and name in cluster.nodes:
        cluster.apply(e.NodeUpdated(
            at=now, node=NodeName(name), by=Uid(0), state=wanted, reason=reason.rpartition(" [")[0] or reason or "not told"))


def _reservation(cluster: Cluster, record: dict[str, str], number: int, now: float) -> Reservation | None:
    """A reservation of whole nodes; None for one of cores, licences or nodes that are not there."""
    def of(name: str) -> str:
        value = record.get(name, "").strip()
        return "" if value in ("(null)", "N/A") else value

    try:
        start, end = moment.parse(of("StartTime"), now, past=True), moment.parse(of("EndTime"), now)
        nodes = [NodeName(name) for name in hostlist.expand(of("Nodes"))] if of("Nodes") else []
    except NotationError:
        return None
    if not nodes or end <= now or not all(name in cluster.nodes for name in nodes):
        return None
    return Reservation(
        id=number, name=of("ReservationName"), start=start, end=end, nodes=nodes, partition=of("PartitionName"),
        users=of("Users").split(",") if of("Users") else [], accounts=of("Accounts").split(",") if of("Accounts") else [],
        flags=[flag for flag in of("Flags").split(",") if flag in ("MAINT", "IGNORE_JOBS", "OVERLAP", "FLEX", "MAGNETIC")],
        begun=start <= now)


def _add(found: ReportedCluster, one: Reported) -> None:
    cluster, job = found.cluster, one.job
    known = [name for name in job.partition.split(",") if name in cluster.partitions]
    if not known or job.id in cluster.jobs:
        found.left_out.append(one.told.id)
        return
    job.partition = job.request.partition = ",".join(known)
    running = job.state.name == "RUNNING"
    waiting = msgspec.structs.replace(job, state=type(job.state).PENDING)
    if not running and not one.plannable:
        waiting.held = waiting.held or "user"  # whatever it waits for is known to its own cluster only
    cluster.apply(e.Submitted(at=job.submit_time or found.at, job=waiting))
    found.jobs[job.id] = one
    if not running:
        return
    start = moment.parse(one.told.start, found.at, past=True) if one.told.start else found.at
    try:
        if one.allocation is None:
            raise IllegalTransition("nobody says what it holds")
        cluster.apply(e.Started(at=start, job=job.id, allocation=one.allocation))
    except IllegalTransition:
        found.left_out.append(one.told.id)
        cluster.apply(e.Cancelled(at=found.at, job=job.id, by=Uid(0)))


# --- what the planner says -----------------------------------------------------------------------------------------------


class Planned(NamedTuple):
    """A pass over a reported cluster: when jobs start, and why not now."""

    starts: dict[JobId, Forecast]
    verdicts: dict[JobId, Refusal]
    queue: Queue


def planned(found: ReportedCluster) -> Planned:
    """One full pass; what jobs wait for that only their own cluster knows is said in its words."""
    queue = Queue()
    outcome = plan(found.cluster, found.at, forecasts=FORECASTS, queue=queue)
    starts = dict(outcome.forecasts)
    for proposal in outcome.proposals:
        for job_id, allocation in proposal.parts:
            starts[job_id] = Forecast(found.at, [str(name) for name in allocation.nodes], allocation)
    verdicts = dict(outcome.verdicts)
    for job_id, one in found.jobs.items():
        if one.allocation is None and not one.plannable:
            verdicts[job_id] = Refusal(one.told.reason, one.told.why or "it waits")
    return Planned(starts, verdicts, queue)


def schedule_of(found: ReportedCluster) -> Schedule:
    """What runs, and what our planner would start when."""
    made = planned(found)
    drawn = drawn_schedule(found.cluster, found.at, made.starts, made.verdicts, found.at)
    names = {str(job_id): one.told.id for job_id, one in found.jobs.items()}
    for bar in drawn.bars:
        bar.job = names.get(bar.job.partition("_[")[0], bar.job)
    for waiting in drawn.waiting:
        waiting.job = names.get(waiting.job.partition("_[")[0], waiting.job)
    return drawn


def explanation_of(found: ReportedCluster, told_id: str) -> Explanation | None:
    """What our planner says of a waiting job that waits for room; None for any other."""
    one = next((one for one in found.jobs.values() if told_id in (one.told.id, one.told.raw_id, one.told.id.partition("_[")[0])), None)
    if one is None or not one.plannable or one.job.id not in found.cluster.pending:
        return None
    made = planned(found)
    job = found.cluster.jobs[one.job.id]
    explained = explain(found.cluster, job, found.at, refusal=made.verdicts.get(job.id), forecast=made.starts.get(job.id),
                        queue=made.queue.first(found.cluster, found.at))
    until = time.monotonic() + SUGGESTING_SECONDS
    explained.suggestions = suggest(found.cluster, job, found.at, lambda: time.monotonic() > until)
    _rename(explained, found, one)
    return explained


def _rename(explained: Explanation, found: ReportedCluster, one: Reported) -> None:
    """Jobs by the names that their own cluster gives them, and its own word for why it waits."""
    names = {str(job_id): each.told.id for job_id, each in found.jobs.items()}
    explained.job, explained.user = one.told.id, one.told.user
    explained.reason = one.told.reason or explained.reason
    for other in (*explained.holders, *explained.waits_for, *([explained.first] if explained.first is not None else [])):
        other.job = names.get(other.job, other.job)
    if one.told.start:
        where = one.told.fields.get("SchedNodeList", "").replace("(null)", "")
        explained.evidence.append(("its own scheduler expects it to start", f"at {one.told.start}{f' on {where}' if where else ''}"))


@runtime_checkable
class Planning(Protocol):
    """A backend whose cluster tells its plan."""

    def plan(self, configured: str = "") -> Mapping[str, Any]:
        """The fields of a Schedule; of what it would be under another configuration where `configured` says one, as slurmctld reads it."""
        ...


def schedule(backend: Backend, conf: str = "") -> Schedule:
    """The plan of a cluster, or what it would be under the slurm.conf at the path `conf`; BackendError, ConfigError."""
    if isinstance(backend, Planning):
        return msgspec.convert(backend.plan(written(conf, time.time()) if conf else ""), Schedule)
    return schedule_of(report(backend.ask, time.time(), conf))


def written(path: str, now: float) -> str:
    """A configuration as slurmctld takes it; ConfigError where slurmctld would not start with it."""
    conf = load(os.path.abspath(path))
    body = codec.encode(setup.configured(conf, now, setup.operators(conf)))
    return f"{VERSION}:{base64.b64encode(body).decode()}"
