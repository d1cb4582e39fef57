"""slurmstepd's work on one step, from the order to start it to the last line of the step's journal: set-up, its life, clean-up."""

from __future__ import annotations

import os

from slurm.slurmd.stepd import hooks
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.step import Step


def supervise(loop: Loop, path: str, journal: int, connection: SrunLine | None) -> bool:
    """All of it, for the step whose folder is `path`; whether nothing of it is left."""
    os.chdir(path)
    step = Step(loop, journal, connection)
    hooks.set_up(step)
    step.serve()
    hooks.clean_up(step)
    return not step.ending.unkillable
