"""What of a job's CPUs, memory and GPUs was used, reckoned from its record; where nothing was measured, nothing is said.

For seff and `slurm report`.
"""

from __future__ import annotations

from typing import NamedTuple

from slurm.model.accounting import JobRow, StepRecord

MB = 1024 * 1024


class Share(NamedTuple):
    """What was used of what was held, in the same unit: CPU seconds, bytes, GPU seconds. `used` None: not measured."""

    used: float | None
    held: float

    @property
    def percent(self) -> float | None:
        """Of what was held how much was used; None where it was not measured, or nothing was held."""
        return None if self.used is None or self.held <= 0 else 100.0 * self.used / self.held

    def plus(self, other: Share) -> Share:
        """Both together; what was not measured leaves with what it held."""
        if other.used is None:
            return self
        return other if self.used is None else Share(self.used + other.used, self.held + other.held)


class Efficiency(NamedTuple):
    """Of one job: its length in seconds and its shares; `partly` names steps that ran and of which nothing was measured."""

    seconds: float
    cpu: Share
    memory: Share
    gpu: Share
    tasks: int  # most tasks of a step: of several the memory is a sum of their highest, reached at different times
    partly: tuple[str, ...] = ()


def of(row: JobRow, now: float) -> Efficiency:
    """A job's efficiency until its end, or until `now` (seconds since the epoch) when it runs."""
    job = row.job
    seconds = max(0.0, (job.end_time or now) - job.start_time - job.suspended_seconds) if job.start_time else 0.0
    held = job.allocated
    measured = [step for step in row.steps if step.usage is not None]
    unmeasured = tuple(step.name for step in row.steps if step.usage is None)
    return Efficiency(
        seconds,
        Share(_cpu(measured), seconds * held.get("cpu", 0)),
        Share(_memory(measured), float(held.get("mem", 0) * MB)),
        Share(_gpu(measured), seconds * held.get("gres/gpu", 0)),
        max((step.ntasks for step in row.steps), default=1), unmeasured)


def _cpu(steps: list[StepRecord]) -> float | None:
    usages = [step.usage for step in steps if step.usage is not None]
    return sum(usage.user_seconds + usage.system_seconds for usage in usages) if usages else None


def _memory(steps: list[StepRecord]) -> float | None:
    """Bytes of the step that held most: steps one after another do not add up."""
    found = [step.usage.taken["mem"].total for step in steps if step.usage is not None and "mem" in step.usage.taken]
    return float(max(found)) if found else None


def _gpu(steps: list[StepRecord]) -> float | None:
    """GPU seconds: each step's mean utilisation, over its own GPUs and length."""
    found = [
        step.usage.taken["gres/gpuutil"].total / 100 / max(1, step.usage.taken["gres/gpuutil"].tasks)
        * max(0.0, step.end_time - step.start_time) * step.allocated.get("gres/gpu", 0)
        for step in steps if step.usage is not None and "gres/gpuutil" in step.usage.taken]
    return sum(found) if found else None
