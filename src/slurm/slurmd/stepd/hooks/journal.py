"""The step's journal: that it began, and how it ended."""

from __future__ import annotations

import os
import time

from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step

_FULL_DISK_SECONDS = 1.0


class Journal(Hook):
    """On disk before anything runs, and before anybody hears of the end."""

    def set_up(self, step: Step) -> None:
        """From here on this attempt counts as begun, even if the machine stops: it is never run a second time."""
        os.fdatasync(step.journal)

    def clean_up(self, step: Step) -> None:
        """The last line; where the disk is full, as soon as there is room."""
        ended = step.ended()
        while not step.recorded:
            try:
                folder.append_ended(step.journal, ended)
            except OSError as error:
                step.complain(f"how it ended cannot be written yet: {error.strerror}")
                time.sleep(_FULL_DISK_SECONDS)
            else:
                step.recorded = True
