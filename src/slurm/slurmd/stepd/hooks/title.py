"""What `ps` shows."""

from __future__ import annotations

from slurm.slurmd.stepd import kernel
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step


class Title(Hook):
    """Which step this process supervises."""

    def set_up(self, step: Step) -> None:
        """`slurmstepd: [12.batch]`."""
        kernel.set_title(f"slurmstepd: [{step.record.key.shown}]")
