"""Why a job waits, as far as its cluster tells: ours everything, a real Slurm its reason and an expected start."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from slurm.model.errors import NotFound
from slurm.model.explanation import Explanation
from slurm.notation import moment
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import inspection, reasons
from slurm.sdk.following.inspection import JobRecord, UnknownJob
from slurm.sdk.following.status import Status


@runtime_checkable
class Explaining(Protocol):
    """A backend whose cluster explains its jobs."""

    def explain(self, id: str, *, priority: bool = False) -> Mapping[str, Any]:
        """The fields of an Explanation, with what the priority is made of where that is wanted; a BackendError because of NotFound where
        there is no such job."""
        ...


def explanation(backend: Backend, id: str, *, priority: bool = False) -> Explanation:
    """What the cluster says of a job, "12" or "12_3", or of the elements of an array that wait, "12_[4-9]"; UnknownJob.

    `priority`: with what its priority is made of, which a real Slurm tells by sprio only.
    """
    id = id.partition("_[")[0]
    if isinstance(backend, Explaining):
        try:
            return msgspec.convert(backend.explain(id, priority=priority), Explanation)
        except BackendError as error:
            if isinstance(error.__cause__, NotFound):
                raise UnknownJob(f"the cluster knows no job {id}: it never was, or it ended too long ago") from error
            raise
    records = inspection.job(backend.ask, id)
    return _of_record(next((one for one in records if id in (one.id, one.raw_id)), records[0]), time.time())


def _of_record(record: JobRecord, now: float) -> Explanation:
    pending = record.state == "PENDING"
    start = moment.parse(record.start, now, past=True) if record.start else 0.0
    return Explanation(
        job=record.id, name=record.name, user=record.user, partition=record.partition, state=record.state, at=now, reason=record.reason,
        sentence=reasons.sentence(Status(record.state, record.exit_code, record.reason)) or _otherwise(record),
        evidence=[("depends on", record.dependency)] if pending and record.dependency else [],
        start=start, nodes=record.nodelist or record.fields.get("SchedNodeList", "").replace("(null)", ""))


def _otherwise(record: JobRecord) -> str:
    """What to say of a job whose reason says nothing."""
    if record.state == "PENDING":
        return "it waits"
    if Status(record.state).finished:
        return f"it ended at {record.end}" if record.end else "it has ended"
    return f"it does not wait: it has {record.nodelist}" if record.nodelist else "it does not wait"
