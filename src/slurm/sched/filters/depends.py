"""A job with unfulfilled dependencies waits for other jobs."""

from __future__ import annotations

from slurm.model.states import Reason
from slurm.sched.filters.gate import Gate
from slurm.sched.refusal import ENDINGS, Refusal

CURES = ("Started", *ENDINGS)
"""Another job starts or ends, by whatever."""


def refuse(gate: Gate) -> Refusal | None:
    """Why this job may not start, None when this filter has nothing against it."""
    job = gate.job
    if not job.dependency:
        return None
    states = [clause.state for clause in job.dependency]
    done = any(state == "fulfilled" for state in states) if job.dependency_any else all(state == "fulfilled" for state in states)
    if done:
        return None
    never = all(state == "failed" for state in states) if job.dependency_any else "failed" in states
    evidence = tuple((f"{clause.kind}:{clause.job}" if clause.job else clause.kind, clause.state) for clause in job.dependency)
    if never:
        return Refusal(Reason.DEPENDENCY_NEVER_SATISFIED, "a job that it depends on ended in a way that it does not accept", evidence,
                       ("JobUpdated", "Cancelled"))
    return Refusal(Reason.DEPENDENCY, "it waits for other jobs", evidence, CURES)
