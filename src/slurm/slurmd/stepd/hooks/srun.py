"""The connection to srun, for a step of srun."""

from __future__ import annotations

import signal

from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.io import StepIO
from slurm.slurmd.stepd.step import Step


class Srun(Hook):
    """Input, output and srun's own signals."""

    def set_up(self, step: Step) -> None:
        """Take over the connection, with what srun had sent before."""
        if step.connection is None:
            return

        def on_signal(number: int, end: str) -> None:
            if end:
                step.end(end, step.record.kill_wait, 0.0)
            elif number == signal.SIGKILL:
                step.signal(number, first=False, everything=False)
            elif number:
                for task in step.tasks:
                    task.signal(number)

        step.io = StepIO(
            step.loop, step.connection, on_signal, lambda: _gone(step), folder.read_early("."))

    def clean_up(self, step: Step) -> None:
        """Say goodbye: now its step is on record."""
        if step.io is not None and not step.io.gone:
            step.io.done()
            step.loop.run(step.is_said)
            step.io.close()


def _gone(step: Step) -> None:
    step.ending.ask("", step.record.kill_wait)
