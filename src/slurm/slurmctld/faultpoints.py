"""Named points at which a test may kill or stop the controller, to prove that nothing acknowledged is lost or done by one that was deposed.

SLURM_PY_CRASH_AT=NAME[:N] in the environment of slurmctld makes the N-th passage of that point end the process with SIGKILL, NAME:N:stop
stop it with SIGSTOP. Without it a passage costs one comparison. The names are POINTS; an unknown one stops the start.
"""

from __future__ import annotations

import os
import signal

from slurm.model.errors import ConfigError

POINTS = ("before-append", "after-append", "before-launch", "after-launch", "on-completion", "in-snapshot", "before-complete",
    "after-complete",
          "in-compaction")

_name = ""
_left = 0
_signal = signal.SIGKILL


def arm(text: str) -> None:
    """Choose the point from the text `NAME`, `NAME:N` (the N-th passage) or `NAME:N:stop`; "" disarms. ConfigError for an unknown name."""
    global _name, _left, _signal
    name, _, count = text.partition(":")
    count, _, what = count.partition(":")
    if what not in ("", "stop"):
        raise ConfigError(message=f"SLURM_PY_CRASH_AT={text}: {what} is not known, write {name}:{count}:stop")
    _signal = signal.SIGSTOP if what else signal.SIGKILL
    if name and name not in POINTS:
        raise ConfigError(message=f"SLURM_PY_CRASH_AT={text}: no such point; points are {', '.join(POINTS)}")
    _name, _left = name, int(count or 1)


def reached(name: str) -> None:
    """Pass a point: the process dies here when it was chosen and its turn has come."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), _signal)
