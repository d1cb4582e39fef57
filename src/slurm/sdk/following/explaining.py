"""Why a job waits, as far as its cluster tells: ours everything, a real Slurm its reason and an expected start."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from slurm.model.errors import NotFound
from slurm.model.explanation import Explanation
from slurm.notation import moment
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import inspection
from slurm.sdk.following.inspection import JobRecord, UnknownJob

log = logging.getLogger("slurm.sdk")


@runtime_checkable
class Explaining(Protocol):
    """A backend whose cluster explains its jobs."""

    def explain(self, id: str, *, priority: bool = False, at: float = 0.0) -> Mapping[str, Any]:
        """The fields of an Explanation, with what the priority is made of where that is wanted; a BackendError because of NotFound where
        there is no such job. `at`: as of that moment in the past, in seconds since the epoch."""
        ...


def explanation(backend: Backend, id: str, *, priority: bool = False, at: float = 0.0) -> Explanation:
    """What the cluster says of a job, "12" or "12_3", or of the elements of an array that wait, "12_[4-9]"; UnknownJob.

    `priority`: with what its priority is made of, which a real Slurm tells by sprio only. `at`: as of that moment in the past, in seconds
    since the epoch; BackendError on a cluster that keeps no history.
    """
    id = id.partition("_[")[0]
    if isinstance(backend, Explaining):
        try:
            return msgspec.convert(backend.explain(id, priority=priority, at=at), Explanation)
        except BackendError as error:
            if isinstance(error.__cause__, NotFound):
                raise UnknownJob(f"the cluster knows no job {id}: it never was, or it ended too long ago") from error
            raise
    if at:
        raise BackendError("that cluster keeps no history: what it was like at a moment in the past cannot be asked")
    records = inspection.job(backend.ask, id)
    record = next((one for one in records if id in (one.id, one.raw_id)), records[0])
    return _planned(backend, record) or _of_record(record, time.time())


def _planned(backend: Backend, record: JobRecord) -> Explanation | None:
    """What our planner finds, looking at what a real Slurm reports; None where it cannot tell more than its reason does."""
    from slurm.sdk.following import planning  # only for a real Slurm

    if record.state != "PENDING" or not planning.waits_for_room(record):
        return None
    try:
        return planning.explanation_of(planning.report(backend.ask, time.time()), record.id)
    except BackendError as error:
        log.info("job %s is explained by its reason only: %s", record.id, error)
        return None


def _of_record(record: JobRecord, now: float) -> Explanation:
    pending = record.state == "PENDING"
    start = moment.parse(record.start, now, past=True) if record.start else 0.0
    return Explanation(
        job=record.id, name=record.name, user=record.user, partition=record.partition, state=record.state, at=now, reason=record.reason,
        sentence=record.why or _otherwise(record),
        evidence=[("depends on", record.dependency)] if pending and record.dependency else [],
        start=start, nodes=record.nodelist or record.fields.get("SchedNodeList", "").replace("(null)", ""))


def _otherwise(record: JobRecord) -> str:
    """What to say of a job whose reason says nothing."""
    if record.state == "PENDING":
        return "it waits"
    if record.status.finished:
        return f"it ended at {record.end}" if record.end else "it has ended"
    return f"it does not wait: it has {record.nodelist}" if record.nodelist else "it does not wait"
