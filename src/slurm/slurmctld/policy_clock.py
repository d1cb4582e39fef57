"""What time brings about in the policy: jobs begin to age as limits leave room, groups use up their minutes, usage is set back period by
period.

Usage grows and decays by formula, so no event says when a limit is met: this looks, some limits and some jobs a turn.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Iterator
from itertools import islice

from slurm.core import events as e
from slurm.core.policy import accrual, using_up
from slurm.core.policy.tally import Key
from slurm.model.ids import JobId
from slurm.model.settings import Settings
from slurm.slurmctld import portions
from slurm.slurmctld.engine import Engine

SOME_JOBS = 1000
SOME_LIMITS = 2000
"""So many are looked at in a turn (about 2 ms)."""
EACH_SECONDS = 1.0


class PolicyClock:
    """Looks at `engine.cluster`; `look` is asked every second or so."""

    def __init__(self, engine: Engine, now: Callable[[], float]) -> None:
        self._engine = engine
        self._now = now
        self._next = 0.0
        self._waiting: Iterator[JobId] = iter(())
        self._limited: Iterator[Key] = iter(())
        self._settings: Settings | None = None  # those under which NOW was carried out

    def look(self) -> None:
        """Record what is due."""
        now, policy = self._now(), self._engine.cluster.policy
        if not policy.known or self._next - EACH_SECONDS < now < self._next:
            return
        self._next = now + EACH_SECONDS
        self._reset(now)
        if not policy.ages:
            self._let_age(now)
        for event in list(using_up.ended(self._engine.cluster, self._some_limits(), now)):
            self._engine.record(event)

    def refresh_shares(self) -> bool:
        """Work at fair shares of a large tree for some milliseconds; whether there is more to do now."""
        cluster = self._engine.cluster
        settings, began = cluster.settings, time.thread_time()
        while cluster.policy.refresh(self._now(), settings.priority_flags, settings.fair_share_dampening):
            if time.thread_time() - began > portions.SECONDS:
                return True
        return False

    def _let_age(self, now: float) -> None:
        cluster = self._engine.cluster
        some = list(islice(self._waiting, SOME_JOBS))
        if len(some) < SOME_JOBS:
            self._waiting = iter(list(cluster.pending))
            some += islice(self._waiting, SOME_JOBS - len(some))
        found = accrual.due(cluster, [cluster.pending[job_id] for job_id in dict.fromkeys(some) if job_id in cluster.pending])
        if found:
            self._engine.record(e.Accrued(at=now, jobs=found))

    def _some_limits(self) -> list[Key]:
        some = list(islice(self._limited, SOME_LIMITS))
        if len(some) < SOME_LIMITS:
            self._limited = iter(using_up.limited(self._engine.cluster.policy.book))
        return some

    def _reset(self, now: float) -> None:
        cluster = self._engine.cluster
        settings = cluster.settings
        if settings.usage_reset_period == "NOW":
            is_due = self._settings is not settings
        else:
            begun = period_begin(settings.usage_reset_period, now)
            is_due = begun is not None and cluster.policy.usage_since < begun
        self._settings = settings
        if is_due:
            self._engine.record(e.UsagePeriodEnded(at=now))


def period_begin(period: str, now: float) -> float | None:
    """When the period of PriorityUsageResetPeriod that `now` lies in began, in local time and seconds since the epoch; None without one."""
    day = datetime.datetime.fromtimestamp(now).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "WEEKLY":  # it begins with Sunday
        day -= datetime.timedelta(days=(day.weekday() + 1) % 7)
    elif period == "MONTHLY":
        day = day.replace(day=1)
    elif period == "QUARTERLY":
        day = day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    elif period == "YEARLY":
        day = day.replace(day=1, month=1)
    elif period != "DAILY":
        return None
    return day.timestamp()
