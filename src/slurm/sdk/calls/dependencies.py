"""Dependencies: which ids a job has to wait for when it is handed the results of others, and how that is said to sbatch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from slurm.sdk.calls.pickling import Promise
from slurm.sdk.errors import InvalidOption
from slurm.sdk.following.status import UNKNOWN


def jobs_in(promises: Sequence[Promise]) -> list[Any]:
    """The jobs that these are, or are made of."""
    return [job for promise in promises for job in promise.jobs()]


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
    jobs = [job for job in promise.jobs() if not job.cached]
    if promise in jobs:
        return [job.id for job in jobs if not (left and _ended_well(job))]
    parts: dict[str, list[Any]] = {}
    whole: dict[str, bool] = {}
    for job in jobs:
        base, first = job.id.partition("_")[0], job.attempts[0].partition("_")[0]
        whole[first] = whole.get(first, True) and base == first
        parts.setdefault(first, []).append(job)
    if left:
        parts = {base: [job for job in some if not _ended_well(job)] for base, some in parts.items()}
    return [one for base, some in parts.items() if some
            for one in ([base] if whole[base] else [job.id for job in some if not _ended_well(job)])]


def _ended_well(job: Any) -> bool:
    return any(known.successful for known in job.cluster.tracker.known([job.id]).values())


def failed_before(awaited: Sequence[Promise]) -> tuple[Any, BaseException] | None:
    """The first of these jobs that ended badly, or of those that it waited for itself, and its error; None where that is not known."""
    jobs = {job.id: job for job in jobs_in(awaited) if not job.cached}
    if not jobs:
        return None
    states = next(iter(jobs.values())).cluster.tracker.statuses(list(jobs))
    for key, job in jobs.items():
        state = states[key]
        if not state.finished or state.successful or state.state == UNKNOWN:
            continue
        earlier = failed_before(job.awaits) if state.state == "CANCELLED" else None
        error = earlier[1] if earlier is not None else job.exception(0)
        if error is not None:
            return earlier or (job, error)
    return None


def told_of(job: Any, error: BaseException) -> str:
    """One line about it."""
    return f"it waited for job {job.id} ({job.name}), which failed: {type(error).__name__}: {str(error).partition(chr(10))[0]}"
