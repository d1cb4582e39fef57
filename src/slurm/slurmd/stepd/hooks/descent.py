"""Where there is no cgroup: which processes are the step's, noted in its folder for a slurmd that finds slurmstepd and the zygote killed.

A process that forks twice and empties its environment becomes slurmstepd's child; nothing else would tell later whose it was.
"""

from __future__ import annotations

import os
import time

from slurm.slurmd.stepd import folder, tree
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step

_FIRST_SECONDS = 0.3
_AGAIN_SECONDS = 1.0


class Descent(Hook):
    """A look at slurmstepd's children now and then; short steps end before the first."""

    def set_up(self, step: Step) -> None:
        """Begin to look."""
        if not step.record.cgroup:
            _look_later(step, set(), _FIRST_SECONDS, [])


def _look_later(step: Step, known: set[int], seconds: float, told: list[bool]) -> None:
    def look() -> None:
        new = [pid for pid in tree.children(os.getpid()) if pid not in known]
        found = [(process.pid, process.started) for pid in new if (process := tree.look(pid)) is not None]
        try:
            if found:
                folder.note_processes(".", found)
            known.update(new)
        except OSError as error:  # a full disk, or somebody removed the folder: no reason to end a job
            if not told:
                told.append(True)
                step.complain(f"which processes are its own cannot be noted: {error.strerror}")
        _look_later(step, known, _AGAIN_SECONDS, told)

    step.loop.at(time.monotonic() + seconds, look)
