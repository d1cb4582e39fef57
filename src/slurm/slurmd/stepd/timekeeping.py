"""The limits that a slurmstepd keeps by itself, whether or not anybody can be heard: the job's time limit, the step's own (srun --time), and
the job's lease where the site has one.

Measured by CLOCK_BOOTTIME, which nobody sets and which goes on while the machine sleeps. Silence ends a step only by a lease.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from slurm.slurmd.stepd.loop import Loop

SLACK_SECONDS = 1.0
"""A controller that serves ends a job at its limit itself; only one that does not is waited for in vain."""
_LONGEST_WAIT = 60.0
_LEASE_WAIT = 5.0
"""The loop's own clock stands still while the machine sleeps: it looks again at least so often."""


def boot_clock() -> float:
    """Seconds since the machine was started, time asleep included."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Timekeeping:
    """Calls `end(why)` with "timeout" at `deadline` (boot clock, 0: none) or after `allowed` seconds of running (0: as long as its job),
    "lease" when `heard()` is `lease` seconds ago (0: none).

    `ended_for` is what it ended the step for, "" while it has not.
    """

    def __init__(self, loop: Loop, deadline: float, lease: float, heard: Callable[[], float], end: Callable[[str], None],
                 clock: Callable[[], float] = boot_clock, *, allowed: float = 0.0) -> None:
        self.ended_for = ""
        self._loop = loop
        self._deadline = deadline
        self._lease = lease
        self._heard = heard
        self._end = end
        self._clock = clock
        self._began = clock()
        self._allowed = allowed
        self._stopped_at = 0.0
        self._stood_still = 0.0
        self.look()

    def set_deadline(self, deadline: float) -> None:
        """The time limit comes at this moment (boot clock); 0: never."""
        self._deadline = deadline
        self.look()

    def stand_still(self, still: bool) -> None:
        """The step is suspended, or goes on: what it may run by itself does not pass meanwhile."""
        if still and not self._stopped_at:
            self._stopped_at = self._clock()
        elif not still and self._stopped_at:
            self._stood_still += self._clock() - self._stopped_at
            self._stopped_at = 0.0
            self.look()

    def look(self) -> None:
        """Do what is due, and see to it that the next look comes in time."""
        if self.ended_for:
            return
        now = self._clock()
        waits = []
        if self._deadline:
            waits.append(min(self._deadline + SLACK_SECONDS - now, _LONGEST_WAIT))
            if now >= self._deadline + SLACK_SECONDS:
                self._finish("timeout")
                return
        if self._allowed and not self._stopped_at:
            left = self._began + self._stood_still + self._allowed - now
            if left <= 0:
                self._finish("timeout")
                return
            waits.append(min(left, _LONGEST_WAIT))
        if self._lease:
            left = max(self._heard(), self._began) + self._lease - now
            if left <= 0:
                self._finish("lease")
                return
            waits.append(min(left, _LEASE_WAIT))
        if waits:
            self._loop.at(time.monotonic() + max(0.01, min(waits)), self.look)

    def _finish(self, why: str) -> None:
        self.ended_for = why
        self._end(why)


def read_heartbeat(path: str) -> float:
    """When slurmd last knew that its controller lives (boot clock); 0.0 when it did not say, or wrote before this boot."""
    try:
        with open(path, "rb") as file:
            moment = float(file.read(64).decode().strip() or 0.0)
    except (OSError, ValueError):
        return 0.0
    return moment if moment <= boot_clock() else 0.0
