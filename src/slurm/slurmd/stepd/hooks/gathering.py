"""Usage: looks at the step's processes while it runs, and the last figures before its cgroup goes."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable

from slurm.slurmd.stepd.hooks.hook import Hook
from slurm.slurmd.stepd.step import Step
from slurm.slurmd.stepd.usage.gatherer import FIRST_SECONDS


class Gathering(Hook):
    """A look after a second, then ever more seldom up to the interval that was asked for (JobAcctGatherFrequency, --acctg-freq)."""

    def set_up(self, step: Step) -> None:
        """Begin to look."""
        interval = step.record.sample_seconds
        if interval:
            _look_later(step, min(FIRST_SECONDS, interval), interval)
        if step.record.energy and step.gatherer.energy_seconds:
            _look_at_energy_later(step)

    def clean_up(self, step: Step) -> None:
        """Take the last figures."""
        if step.is_gathered or step.record.cgroup_usage:
            step.gatherer.finish()


def _done(step: Step, look: Callable[[], None]) -> bool:
    """Whether a look went well: a fault of ours in counting is told once and ends no job."""
    try:
        look()
    except Exception as error:  # noqa: BLE001 - it is told, and nobody looks again
        step.complain(f"what it uses is not looked at any more: {error!r}")
        traceback.print_exception(error)
        return False
    return True


def _look_later(step: Step, seconds: float, interval: float) -> None:
    def look() -> None:
        if _done(step, step.gatherer.look):
            _look_later(step, min(2 * seconds, interval), interval)

    step.loop.at(time.monotonic() + seconds, look)


def _look_at_energy_later(step: Step) -> None:
    def look() -> None:
        if _done(step, step.gatherer.look_at_energy):
            _look_at_energy_later(step)

    step.loop.at(time.monotonic() + step.gatherer.energy_seconds, look)
