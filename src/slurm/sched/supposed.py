"""Supposed: a cluster in which one waiting job asks for something else, or comes alone behind those before it. For looks, never for starts.

What the planner finds in it, it would find in the cluster after `scontrol update`. Nothing of the cluster itself is changed.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping

import msgspec

from slurm.core.gates.stack import eligible
from slurm.core.licenses import Licenses
from slurm.core.policy.state import Policy
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.sched.plan import plan
from slurm.sched.priority import Key, Scale
from slurm.sched.proposal import Forecast
from slurm.sched.terrain import Terrain
from slurm.sched.view import View

AHEAD = 1000
"""Of so many jobs before it that wait behind the first ones, the place is sought."""


class Supposed:
    """The view `of`, whose queue ends with one job. `before` are the others that may start, in order, with their keys."""

    def __init__(self, of: View, now: float) -> None:
        self._of = of
        self._now = now
        self._scale = Scale(of, now)
        ordered = sorted(((self._scale.key(job), job) for job in of.pending.values() if eligible(job)), key=lambda pair: pair[0])
        self._keys: list[Key] = [key for key, _ in ordered]
        self._ordered = [job for _, job in ordered]
        self.pending: Mapping[JobId, Job] = of.pending
        self.jobs: Mapping[JobId, Job] = of.jobs
        self.touched: set[NodeName] = set()
        self._terrain: Terrain | None = None

    @property
    def settings(self) -> Settings:
        """Those of the cluster."""
        return self._of.settings

    @property
    def nodes(self) -> Mapping[NodeName, Node]:
        """Those of the cluster."""
        return self._of.nodes

    @property
    def partitions(self) -> Mapping[str, Partition]:
        """Those of the cluster."""
        return self._of.partitions

    @property
    def generation(self) -> int:
        """That of the cluster."""
        return self._of.generation

    @property
    def changes(self) -> int:
        """That of the cluster."""
        return self._of.changes

    @property
    def reordered(self) -> int:
        """That of the cluster."""
        return self._of.reordered

    @property
    def reservations(self) -> Mapping[str, Reservation]:
        """Those of the cluster."""
        return self._of.reservations

    @property
    def policy(self) -> Policy:
        """That of the cluster."""
        return self._of.policy

    @property
    def licenses(self) -> Licenses:
        """Those of the cluster."""
        return self._of.licenses

    @property
    def active(self) -> Mapping[JobId, Job]:
        """Jobs that hold resources."""
        return self._of.active

    @property
    def suspended(self) -> Mapping[JobId, Job]:
        """Those of them that hold still."""
        return self._of.suspended

    @property
    def promised(self) -> Mapping[JobId, Job]:
        """Those that wait and for which others give way."""
        return self._of.promised

    def tasks_of(self, job_id: int) -> list[Job]:
        """As in the cluster."""
        return self._of.tasks_of(job_id)

    def running_tasks(self, array: JobId) -> int:
        """As in the cluster."""
        return self._of.running_tasks(array)

    def array_limit(self, array: JobId) -> int:
        """As in the cluster."""
        return self._of.array_limit(array)

    def expected_end(self, job: Job) -> float | None:
        """As in the cluster."""
        return self._of.expected_end(job)

    def start_of(self, job: Job, over: Callable[[], bool] = lambda: False) -> Forecast | None:
        """When and where `job`, which may be another record of a waiting one, would start if all goes on as planned.

        None when no time is in sight, or the planner was `over` before it came to it.
        """
        ahead = [other for other in self._ordered[:bisect_left(self._keys, self._scale.key(job))] if other.id != job.id]
        self.pending = {**{other.id: other for other in ahead}, job.id: job}
        self.jobs = _Instead(self._of.jobs, job)
        if self._terrain is None:
            self._terrain = Terrain(self)
        found = plan(self, self._now, forecasts=AHEAD, terrain=self._terrain, over=over)
        for proposal in found.proposals:
            for job_id, allocation in proposal.parts:
                if job_id == job.id:
                    return Forecast(self._now, [str(name) for name in allocation.nodes], allocation)
        return found.forecasts.get(job.id)


class _Instead(Mapping[JobId, Job]):
    """All jobs, one of them with another record."""

    def __init__(self, of: Mapping[JobId, Job], job: Job) -> None:
        self._of = of
        self._job = job

    def __getitem__(self, job_id: JobId) -> Job:
        return self._job if job_id == self._job.id else self._of[job_id]

    def __iter__(self) -> Iterator[JobId]:
        return iter(self._of)

    def __len__(self) -> int:
        return len(self._of)


def copied(job: Job, **fields: object) -> Job:
    """The record with other fields; the one in the cluster stays as it is."""
    return msgspec.structs.replace(job, **fields)
