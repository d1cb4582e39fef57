"""From the state to the records that leave for the accounting database: a job, a step, a node out of service, the cluster. Pure; one place.

When a record is made, and its number, is decided in `recording`.
"""

from __future__ import annotations

from msgspec.structs import replace

from slurm.core import tres
from slurm.core.state import ClusterState
from slurm.model.accounting import ClusterRecord, JobRecord, NodeEventRecord, PayloadRecord, ReservationRecord, StepRecord
from slurm.model.ids import BATCH_STEP, EXTERN_STEP, Digest, NodeName, Uid
from slurm.model.job import Allocation, Job, Step
from slurm.model.node import Node
from slurm.model.policy import Wckey
from slurm.model.reservation import Reservation
from slurm.model.states import JobState, NodeState, Reason
from slurm.notation import array, filenames, hostlist
from slurm.notation.taskset import TaskSet

_ENDED_BY: dict[str, JobState] = {
    Reason.NODE_DOWN: JobState.NODE_FAIL, Reason.NON_ZERO_EXIT_CODE: JobState.FAILED, Reason.TIME_LIMIT: JobState.TIMEOUT,
    Reason.OUT_OF_MEMORY: JobState.OUT_OF_MEMORY, Reason.JOB_LAUNCH_FAILURE: JobState.FAILED,
}
_RAISED = Reason.RAISED_SIGNAL.partition("{")[0]
_LAYOUTS = {"block": "Block", "cyclic": "Cyclic", "plane": "Plane", "arbitrary": "Arbitrary"}
ASKED = 1024
"""So many jobs and arrays have what they asked for ready for their next record."""
_LASTING = frozenset({"special_exit"})


def job_record(state: ClusterState, job: Job) -> JobRecord:
    """A job as it is now; one that nobody hears of is as it was when it was heard of last."""
    allocation = job.holding
    final, flags = outcome(job)
    part = job.array_part
    lost = job.lost
    return replace(
        _asked(state, job), id=job.id, wckey_id=key.id if (key := _wckey(state, job)) is not None else 0,
        het_job=job.het_job, het_offset=job.het_offset,
        reservation=(allocation.reservation if allocation is not None else "") or job.request.reservation,
        reservation_id=allocation.reservation_id if allocation is not None else 0, restarts=job.restarts, association=job.association,
        array_task=job.array_task,
        array_tasks=array.show(TaskSet(part.ranges), part.limit, 0) if part is not None else "",
        partition=job.partition if lost is None else lost.partition, state=final, flags=flags,
        reason=job.reason if lost is None else Reason.NONE,
        killed_by=killer(job), failed_node=job.last_node_failed, priority=job.priority, exit_status=job.exit_status,
        derived_status=job.derived_status, submit_time=job.submit_time, eligible_time=job.eligible_time, start_time=_start(job, allocation),
        end_time=job.end_time, suspended_seconds=job.suspended_seconds,
        suspend_time=job.suspend_time if job.state is JobState.SUSPENDED else 0.0, time_limit=job.time_limit,
        allocated=tres.held(state, allocation),
        nodes=_hosts(allocation.nodes) if allocation is not None else "", node_count=len(allocation.shares) if allocation is not None
        else 0)


def _wckey(state: ClusterState, job: Job) -> Wckey | None:
    return state.policy.book.wckey(job.owner.user, job.request.wckey) if job.request.wckey and state.settings.track_wckey else None


def _asked(state: ClusterState, job: Job) -> JobRecord:
    """The part of a record that follows from what was asked: made once for all records of a job and all tasks of an array."""
    kept = state.recording.asked
    if state.recording.asked_at != state.generation or len(kept) >= ASKED:
        kept.clear()
        state.recording.asked_at = state.generation
    key = id(job.request), id(job.owner), id(job.payload), job.array_job, job.partition
    found = kept.get(key)
    if found is None:
        # What the key names is kept with it, so that nothing else gets these ids.
        found = kept[key] = (_made_of_request(state, job), job.request, job.owner, job.payload)
    return found[0]


def _made_of_request(state: ClusterState, job: Job) -> JobRecord:
    request, owner = job.request, job.owner
    settings = state.settings
    keep = settings.accounting_store
    memory, per_cpu = tres.memory_rule(state, job)
    files = request.kind == "batch" and "no_stdio" not in keep
    return JobRecord(
        id=job.id, array_job=job.array_job, uid=owner.uid, gid=owner.gid, user=owner.user, group=owner.group, account=request.account,
        qos=request.qos or settings.default_qos, qos_requested=request.qos if request.qos != settings.default_qos else "",
        wckey=request.wckey, reservation=request.reservation, reservation_requested=request.reservation, name=request.name,
        kind=request.kind,
        submit_line=request.submit_line, work_dir=request.work_dir, stdin=(request.stdin or "/dev/null") if files else "",
        stdout=_output(job) if files else "", stderr=request.stderr if files else "",
        comment=request.comment if "job_comment" in keep else "",
        admin_comment=request.admin_comment, extra=request.extra if "job_extra" in keep else "", licenses=request.licenses,
        constraints=request.features, script=job.payload.script if "job_script" in keep else Digest(""),
        environment=job.payload.environment if "job_env" in keep else Digest(""),
        exclusive=request.exclusive.upper() if request.exclusive != "node" else "YES", oversubscribe="YES" if request.oversubscribe else "",
        cpus_requested=tres.cpus_wanted(job), nodes_requested=tres.nodes_wanted(job), memory_requested=memory, memory_per_cpu=per_cpu,
        requested=tres.requested(state, job))


