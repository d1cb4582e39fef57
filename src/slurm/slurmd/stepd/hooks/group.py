"""Cgroups for the step's tasks, where slurmd found that it may make some, and what they hold it to."""

from __future__ import annotations

import time

from slurm.slurmd.stepd import confinement
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step

_PATIENCE_SECONDS = 2.0
_AGAIN_SECONDS = 0.02


class Group(Hook):
    """Whatever its processes do, in it they are found."""

    def set_up(self, step: Step) -> None:
        """Make it."""
        if step.record.cgroup:
            step.cgroup = step.ending.cgroup = group = confinement.group_of(step.record)
            confinement.confine(group, step.record)

    def clean_up(self, step: Step) -> None:
        """End what is still in it and remove it, with the groups that its processes made below. The kernel may take a moment to let go."""
        if step.cgroup is None or step.ending.unkillable:
            return  # what cannot be killed keeps its cgroup; slurmd looks after it
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                step.cgroup.remove()
            except OSError:
                if time.monotonic() > deadline:
                    raise
                step.cgroup.kill()
                time.sleep(_AGAIN_SECONDS)
            else:
                return
