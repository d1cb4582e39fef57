"""The tasks themselves."""

from __future__ import annotations

import os
import time

from slurm.slurmd.stepd import tree
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step

_PATIENCE_SECONDS = 2.0
_AGAIN_SECONDS = 0.02


class Tasks(Hook):
    """Their streams and their start; how they live and end is `step`'s matter."""

    def set_up(self, step: Step) -> None:
        """Start them."""
        step.begin()

    def clean_up(self, step: Step) -> None:
        """Let go of what was opened for them; of theirs nothing is left but after a fault of our own."""
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while step.children and not step.ending.unkillable and tree.kill_descendants(os.getpid()) and time.monotonic() < deadline:
            time.sleep(_AGAIN_SECONDS)
        if step.plumbing is not None:
            step.plumbing.close_ends()
        if step.starting is not None:
            starting, step.starting = step.starting, None
            starting.close()
