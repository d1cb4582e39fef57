"""The text of each field of a job step, one function a row of `fields.STEP`, and the rows of `squeue --steps`.

A running batch script is a step too; where no record keeps it, it is made up from its job here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from slurm.model.ids import BATCH_STEP, step_name
from slurm.model.job import Job, Step
from slurm.model.states import JobState
from slurm.notation import duration, gres, hostlist, jobref, sluid
from slurm.render import fields, job_values
from slurm.render.job_facts import shown_id
from slurm.render.view import View
from slurm.wire.messages import ListJobs


class JobStep(NamedTuple):
    """A step with its job."""

    job: Job
    step: Step

    @property
    def shown(self) -> str:
        """ "86.batch", "88_1.0"."""
        return f"{shown_id(self.job)}.{step_name(self.step.id)}"


Getter = Callable[[JobStep, View], str]


def running_steps(job: Job) -> list[JobStep]:
    """The steps of a job that run, the batch script with them."""
    found = [JobStep(job, step) for step in job.steps.values() if step.state is JobState.RUNNING]
    unrecorded = job.request.kind == "batch" and BATCH_STEP not in job.steps
    if unrecorded and job.allocation is not None and not job.state.finished and job.state is not JobState.PENDING:
        batch = Step(id=BATCH_STEP, name="batch", start_time=job.start_time, shares=job.allocation.shares[:1], ntasks=1)
        found.append(JobStep(job, batch))
    return found


def nodes(step: Step) -> str:
    """Nodes as a host list."""
    return hostlist.compress(step.nodes)


def _cpus(entry: JobStep, view: View) -> str:
    return str(sum(share.cpu_count for share in entry.step.shares))


def _limit(entry: JobStep, view: View) -> str:
    limit = entry.step.request.time_limit
    return duration.show(limit) if limit is not None else "UNLIMITED"


def _used(entry: JobStep, view: View) -> str:
    return duration.show(int(max(0.0, (entry.step.end_time or view.now) - entry.step.start_time)))


def _gres(entry: JobStep, view: View) -> str:
    return gres.show(gres.parse(entry.step.request.gres), "gres/") or "N/A"


GETTERS: dict[str, Getter] = {
    "StepId": lambda entry, view: entry.shown,
    "StepName": lambda entry, view: entry.step.name,
    "Partition": lambda entry, view: entry.job.partition,
    "UserName": lambda entry, view: entry.job.owner.user,
    "UserId": lambda entry, view: str(entry.job.owner.uid),
    "TimeUsed": _used,
    "TimeLimit": _limit,
    "StartTime": lambda entry, view: view.moment(entry.step.start_time, "N/A"),
    "NodeList": lambda entry, view: nodes(entry.step),
    "NumNodes": lambda entry, view: str(len(entry.step.shares)),
    "NumCPUs": _cpus,
    "NumTasks": lambda entry, view: str(entry.step.ntasks),
    "tres-per-node": _gres,
    "StepState": lambda entry, view: entry.step.state.name,
    "State": lambda entry, view: entry.step.state.name,
    "JobId": lambda entry, view: str(entry.job.id),
    "JobArrayId": lambda entry, view: shown_id(entry.job),
    "ArrayJobId": lambda entry, view: str(entry.job.array_job or entry.job.id),
    "ArrayTaskId": lambda entry, view: job_values.GETTERS["ArrayTaskId"](entry.job, view),
    "SLUID": lambda entry, view: sluid.show(entry.job.submit_time, entry.job.id),
}
"""Field name → its text; the names are those of `fields.STEP`."""


def rows(view: View, jobs: list[Job], message: ListJobs) -> list[list[str]]:
    """The rows of `squeue --steps` for these jobs: by partition, then by job and step."""
    wanted = {(ref.job, ref.step) for ref in map(jobref.parse, message.filter.ids) if ref.step}
    entries = [entry for job in jobs for entry in running_steps(job) if not wanted or _is_wanted(entry, wanted)]
    entries.sort(key=_order)
    getters = [GETTERS[fields.known(name, fields.STEP).name] for name in message.fields]
    return [[getter(entry, view) for getter in getters] for entry in entries]


def _is_wanted(entry: JobStep, wanted: set[tuple[int, str]]) -> bool:
    name = step_name(entry.step.id)
    return (entry.job.id, name) in wanted or (entry.job.array_job, name) in wanted


def _order(entry: JobStep) -> tuple[str, int, int, int]:
    return entry.job.partition, entry.job.array_job or entry.job.id, entry.job.array_task or 0, entry.step.id
