"""What reports say about a job beyond its record: sizes, times, reasons.

Numbers here; texts in `job_values`, `scontrol_job`, `json_job`.
"""

from __future__ import annotations

from slurm.core import tres as amounts
from slurm.model.job import Job, NodeShare
from slurm.model.states import JobState, Reason
from slurm.notation import array, gres, hostlist, tres
from slurm.notation.gres import GresRequest
from slurm.notation.taskset import TaskSet
from slurm.render.view import View

YEAR = 365 * 86400
"""Seconds after its start at which Slurm shows the end of a job without a time limit."""
_REASON_INSTEAD_OF_NODES = frozenset({
    JobState.PENDING, JobState.FAILED, JobState.TIMEOUT, JobState.OUT_OF_MEMORY, JobState.DEADLINE, JobState.NODE_FAIL, JobState.BOOT_FAIL})


def array_text(job: Job, max_length: int = 0) -> str:
    """Tasks of an array that have not started, as Slurm shows them: "3-200%2"; "" when it is no array record."""
    if job.array_part is None:
        return ""
    return array.show(TaskSet(job.array_part.ranges), job.array_part.limit, max_length)


def switch_wait(job: Job, view: View) -> int:
    """Seconds for which it waits for as few switches as it asks for."""
    asked, most = job.request.switch_wait, view.settings.max_switch_wait
    return most if asked is None else min(asked, most)


def shown_id(job: Job, max_length: int = 0) -> str:
    """ "86", "88_1", "88_[3-200%2]", "90+1"."""
    if job.het:
        return job.shown_id
    if job.array_task is not None:
        return f"{job.array_job}_{job.array_task}"
    if job.array_part is not None:
        return f"{job.array_job}_[{array_text(job, max_length)}]"
    return str(job.id)


def throttle(job: Job, view: View) -> int:
    """How many tasks of the job's array may run at once, 0: no limit."""
    part = job.array_part
    if part is None:
        record = view.jobs.get(job.array_job)
        part = record.array_part if record is not None else None
    if part is not None:
        return part.limit
    limit = job.request.array.partition("%")[2]
    return int(limit) if limit.isdigit() else 0


def reason(job: Job, view: View) -> str:
    """Why the job waits or how it ended: the record's own reason, else the planner's."""
    if job.state is not JobState.PENDING or job.reason != Reason.NONE:
        return job.reason
    verdict = view.verdicts.get(job.id)
    return verdict.reason if verdict is not None else job.reason


def reason_words(job: Job, view: View) -> str:
    """The reason, or where it is only that the job could not be started, the sentence that says why."""
    found = reason(job, view)
    return job.reason_text if found == Reason.JOB_LAUNCH_FAILURE and job.reason_text else found


def reason_code(text: str) -> str:
    """The one-word reason that stands for a reason given as a sentence."""
    if text == Reason.REQUEUED_HELD:
        return Reason.JOB_HELD_USER
    return Reason.RESOURCES if " " in text and not text.startswith(Reason.REQ_NODE_NOT_AVAIL) else text.partition(",")[0]


def shows_reason(job: Job) -> bool:
    """Whether NODELIST(REASON) shows the reason."""
    return job.state in _REASON_INSTEAD_OF_NODES and not job.completing


def flag(job: Job) -> str:
    """The state that lies over the base state (completing, configuring …), "" for none."""
    for name in job.flags:
        if name in ("completing", "configuring", "resizing", "stage_out", "signaling", "stopped", "special_exit", "requeue_hold",
                "resv_del_hold"):
            return name
    return ""


def start_time(job: Job, view: View) -> float:
    """When it started, or is expected to: the planner's forecast, or the begin time still to come. 0: not known."""
    if job.state is not JobState.PENDING:
        return job.start_time
    forecast = view.forecasts.get(job.id)
    if forecast is not None and forecast.start:
        return forecast.start
    return job.not_before if job.not_before > view.now else 0.0


def end_time(job: Job, view: View) -> float:
    """When it ended, or will at the latest; 0: not known."""
    if job.state.finished:
        return job.end_time
    begins = start_time(job, view)
    if not begins:
        return 0.0
    going_on = view.now - job.suspend_time if job.state is JobState.SUSPENDED else 0.0
    return begins + (job.time_limit if job.time_limit >= 0 else YEAR) + job.suspended_seconds + max(0.0, going_on)


def time_used(job: Job, view: View) -> float:
    """Seconds it has run, suspensions left out."""
    if job.state is JobState.PENDING or not job.start_time:
        return 0.0
    until = view.now
    if job.state.finished:
        until = job.end_time
    elif job.state is JobState.SUSPENDED and job.suspend_time:
        until = job.suspend_time
    return max(0.0, until - job.start_time - job.suspended_seconds)


def eligible_time(job: Job) -> float:
    """When it may or might start at the earliest, 0: not known yet."""
    return job.not_before or job.eligible_time


def node_count(job: Job) -> int:
    """Nodes held, or wanted while pending."""
    return len(job.allocation.shares) if job.allocation is not None else amounts.nodes_wanted(job)


def cpu_count(job: Job) -> int:
    """CPUs held, or wanted while pending."""
    return job.allocation.cpu_count if job.allocation is not None else amounts.cpus_wanted(job)


def gres_per_node(job: Job) -> str:
    """GRES asked for on each node, "gres/gpu:a100:2"."""
    wanted = [*gres.parse(job.request.gres), *gres.parse_gpus(job.request.gpus_per_node)]
    return gres.show(wanted, "gres/")


def gpus_text(text: str) -> str:
    """GPUs of --gpus, --gpus-per-task …, "gres/gpu:a100:2"."""
    return gres.show(gres.parse_gpus(text), "gres/")


def tres_text(counts: dict[str, int], view: View) -> str:
    """Trackable resources as `ReqTRES=` and `tres-alloc` show them."""
    return tres.show(counts, convert=view.convert)


def share_gres(share: NodeShare, view: View) -> str:
    """What a job holds of a node's GRES: "gpu:a100:2(IDX:0-1)"."""
    node = view.nodes.get(share.node)
    shown = []
    for name, devices in share.gres.items():
        pools = [pool for pool in node.gres if pool.name == name] if node is not None else []
        for pool in pools:
            mine = devices & pool.devices
            if mine:
                shown.append(gres.show_used(name, pool.type, list(mine)))
        if not pools and devices:
            shown.append(gres.show_used(name, "", list(devices)))
    return ",".join(shown)


def gres_held(job: Job, view: View) -> list[GresRequest]:
    """GRES of the whole allocation by name and type."""
    totals: dict[tuple[str, str], int] = {}
    for share in job.allocation.shares if job.allocation is not None else ():
        node = view.nodes.get(share.node)
        for name, devices in share.gres.items():
            for pool in node.gres if node is not None else ():
                if pool.name == name and (mine := devices & pool.devices):
                    key = (name, pool.type)
                    totals[key] = totals.get(key, 0) + len(mine)
    return [GresRequest(name, kind, count) for (name, kind), count in totals.items()]


def node_list(job: Job) -> str:
    """Nodes of the allocation as a host list."""
    return hostlist.compress(job.allocation.nodes) if job.allocation is not None else ""


def forecast_nodes(job: Job, view: View) -> str:
    """Nodes a pending job is expected to start on, "" while there is no forecast."""
    forecast = view.forecasts.get(job.id) if job.state is JobState.PENDING else None
    return hostlist.compress(forecast.nodes) if forecast is not None else ""
