"""The efficiency of many jobs, put together by job, array, user or day: what `slurm report` shows.

Jobs that were not measured are counted, not guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from slurm.model.accounting import JobRow
from slurm.model.states import JobState
from slurm.notation import duration, moment
from slurm.render import accounting_entry, efficiency, efficiency_text
from slurm.render.efficiency import Share

HEADER = ("JOBS", "NOT OK", "CPU TIME", "CPU", "MEMORY", "GPU", "NOT MEASURED")
_GOOD = frozenset((JobState.COMPLETED, JobState.RUNNING, JobState.SUSPENDED, JobState.PENDING))


class Line(NamedTuple):
    """Jobs that belong together. Shares are of those that were measured; `memory` sums the highest use and what was held, in bytes."""

    key: str
    jobs: int
    failed: int
    cpu: Share
    memory: Share
    gpu: Share
    unmeasured: int

    def cells(self) -> list[str]:
        """The line of a table, without its key."""
        return [
            str(self.jobs), str(self.failed) if self.failed else "", duration.show_clock(round(self.cpu.held)), _percent(self.cpu),
            _memory(self.memory), _percent(self.gpu), str(self.unmeasured) if self.unmeasured else ""]

    def facts(self) -> dict[str, object]:
        """The line as JSON: seconds, bytes, percent; null where nothing was measured."""
        shares = {"cpu": self.cpu, "memory": self.memory, "gpu": self.gpu}
        return {
            "key": self.key, "jobs": self.jobs, "failed": self.failed, "unmeasured": self.unmeasured,
            **{name: {"used": share.used, "held": share.held, "percent": share.percent} for name, share in shares.items()}}


def _percent(share: Share) -> str:
    return f"{share.percent:.1f}%" if share.percent is not None else ""


def _memory(share: Share) -> str:
    return f"{share.percent:.1f}% of {efficiency_text.size(share.held)}" if share.percent is not None else ""


def _job(row: JobRow) -> str:
    return accounting_entry.job_id(row.job)


def _array(row: JobRow) -> str:
    return str(row.job.array_job or row.job.id)


def _user(row: JobRow) -> str:
    return row.job.user


def _day(row: JobRow) -> str:
    return moment.show(row.job.end_time or row.job.start_time).partition("T")[0]


KEYS: dict[str, Callable[[JobRow], str]] = {"job": _job, "array": _array, "user": _user, "day": _day}
"""What jobs may be put together by."""


def lines(rows: Iterable[JobRow], by: str, now: float) -> list[Line]:
    """The jobs that have started, put together; in the order in which they came, those by user the largest first."""
    key = KEYS[by]
    found: dict[str, Line] = {}
    for row in rows:
        if not row.job.start_time or not row.job.allocated:
            continue
        one = efficiency.of(row, now)
        name = key(row)
        line = found.get(name, Line(name, 0, 0, Share(None, 0.0), Share(None, 0.0), Share(None, 0.0), 0))
        found[name] = Line(
            name, line.jobs + 1, line.failed + (row.job.state not in _GOOD), line.cpu.plus(one.cpu), line.memory.plus(one.memory),
            line.gpu.plus(one.gpu),
            line.unmeasured + (one.cpu.used is None))
    result = list(found.values())
    return sorted(result, key=lambda line: -line.cpu.held) if by == "user" else result
