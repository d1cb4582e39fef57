"""CompleteWait: while a job has been completing for less than so many seconds nothing is started, so that large jobs find nodes that are
free together instead of what is left when each node goes to the next small job."""

from __future__ import annotations

from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.sched.view import View

SHOWN = 5
"""So many of the jobs that are waited for are named."""


class Completing:
    """Who is waited for at one moment (`now`, seconds since the epoch); `until` is when the wait is over at the latest, 0.0: there is none.

    Jobs for which others gave way are not kept back: the nodes that these leave are theirs already.
    """

    def __init__(self, view: View, now: float) -> None:
        wait = view.settings.complete_wait
        recent = [job for job in view.active.values() if job.completing and job.end_time + wait > now] if wait else []
        self.until = max((job.end_time + wait for job in recent), default=0.0)
        self.refusal = Refusal(
            Reason.RESOURCES, f"nothing is started while jobs complete, for {wait} seconds at most (CompleteWait)",
            tuple((f"job {job.shown_id}", f"completes on {len(job.nodes_left)} nodes") for job in recent[:SHOWN]),
            ("NodeFreed",)) if recent else None
