"""Named points at which a test may kill the controller, to prove that nothing acknowledged is lost.

SLURM_PY_CRASH_AT=NAME[:N] in the environment of slurmctld makes the N-th passage of that point end the process with SIGKILL. Without it
a passage costs one comparison. The names are POINTS; an unknown one stops the start.
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


def arm(text: str) -> None:
    """Choose the point from the text `NAME` or `NAME:N` (the N-th passage); "" disarms. ConfigError for an unknown name."""
    global _name, _left
    name, _, count = text.partition(":")
    if name and name not in POINTS:
        raise ConfigError(message=f"SLURM_PY_CRASH_AT={text}: no such point; points are {', '.join(POINTS)}")
    _name, _left = name, int(count or 1)


def reached(name: str) -> None:
    """Pass a point: the process dies here when it was chosen and its turn has come."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
