"""The full pass as a process beside makes it: what it found, as bytes, in a form that takes the controller little time to take over.

Most refusals are said of many jobs, so each is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence

import msgspec

from slurm.core.cluster import Cluster
from slurm.core.gates.stack import eligible
from slurm.model import msgpack
from slurm.model.ids import JobId
from slurm.model.job import Job
from slurm.model.refusal import Refusal
from slurm.sched.plan import plan
from slurm.sched.priority import Key
from slurm.sched.proposal import Change, Depth, Forecast, Plan, Proposal
from slurm.sched.queue import Queue, newest_first
from slurm.sched.terrain import Terrain

PART = 500
"""Jobs of which is told together: taking them over takes about 1 ms."""


class Looked(msgspec.Struct, array_like=True):
    """A waiting job: its key in the order of the queue, the number of its refusal (-1: it has none), and whether it was eligible."""

    job: JobId
    key: Key
    refused: int
    eligible: bool


class Found(msgspec.Struct, array_like=True):
    """A plan; `parts` are encoded lists of PART Looked, all waiting jobs together, the first to start first; they arrived up to `place`
    (Job.queue_place)."""

    proposals: list[Proposal]
    forecasts: dict[JobId, Forecast]
    refusals: list[Refusal]
    parts: list[bytes]
    place: int
    faults: dict[JobId, str]
    everybody: bool
    depth: Depth
    ended_by: str
    changes: list[Change] = []
    again: float = 0.0


def made(cluster: Cluster, now: float, terrain: Terrain | None = None, without: Container[JobId] = (),
         over: Callable[[], bool] = lambda: False) -> bytes:
    """Plan with all waiting jobs of this moment (`now` in seconds since the epoch) but those of `without`; `terrain` and `over` as `plan`
    takes them."""
    queue = Queue()
    outcome = plan(
        cluster, now, depth=None, backfill=cluster.settings.scheduler == "backfill", queue=queue, terrain=terrain, without=without,
        over=over)
    place = next((job.queue_place for job in newest_first(cluster.pending.values())), 0)
    return msgpack.encode(_found(outcome, queue.looked, place))


def read(data: bytes) -> Found:
    """What `made` returned."""
    return msgpack.decode(data, type=Found)


def looked(part: bytes) -> list[Looked]:
    """One of Found's parts."""
    return msgpack.decode(part, type=list[Looked])


def _found(outcome: Plan, order: Sequence[tuple[Key, Job]], place: int) -> Found:
    numbers: dict[Refusal, int] = {}
    refused = {job: numbers.setdefault(refusal, len(numbers)) for job, refusal in outcome.verdicts.items()}
    parts = [msgpack.encode([Looked(job.id, key, refused.get(job.id, -1), eligible(job)) for key, job in order[first:first + PART]])
             for first in range(0, len(order), PART)]
    return Found(outcome.proposals, outcome.forecasts, list(numbers), parts, place, outcome.faults, outcome.everybody, outcome.depth,
        outcome.ended_by, outcome.changes, outcome.again)
