"""A hook: one thing that is set up before a step's tasks start and cleaned up after they have ended."""

from __future__ import annotations

from slurm.slurmd.stepd.step import Step


class Hook:
    """What a hook may do. It keeps nothing itself: what it sets up is the step's."""

    def set_up(self, step: Step) -> None:
        """Before the tasks start. OSError keeps the step from running, and is told."""

    def clean_up(self, step: Step) -> None:
        """After they have ended, also when its own set-up or that of others failed or never came. Again: nothing happens."""
