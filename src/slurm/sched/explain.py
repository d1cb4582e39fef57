"""Explanation: why a job waits, what would change that and when it is expected to start, as plain sentences from verdict and forecast."""

from __future__ import annotations

from slurm.model.job import Job
from slurm.notation import hostlist, moment
from slurm.sched.plan import Forecast
from slurm.sched.refusal import Refusal

EVENTS: dict[str, str] = {
    "BatchExited": "a job that runs ends",
    "Cancelled": "a job before it is cancelled",
    "Configured": "the configuration changes",
    "Eligible": "its time comes",
    "JobUpdated": "the job is changed (scontrol update)",
    "NodeFreed": "a job that runs there ends",
    "NodeRegistered": "a node comes back",
    "NodeUpdated": "a node is resumed or changed (scontrol update)",
    "PartitionUpdated": "the partition is changed (scontrol update)",
    "Released": "the hold is lifted (scontrol release)",
    "Started": "a job before it starts",
}
"""What each curing event means to a person."""


def explain(job: Job, refusal: Refusal | None, forecast: Forecast | None) -> list[str]:
    """Sentences about a waiting job, the most important first; without a verdict: that it has not been looked at yet."""
    if refusal is None:
        return [f"job {job.shown_id} has not been looked at since it was submitted or changed"]
    lines = [f"job {job.shown_id} waits ({refusal.reason}): {refusal.sentence}"]
    lines += [f"  {what}: {text}" for what, text in refusal.evidence]
    cures = [EVENTS[event] for event in refusal.cures if event in EVENTS]
    if cures:
        lines.append(f"it can start when {' or '.join(cures)}")
    if forecast is not None:
        lines.append(f"it is expected to start at {moment.show(forecast.start)} on {hostlist.compress(forecast.nodes)}")
    return lines
