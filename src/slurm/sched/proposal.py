"""What a pass finds: which jobs to start, why the others cannot, when they are expected to, and what is to happen to running ones."""

from __future__ import annotations

import msgspec

from slurm.core.events import Preempted, PromiseEnded, Resumed, Start
from slurm.model.ids import JobId
from slurm.model.job import Allocation
from slurm.model.refusal import Refusal


class Proposal(msgspec.Struct):
    """Start this job, or this task of an array record, with this allocation."""

    job: JobId
    task: int | None
    allocation: Allocation
    time_limit: int | None = None  # seconds, where it is to be shorter than the job asks for (--time-min)
    components: list[Start] = []  # the other components of a heterogeneous job, which start with it or not at all
    promised: bool = False  # others gave way for it

    @property
    def parts(self) -> list[tuple[JobId, Allocation]]:
        """Every job that starts by it, and what it gets."""
        return [(self.job, self.allocation), *((one.job, one.allocation) for one in self.components)]


class Forecast(msgspec.Struct):
    """When a job is expected to start (seconds since the epoch) and where; CPU numbers of its allocation are only a count."""

    start: float
    nodes: list[str]
    allocation: Allocation | None = None


class Depth(msgspec.Struct, array_like=True):
    """How far a pass went: jobs it looked at, those of them that it sought a place for, and places that it held for later at its end."""

    looked: int = 0
    tried: int = 0
    reserved: int = 0


Change = Preempted | Resumed | PromiseEnded
"""What is to happen to jobs beside starts: some give way to another, one goes on that did, a promise cannot be kept."""


class Plan(msgspec.Struct):
    """The outcome of one pass; `verdicts` only of jobs that were looked at, which were `everybody` unless there were too many."""

    proposals: list[Proposal] = msgspec.field(default_factory=list)
    changes: list[Change] = msgspec.field(default_factory=list)
    verdicts: dict[JobId, Refusal] = msgspec.field(default_factory=dict)
    forecasts: dict[JobId, Forecast] = msgspec.field(default_factory=dict)
    faults: dict[JobId, str] = msgspec.field(default_factory=dict)  # of jobs at whose sight planning failed: a fault of the program
    everybody: bool = False
    depth: Depth = msgspec.field(default_factory=Depth)
    ended_by: str = "end_job_queue"  # what ended the pass, as sdiag calls it
    again: float = 0.0  # when time alone may let somebody start or give way (seconds since the epoch), 0: it will not


CUT_SHORT = frozenset({"bf_max_job_start", "bf_max_time", "max_job_start", "max_sched_time"})
"""Ends of a pass after which another one may start more with nothing having changed."""
