"""Ending a step's processes: SIGCONT and SIGTERM to the whole tree, SIGKILL after KillWait, and again until none is left.

What SIGKILL does not end within UnkillableStepTimeout is given up: the kernel holds it. Its node is then drained, by slurmd.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection

from slurm.slurmd.stepd import tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.loop import Loop

_AGAIN_SECONDS = 0.2
_SELDOM_SECONDS = 2.0
_DRAIN_SECONDS = 5.0


class Ending:
    """How the step is being ended; `why` "" with `asked` False: it is not. `cgroup` is set by whoever makes one.

    `unkillable` are the processes that were given up after `unkillable_seconds` of SIGKILL.
    """

    def __init__(self, loop: Loop, unkillable_seconds: float) -> None:
        self._loop = loop
        self._unkillable_seconds = unkillable_seconds
        self._deadline = 0.0
        self._killing_since = 0.0
        self.cgroup: Cgroup | None = None
        self.spared: Callable[[], Collection[int]] = tuple  # processes that are not ended with the tasks: their epilogs
        self.before: Callable[[], None] = lambda: None  # what is done first: those that hold still must be able to end
        self.asked = False
        self.why = ""
        self.unkillable: list[int] = []
        self.adopts = False  # processes are the step's that do not descend from slurmstepd: its cgroup tells which
        self.resting = False  # what runs now is no task's, and nothing is killed unless somebody asks anew

    def ask(self, why: str, kill_wait: float) -> bool:
        """Begin, or shorten the grace when it has begun; whether it begins with this call."""
        now = time.monotonic()
        self.resting = False
        first = not self.asked
        if first:
            self.before()
            self.asked, self.why, self._deadline = True, why, now + kill_wait
            self._signal(signal.SIGCONT)
            self._signal(signal.SIGTERM)
            if self.adopts:
                self._look()
        self._deadline = min(self._deadline, now + kill_wait)
        self._loop.at(self._deadline, self.kill)
        return first

    def kill(self) -> None:
        """SIGKILL to every process of the step, repeated until somebody finds that none is left (the loop then ends)."""
        if self.resting:
            return
        now = time.monotonic()
        self.before()
        if self.cgroup is not None:
            self.cgroup.kill()
        left = tree.kill_descendants(os.getpid(), skip=self.spared())
        self._killing_since = self._killing_since or now
        since = now - self._killing_since
        if (left or self.adopted()) and since > self._unkillable_seconds:
            self.unkillable = self._processes()
        # Each look costs a walk through /proc: what did not end at once is looked after more seldom.
        self._loop.at(now + (_AGAIN_SECONDS if since < _SELDOM_SECONDS else _SELDOM_SECONDS), self.kill)

    def _look(self) -> None:
        """Nobody tells when a process ends that is not slurmstepd's child: the loop looks up now and then."""
        self._loop.at(time.monotonic() + _AGAIN_SECONDS, self._look)

    def adopted(self) -> list[int]:
        """Processes in the step's cgroup, of a step that adopts."""
        return self.cgroup.pids() if self.adopts and self.cgroup is not None else []

    @property
    def begun(self) -> bool:
        """Whether it is being ended, by whomever."""
        return self.asked or bool(self._killing_since)

    @property
    def grace(self) -> bool:
        """Whether processes still have time to end by themselves after SIGTERM."""
        return self.asked and time.monotonic() < self._deadline

    @property
    def overdue(self) -> bool:
        """Whether nobody is to be waited for any more, not even a srun that does not take what is left of the output."""
        return bool(self.unkillable) or (self.asked and time.monotonic() > self._deadline + _DRAIN_SECONDS)

    def signal_all(self, number: int) -> None:
        """A signal to every process of the step."""
        self._signal(number)

    def _signal(self, number: int) -> None:
        tree.send(self._processes(), number)

    def _processes(self) -> list[int]:
        found = tree.descendants(os.getpid(), skip=self.spared())
        return [*found, *(pid for pid in self.adopted() if pid not in found)]
