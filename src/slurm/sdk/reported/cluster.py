"""A cluster of our records out of what scontrol reports, and what our planner says of it."""

from __future__ import annotations

import os
import re
import time
from typing import NamedTuple

import msgspec

from slurm.config.config import load
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.illegal import IllegalTransition
from slurm.model.errors import ConfigError, NotationError
from slurm.model.explanation import Explanation
from slurm.model.ids import JobId, NodeName, Uid
from slurm.model.node import Node
from slurm.model.refusal import Refusal
from slurm.model.reservation import Reservation
from slurm.model.schedule import Schedule
from slurm.notation import hostlist, moment
from slurm.sched.explain import explain
from slurm.sched.plan import plan
from slurm.sched.proposal import Forecast
from slurm.sched.queue import Queue
from slurm.sched.schedule import schedule
from slurm.sched.suggestions import suggest
from slurm.sdk.errors import BackendError
from slurm.sdk.following import reasons
from slurm.sdk.following.inspection import Ask, records
from slurm.sdk.following.status import Status
from slurm.sdk.reported.configuration import configuration
from slurm.sdk.reported.jobs import Reported, jobs
from slurm.slurmctld import setup

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
            verdicts[job_id] = Refusal(one.told.reason, reasons.sentence(Status(one.told.state, "", one.told.reason)) or "it waits")
    return Planned(starts, verdicts, queue)


def schedule_of(found: ReportedCluster) -> Schedule:
    """What runs, and what our planner would start when."""
    made = planned(found)
    drawn = schedule(found.cluster, found.at, made.starts, made.verdicts, found.at)
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
