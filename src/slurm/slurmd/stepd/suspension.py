"""Holding a step's processes still: SIGTSTP, which they may see, then after some grace none of them runs until they are let go on.

The kernel holds a cgroup still with all that is born in it. Where there is none, SIGSTOP goes to all of the tree, and again as long as
one of them, forked meanwhile or woken by somebody, is found awake.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Collection

from slurm.slurmd.stepd import tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.loop import Loop

_AGAIN_SECONDS = 0.05
_SELDOM_SECONDS = 1.0
_STOPPED = ("T", "t", "Z", "X")


class Suspension:
    """`asked`: the step is to hold still. `spared` are processes that go on: its epilogs; `ready` says when its tasks have begun."""

    def __init__(self, loop: Loop, cgroup: Callable[[], Cgroup | None], spared: Callable[[], Collection[int]],
                 ready: Callable[[], bool]) -> None:
        self.asked = False
        self._ready = ready
        self._loop = loop
        self._cgroup = cgroup
        self._spared = spared
        self._turn = 0  # counts: a look that an earlier suspension planned does nothing
        self._frozen = False

    def begin(self, grace: float) -> None:
        """Tell them, and hold them still after `grace` seconds."""
        if self.asked:
            return
        self.asked = True
        self._turn += 1
        turn = self._turn
        if grace > 0:
            tree.send(self._pids(), signal.SIGTSTP)
        self._loop.at(time.monotonic() + grace, lambda: self._hold(turn))

    def end(self) -> None:
        """Let them go on. Again: nothing happens."""
        if not self.asked:
            return
        self.asked = False
        group = self._cgroup()
        if self._frozen and group is not None:
            group.freeze(False)
        self._frozen = False
        tree.send(self._pids(), signal.SIGCONT)

    def _hold(self, turn: int) -> None:
        if not self.asked or turn != self._turn:
            return
        if not self._ready():  # who is being started has a time for it
            self._loop.at(time.monotonic() + _AGAIN_SECONDS, lambda: self._hold(turn))
            return
        group = self._cgroup()
        self._frozen = group is not None and group.freeze(True)
        if self._frozen:
            return
        awake = self._awake()
        tree.send(awake, signal.SIGSTOP)
        self._loop.at(time.monotonic() + (_AGAIN_SECONDS if awake else _SELDOM_SECONDS), lambda: self._hold(turn))

    def _pids(self) -> list[int]:
        return tree.descendants(os.getpid(), skip=self._spared())

    def _awake(self) -> list[int]:
        table = tree.processes()
        states = {process.pid: process.state for process in table}
        return [pid for pid in tree.descendants(os.getpid(), table, skip=self._spared()) if states[pid] not in _STOPPED]