def outcome(job: Job) -> tuple[JobState, list[str]]:
    """(state, flags) of this life of a job: of one that will run again how this one ends."""
    flags = [flag for flag in job.flags if flag in _LASTING] if job.flags else []
    if job.lost is not None:
        return JobState.RUNNING, flags
    if job.state is not JobState.PENDING or not job.requeue_after:
        return job.state, flags
    if job.preempt_mode:
        return JobState.PREEMPTED, flags
    if job.reason.startswith(_RAISED):
        return JobState.FAILED, flags
    state = _ENDED_BY.get(job.reason)
    return (JobState.CANCELLED, [*flags, "requeued"]) if state is None else (state, flags)


def killer(job: Job) -> Uid | None:
    """Who cancelled it, None when nobody did."""
    return Uid(int(job.reason_text)) if job.state is JobState.CANCELLED and job.reason_text.isdecimal() else None


def payload_records(state: ClusterState, job: Job) -> list[PayloadRecord]:
    """The script and the environment of a submission, as far as they are kept for ever; who writes them out fills in the content."""
    keep = state.settings.accounting_store
    kinds = (("script", "job_script", job.payload.script), ("environment", "job_env", job.payload.environment))
    return [PayloadRecord(digest=digest, what=what, content=b"") for what, flag, digest in kinds if flag in keep and digest]


def step_record(state: ClusterState, job: Job, step: Step) -> StepRecord:
    """A step as it is now; how it ended and what it used is told once that is so on all its nodes."""
    request = step.request
    batch = step.id == BATCH_STEP
    names = [share.node for share in step.shares]
    allocated = tres.of_shares(state, step.shares)
    if step.id == EXTERN_STEP and (allocation := job.holding) is not None:
        allocated["billing"] = tres.held(state, allocation)["billing"]
    word = (request.distribution or "block").split(",")[0].split(":")[0].split("=")[0].lower()
    return StepRecord(
        job=job.id, restarts=job.restarts, step=step.id, name=step.name, state=step.state,
        exit_status=step.exit_status or 0 if step.end_time else 0,
        start_time=step.start_time, end_time=step.end_time, suspended_seconds=step.suspended_seconds, ntasks=step.ntasks,
        nodes=_hosts(names), node_count=len(names),
        layout="Unknown" if batch or step.id == EXTERN_STEP else _LAYOUTS.get(word, ""), allocated=allocated,
        submit_line=request.submit_line,
        work_dir=job.request.work_dir, killed_by=killer(job) if step.state is JobState.CANCELLED else None,
        usage=step.usage if step.end_time else None)


def node_event(state: ClusterState, node: Node, at: float) -> NodeEventRecord | None:
    """That a node is out of service, from `at` on; None when it is in service, or none at all."""
    if node.state is NodeState.FUTURE or not (node.drain or node.state is NodeState.DOWN):
        return None
    silent = "" if node.responding else "*"
    word = f"DOWN{silent}{'+DRAIN' if node.drain else ''}" if node.state is NodeState.DOWN else f"DRAIN{silent}"
    return NodeEventRecord(
        node=node.name, start_time=at, state=word, reason=node.reason, reason_uid=Uid(node.reason_uid), tres=tres.of_node(state, node))


def cluster_record(state: ClusterState, at: float) -> ClusterRecord:
    """What the cluster has from `at` on."""
    names = [node.name for node in state.nodes.values() if node.state is not NodeState.FUTURE]
    return ClusterRecord(start_time=at, nodes=hostlist.compress(names), tres=tres.of_cluster(state))


def reservation_record(state: ClusterState, of: Reservation, since: float, end: float) -> ReservationRecord:
    """What a reservation is from a moment on."""
    cpus = sum(len(of.cpus[name]) if name in of.cpus else state.nodes[name].cpus for name in of.nodes if name in state.nodes)
    users, accounts = (
        [f"-{name}" if what in of.denied else name for name in names] for what, names in (("users", of.users), ("accounts", of.accounts)))
    return ReservationRecord(
        id=of.id, start_time=of.start, since=since, end_time=end, name=of.name, nodes=hostlist.compress(of.nodes), flags=list(of.flags),
        users=users, accounts=accounts, tres={"cpu": cpus} if of.nodes else {})


def _hosts(names: list[NodeName]) -> str:
    return names[0] if len(names) == 1 else hostlist.compress(names)


def _start(job: Job, allocation: Allocation | None) -> float:
    if job.lost is not None:
        return job.lost.start_time
    return job.start_time if allocation is not None else 0.0


def _output(job: Job) -> str:
    return job.request.stdout or (filenames.DEFAULT_ARRAY if job.array_job else filenames.DEFAULT)
