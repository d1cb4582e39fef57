"""The job's time limit, the step's own and the job's lease, kept by the step itself, with a controller or without."""

from __future__ import annotations

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.timekeeping import Timekeeping, read_heartbeat


class TimeLimit(Hook):
    """A watch on the clock that nobody sets."""

    def set_up(self, step: Step) -> None:
        """Begin to count."""
        record = step.record
        step.timekeeping = Timekeeping(
            step.loop, record.deadline, record.lease, lambda: read_heartbeat(record.heartbeat),
            lambda why: step.end(why, record.kill_wait, 0.0), allowed=record.allowed_seconds)
