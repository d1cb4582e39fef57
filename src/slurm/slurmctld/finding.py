"""Finding: a job by what people call it, and a cluster as reports read it; of the present or of the past."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.core import rights
from slurm.core.cluster import Cluster
from slurm.core.events import Caller
from slurm.core.reserving import access
from slurm.model.errors import NotFound
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.notation import jobref
from slurm.render.view import View
from slurm.sched.proposal import Forecast
from slurm.slurmctld.directory import uid_of


def find_job(cluster: Cluster, text: str) -> Job:
    """The job of an id such as "12", "12_3" or "12+1"; NotFound."""
    ref = jobref.parse(text)
    if ref.het is not None:
        component = cluster.component(ref.job, ref.het)
        if component is None:
            raise NotFound("ESLURM_INVALID_JOB_ID")
        return component
    if ref.tasks is None:
        return cluster.job(ref.job)
    task = next(iter(ref.tasks), None) if len(ref.tasks) == 1 else None
    job = cluster.task(ref.job, task) if task is not None else None
    if job is None:
        raise NotFound()
    return job


def view(cluster: Cluster, caller: Caller | None, now: float, verdicts: Mapping[JobId, Refusal], forecasts: Mapping[JobId, Forecast],
         planned_at: float) -> View:
    """The cluster at `now`, with the jobs that `caller` may know of (None: all), and what a pass of the planner at `planned_at` said."""
    jobs = rights.visible_jobs(cluster, caller) if caller is not None else cluster.jobs
    return View(
        settings=cluster.settings, nodes=cluster.nodes, partitions=cluster.partitions, jobs=jobs, reservations=cluster.reservations,
        policy=cluster.policy, licenses=cluster.licenses, uid_of=uid_of, sees=rights.policy_sight(cluster, caller), now=now,
        hidden_reservations=access.hidden(cluster, caller) if caller is not None else frozenset(),
        verdicts=verdicts, forecasts=forecasts, last_planned=planned_at)
