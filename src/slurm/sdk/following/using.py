"""What running jobs use now, beside what they were given: asked of clusters that tell (ours), for few jobs at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from slurm.client.usage import StepUsage
from slurm.sdk.following.inspection import QueueRow

MOST_JOBS = 100
"""So many jobs are asked about at a time."""


@runtime_checkable
class Using(Protocol):
    """A backend whose cluster tells what running steps use."""

    def usage(self, ids: Sequence[str]) -> Sequence[StepUsage]:
        """The running steps of these jobs; those that are not the caller's to see are left out. BackendError."""
        ...


class Use(NamedTuple):
    """What a job uses: percent of the time of the CPUs that it has (100: all of them), and MB of memory, now; and MB that it has (0: not
    counted)."""

    cpu_percent: float
    memory: int
    memory_allocated: int = 0


class Looks:
    """One look after another: how much CPU a job uses is the difference between two, for the first one the mean since it started."""

    def __init__(self) -> None:
        self._before: dict[str, tuple[float, float]] = {}  # job → when, seconds of CPU until then

    def look(self, backend: Using, jobs: Sequence[QueueRow], now: float | None = None) -> dict[str, Use]:
        """Job id as in the queue → what it uses, of those that run; `now` of a clock that nobody sets. BackendError."""
        moment = time.monotonic() if now is None else now
        asked = {job.id: job for job in jobs if job.state == "RUNNING"}
        asked = dict(list(asked.items())[:MOST_JOBS])
        if not asked:
            self._before.clear()
            return {}
        sums: dict[str, tuple[float, int, int]] = {}
        for step in backend.usage(list(asked)):
            job = step.step.rpartition(".")[0]
            seconds, memory, _ = sums.get(job, (0.0, 0, 0))
            sums[job] = (seconds + step.usage.user_seconds + step.usage.system_seconds, memory + step.memory, step.job_memory)
        found = {id: Use(self._percent(asked[id], seconds, moment), memory >> 20, given) for id,
            (seconds, memory, given) in sums.items() if id in asked}
        self._before = {id: (moment, seconds) for id, (seconds, *_) in sums.items()}
        return found

    def _percent(self, job: QueueRow, seconds: float, moment: float) -> float:
        before = self._before.get(job.id)
        if before is not None and moment > before[0] and seconds >= before[1]:
            spent, elapsed = seconds - before[1], moment - before[0]
        else:
            spent, elapsed = seconds, float(elapsed_seconds(job.used))
        return round(100 * spent / (elapsed * max(1, job.cpus)), 1) if elapsed else 0.0


def elapsed_seconds(text: str) -> int:
    """Seconds of a time as squeue writes it, "1-02:03:04", "02:03"; 0 for none."""
    days, dash, clock = text.rpartition("-")
    parts = [int(part) for part in clock.split(":") if part.isdecimal()]
    seconds = 0
    for part in parts:
        seconds = 60 * seconds + part
    return seconds + (86400 * int(days) if dash and days.isdecimal() else 0)
