"""The full pass as a process beside makes it: what it found, as bytes, in a form that takes the controller little time to take over.

Most refusals are said of many jobs, so each is written once.
"""

from __future__ import annotations

from collections.abc import Callable, Container

import msgspec

from slurm.core.cluster import Cluster
from slurm.model import msgpack
from slurm.model.ids import JobId
from slurm.model.refusal import Refusal
from slurm.sched.plan import plan
from slurm.sched.priority import Key
from slurm.sched.proposal import Change, Depth, Forecast, Plan, Proposal
from slurm.sched.queue import Queue
from slurm.sched.terrain import Terrain


class Found(msgspec.Struct, array_like=True):
    """A plan, `refused` telling each job's refusal by its number, and `order`: all waiting jobs, the first to start first."""

    proposals: list[Proposal]
    forecasts: dict[JobId, Forecast]
    refusals: list[Refusal]
    refused: list[tuple[JobId, int]]
    order: list[tuple[JobId, Key]]
    faults: dict[JobId, str]
    everybody: bool
    depth: Depth
    ended_by: str
    changes: list[Change] = []


def made(cluster: Cluster, now: float, terrain: Terrain | None = None, without: Container[JobId] = (),
         over: Callable[[], bool] = lambda: False) -> bytes:
    """Plan with all waiting jobs of this moment (`now` in seconds since the epoch) but those of `without`; `terrain` and `over` as `plan`
    takes them."""
    queue = Queue()
    outcome = plan(
        cluster, now, depth=None, backfill=cluster.settings.scheduler == "backfill", queue=queue, terrain=terrain, without=without,
        over=over)
    return msgpack.encode(_found(outcome, [(job.id, key) for key, job in queue.looked]))


def read(data: bytes) -> Found:
    """What `made` returned."""
    return msgpack.decode(data, type=Found)


def _found(outcome: Plan, order: list[tuple[JobId, Key]]) -> Found:
    numbers: dict[Refusal, int] = {}
    refused = [(job, numbers.setdefault(refusal, len(numbers))) for job, refusal in outcome.verdicts.items()]
    return Found(outcome.proposals, outcome.forecasts, list(numbers), refused, order, outcome.faults, outcome.everybody, outcome.depth,
        outcome.ended_by, outcome.changes)
