"""Dependencies: which ids a job has to wait for when it is handed the results of others, and how that is said to sbatch."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.sdk.array_job import ArrayJob
from slurm.sdk.calls.pickling import Promise
from slurm.sdk.errors import InvalidOption
from slurm.sdk.following.tracker import Tracker
from slurm.sdk.job import Job


def jobs_in(promises: Sequence[Promise]) -> list[Job[object]]:
    """The jobs that these are, or are made of."""
    found: list[Job[object]] = []
    for promise in promises:
        found += list(promise) if isinstance(promise, ArrayJob) else [promise] if isinstance(promise, Job) else []
    return found


def depend(options: dict[str, str | None], promises: Sequence[Promise], where: str, follows: Sequence[str] = (), *,
        left: bool = False) -> None:
    """Add to --dependency what has to end well first, and `follows`, what has to end. Dependents of a job that failed are to end, not to
    wait for ever.

    With `left`, jobs that are known to have ended well are left out: a cluster may have forgotten them. Of an array that has elements which
    were tried again, those that have not ended well are named one by one.
    """
    ids = list(dict.fromkeys(one for promise in promises for one in _awaited(promise, left)))
    ids = [one for one in ids if one.partition("_")[0] == one or one.partition("_")[0] not in ids]
    clauses = [*(["afterok:" + ":".join(ids)] if ids else []), *(["afterany:" + ":".join(follows)] if follows else [])]
    if not clauses:
        return
    own = options.get("dependency")
    if own and "?" in own:
        raise InvalidOption(f"{where}: dependency={own!r} cannot be joined with {','.join(clauses)}: it holds a `?`")
    options["dependency"] = ",".join([*([own] if own else []), *clauses])
    options.setdefault("kill_on_invalid_dep", "yes")


def _awaited(promise: Promise, left: bool) -> list[str]:
    if isinstance(promise, Job):
        return [] if promise.cached or left and _ended_well(promise.cluster.tracker, promise) else [promise.id]
    if not isinstance(promise, ArrayJob):
        return []
    tracker = promise.cluster.tracker
    parts: dict[str, list[Job[object]]] = {}
    whole: dict[str, bool] = {}
    for job in promise:
        if job.cached:
            continue
        base, first = job.id.partition("_")[0], tracker.attempts(job.id)[0].partition("_")[0]
        whole[first] = whole.get(first, True) and base == first
        parts.setdefault(first, []).append(job)
    if left:
        parts = {base: [job for job in jobs if not _ended_well(tracker, job)] for base, jobs in parts.items()}
    return [one for base, jobs in parts.items() if jobs
            for one in ([base] if whole[base] else [job.id for job in jobs if not _ended_well(tracker, job)])]


def _ended_well(tracker: Tracker, job: Job[object]) -> bool:
    return any(known.successful for known in tracker.known([job.id]).values())
