"""Licences in one pass: what of them is free now and later, and for whom.

How many are free at all is asked by a gate; here it is what this pass has proposed, promised or, without promises, leaves to those who were
before.
"""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.refusal import Refusal
from slurm.model.states import Reason
from slurm.sched.lengths import expected_end, rounded
from slurm.sched.need import Need
from slurm.sched.pools import Pools
from slurm.sched.verdicts import QUEUE_CURES
from slurm.sched.view import View


class LicensePools:
    """The pools of a pass."""

    def __init__(self, view: View, now: float, *, backfill: bool) -> None:
        self.now = now
        known = bool(view.settings.licenses or view.policy.book.resources)
        self.pools = Pools(view.licenses.free(view.settings, view.policy.book) if known else {})
        self._closed: set[str] = set()
        if backfill and known and view.licenses.used:
            for job in view.active.values():
                if job.holding is not None and job.holding.licenses:
                    self.pools.released(job.holding.licenses, rounded(expected_end(view, job, now), view.settings.backfill_resolution))

    def close(self, need: Need) -> None:
        """A pass without promises leaves the licences that this job waits for to it."""
        self._closed.update(name for choice in need.pools for name, _ in choice)

    def choose(self, need: Need, end: float) -> Mapping[str, int] | None:
        """The licences that the job would take if it started now and ended at `end`, {} when it asks for none; None when it has to wait for
        them."""
        if not need.pools:
            return {}
        left = [choice for choice in need.pools if self._closed.isdisjoint(name for name, _ in choice)]
        return self.pools.choose(left, self.now, end) if left else None

    def refusal(self, need: Need) -> Refusal:
        """Why it waits although there are enough: for those before it, in this pass or promised."""
        names = sorted({name for choice in need.pools for name, _ in choice})
        return Refusal(Reason.LICENSES, "jobs of higher priority get or wait for the licences that it asks for",
                       tuple((name, f"{self.pools.available(name, self.now, self.now)} free now") for name in names), QUEUE_CURES)
