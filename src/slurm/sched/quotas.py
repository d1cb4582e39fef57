"""Quotas: how many jobs of a user, an association or a partition one pass looks at (bf_max_job_user and its kin, partition_job_depth).

Not here: limits on what may run, which are gates.
"""

from __future__ import annotations

from collections.abc import Callable

from slurm.model.job import Job
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.settings import Settings
from slurm.model.states import Reason

CURES = ("Started", "Held", "DeadlinePassed", *ENDINGS)
"""Somebody before it leaves the queue."""
_STOPPED = Refusal(Reason.PRIORITY, "a job of higher priority in this partition is kept back by a limit, and assoc_limit_stop lets nobody "
                                    "pass it", cures=CURES)

Key = tuple[str, object]
Row = tuple[str, int, Callable[[Job, Partition], object]]
"""The switch, its number, and what jobs have in common that are counted together."""


def unlimited(settings: Settings, *, backfill: bool) -> bool:
    """Whether a pass looks at as many jobs of a kind as there are."""
    if not backfill:
        return settings.partition_job_depth <= 0
    return (settings.backfill_max_user <= 0 and settings.backfill_max_partition <= 0 and settings.backfill_max_user_partition <= 0
            and settings.backfill_max_association <= 0)


class Quotas:
    """What one pass has looked at so far, in numbers."""

    def __init__(self, settings: Settings, *, backfill: bool) -> None:
        self._counts: dict[Key, int] = {}
        self._stopped: set[str] = set()
        self._rows: list[Row] = []
        if not unlimited(settings, backfill=backfill):
            self._rows = self._table(settings, backfill)

    def _table(self, settings: Settings, backfill: bool) -> list[Row]:
        rows: tuple[Row, ...] = (
            ("bf_max_job_user", settings.backfill_max_user, lambda job, partition: job.owner.uid),
            ("bf_max_job_part", settings.backfill_max_partition, lambda job, partition: partition.name),
            ("bf_max_job_user_part", settings.backfill_max_user_partition, lambda job, partition: (job.owner.uid, partition.name)),
            ("bf_max_job_assoc", settings.backfill_max_association, lambda job,
            partition: job.association or (job.owner.uid, job.request.account)),
        ) if backfill else (("partition_job_depth", settings.partition_job_depth, lambda job, partition: partition.name),)
        return [row for row in rows if row[1] > 0]

    def stop(self, partition: Partition) -> None:
        """Nobody who comes after may start in this partition."""
        self._stopped.add(partition.name)

    def refuse(self, job: Job, partition: Partition) -> Refusal | None:
        """Why this pass does not look for room for the job in this partition; None when it does, which is counted."""
        if partition.name in self._stopped:
            return _STOPPED
        if not self._rows:
            return None
        keys: list[Key] = []
        for name, most, of in self._rows:
            key = name, of(job, partition)
            if self._counts.get(key, 0) >= most:
                return Refusal(Reason.PRIORITY, f"jobs of higher priority wait, and no more than {most} of a kind are looked at "
                                                f"({name}={most})",
                               ((name, str(most)),), CURES)
            keys.append(key)
        for key in keys:
            self._counts[key] = self._counts.get(key, 0) + 1
        return None
