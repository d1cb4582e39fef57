"""Explaining: the answer to ExplainJob, of the present or of a moment in the past."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.core.events import Caller
from slurm.model.errors import NotFound
from slurm.model.explanation import Explanation, Other
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.model.states import JobState
from slurm.render import job_values
from slurm.sched import priority_words, suggestions
from slurm.sched.explain import explain, most_telling
from slurm.sched.priority import Scale
from slurm.sched.proposal import Forecast
from slurm.slurmctld import finding
from slurm.wire import messages as m


def meant(cluster: Cluster, caller: Caller, text: str) -> Job:
    """The job of an id, of an array the record that tells most; NotFound, also where `caller` may not know of it."""
    started = cluster.tasks_of(int(text)) if text.isdecimal() else []
    job = most_telling(started) if started and not started[0].het else finding.find_job(cluster, text)
    if not rights.may_see(cluster, caller, job):
        raise NotFound("ESLURM_INVALID_JOB_ID")
    return job


def explained(cluster: Cluster, job: Job, message: m.ExplainJob, caller: Caller, now: float, verdicts: Mapping[JobId, Refusal],
              forecasts: Mapping[JobId, Forecast], queue: Iterable[Job], over: Callable[[], bool] | None, script: str = "") -> m.Explained:
    """What there is to say of it at `now`; with what would start it sooner, sought until it is `over`, where that is given.

    `script` is its batch script, "" where that is not known.
    """
    found = explain(cluster, job, now, refusal=verdicts.get(job.id), forecast=forecasts.get(job.id), queue=queue,
                    sees=lambda other: rights.may_see(cluster, caller, other), script=script)
    if job.state.finished and job.state is not JobState.COMPLETED:
        view = finding.view(cluster, caller, now, verdicts, forecasts, now)
        found.error_file = job_values.stderr(job, view) or job_values.stdout(job, view)
    _hide_others(cluster, caller, found)
    if over is not None and job.state is JobState.PENDING and rights.may_touch(cluster, caller, job):
        found.suggestions = suggestions.suggest(cluster, job, now, over)
    if message.priority and job.state is JobState.PENDING:
        found.priority = priority_words.told(Scale(cluster, now), job)
    return m.Explained(explanation=found)


def _hide_others(cluster: Cluster, caller: Caller, found: Explanation) -> None:
    """Leave out of an explanation what the asker may not know of other jobs."""
    def seen(other: Other) -> Other:
        job = cluster.find(other.job.partition("_[")[0])
        if job is not None and rights.may_see(cluster, caller, job):
            return other
        return Other(job="another", name="", user="somebody else", state=other.state, end=other.end)

    if rights.is_private(cluster, caller, rights.JOBS):
        found.first = seen(found.first) if found.first is not None else None
        found.waits_for, found.holders = [seen(one) for one in found.waits_for], [seen(one) for one in found.holders]
