"""The memory limit, where the kernel does not see to it."""

from __future__ import annotations

import time

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step


class Memory(Hook):
    """A look now and then, where somebody asked for it (OverMemoryKill)."""

    def set_up(self, step: Step) -> None:
        """Begin to look."""
        record = step.record
        if record.memory and record.memory_looks and not (step.cgroup is not None and step.cgroup.memory):
            step.loop.at(time.monotonic() + record.memory_looks, step.look_at_memory)
