"""Ending jobs, and what became of that: to cancel is a wish, so what is told is how the jobs stand afterwards."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import Literal, NamedTuple

from slurm.notation import jobref
from slurm.notation.jobref import JobRef
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError, BackendTimeout
from slurm.sdk.following.inspection import JobRecord, QueueRow, queue

PATIENCE = 3.0
SHORTEST, GROWTH = 0.05, 1.6

Result = Literal["cancelled", "ending", "ended", "refused", "unknown"]


class Ending(NamedTuple):
    """What became of one job that was to be cancelled, or of those elements of an array that its id names.

    `cancelled`: it has ended by this; `ending`: it was told to, and is still about it; `ended`: it had ended by itself; `refused`: it may
    not be cancelled, and goes on; `unknown`: there is no such job. `state` is how it stands now, "" when unknown; `message` says it in a
    sentence.
    """

    id: str
    result: Result
    state: str
    message: str


def cancel(backend: Backend, ids: Sequence[str], patience: float = PATIENCE) -> list[Ending]:
    """Cancel jobs and watch them, at most `patience` seconds; in the order of `ids`.

    NotationError for what is no id, BackendError without a cluster.
    """
    refs = {one: jobref.parse(plain(one)) for one in ids}
    before = _standing(backend, refs)
    living = [one for one in ids if any(not row.status.finished for row in before[one])]
    refused: dict[str, str] = {}
    if living:
        try:
            backend.cancel([plain(one) for one in living])
        except BackendTimeout:
            raise
        except BackendError as error:
            refused = _refused(living, refs, str(error))
    after, pause, deadline = _standing(backend, refs) if living else before, SHORTEST, time.monotonic() + patience
    while time.monotonic() < deadline and any(not row.status.finished for one in living if one not in refused for row in after[one]):
        time.sleep(pause)
        pause *= GROWTH
        after = _standing(backend, refs)
    return [_ending(one, one in living, before[one], after[one], refused.get(one, "")) for one in refs]


def _refused(ids: Sequence[str], refs: dict[str, JobRef], said: str) -> dict[str, str]:
    """Those of the jobs that the cluster's words name, all when they name none, with what it said."""
    parts = [part.strip() for part in re.split(r"[;\n]", said)]
    named = {one: part for one in ids for part in parts if re.search(rf"\b{refs[one].job}\b", part)}
    return named or dict.fromkeys(ids, said)


def plain(id: str) -> str:
    """The id of a line of the queue as commands take it: "12_[4-9%2]" names the elements "12_[4-9]"."""
    start, percent, _ = id.partition("%")
    return f"{start}]" if percent else id


def covers(ref: JobRef, row: QueueRow | JobRecord) -> bool:
    """Whether a job is, or holds some of, what a reference names: elements of an array that wait share one."""
    if ref.het is not None:
        return row.id == ref.show()
    base, _, part = row.id.replace("+", "_", 1).partition("_")
    if ref.tasks is None:
        return str(ref.job) in (base, row.raw_id)
    tasks = jobref.parse(plain(row.id)).tasks if base == str(ref.job) and part else None
    return tasks is not None and len(ref.tasks.intersection(tasks)) > 0


def _standing(backend: Backend, refs: dict[str, JobRef]) -> dict[str, list[QueueRow]]:
    rows = queue(backend.ask, ids=sorted({str(ref.job) for ref in refs.values()}), states=["all"])
    return {one: [row for row in rows if covers(ref, row)] for one, ref in refs.items()}


def _ending(id: str, lived: bool, before: Sequence[QueueRow], after: Sequence[QueueRow], refusal: str) -> Ending:
    states = ", ".join(sorted({row.state for row in after}))
    if not before:
        return Ending(id, "unknown", "", f"the cluster knows no job {id}: it never was, or it ended too long ago")
    if not lived:
        return Ending(id, "ended", states, f"job {id} had ended before: {states}")
    if any(not row.status.finished for row in after):
        if refusal:
            return Ending(id, "refused", states, f"job {id} goes on ({states}): {refusal}")
        return Ending(id, "ending", states, f"job {id} was told to end and is {states} still: it has some time to clean up")
    if after and not any(row.state == "CANCELLED" for row in after):
        return Ending(id, "ended", states, f"job {id} ended by itself meanwhile: {states}")
    return Ending(id, "cancelled", states or "CANCELLED", f"job {id} is cancelled" + ("" if after else ": it is no longer in the queue"))
