"""Jobs over which the planner stumbled by a fault of our own: left out for a while, so that others start, and told once."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from slurm.core.illegal import story
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.model.states import Reason

log = logging.getLogger("slurmctld.planner")
REST_SECONDS = 60.0
"""So long a job that could not be planned or started is left out; then it is tried again."""


class Faults:
    """The jobs that are left out, each until a moment of the event loop's clock."""

    def __init__(self) -> None:
        self._until: dict[JobId, float] = {}
        self.verdicts: dict[JobId, Refusal] = {}
        """What is said of them to whoever asks why they wait."""

    def note(self, job: Job, what: str, error: object, now: float) -> None:
        """A job failed: it is left out from now on. Said once in the log, with its story."""
        if job.id not in self._until:
            log.error("%s failed, it is left out for now and others go on: %s; %s", what, error, story(job),
                      exc_info=error if isinstance(error, BaseException) else None)
        self._until[job.id] = now + REST_SECONDS
        self.verdicts[job.id] = Refusal(Reason.NONE,
            f"{what} failed by a fault of slurmctld, whose log has the details; it is tried again every minute",
                       (("fault", str(error)),))

    def barred(self, pending: Mapping[JobId, Job], now: float) -> frozenset[JobId]:
        """The jobs to leave out of a pass; those that do not wait any more are forgotten."""
        if not self._until:
            return frozenset()
        self._until = {job_id: until for job_id, until in self._until.items() if job_id in pending}
        self.verdicts = {job_id: refusal for job_id, refusal in self.verdicts.items() if job_id in self._until}
        return frozenset(job_id for job_id, until in self._until.items() if until > now)
