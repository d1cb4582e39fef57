"""slurmstepd: a process that supervises one step at a time, and after it perhaps another.

Being forked costs more than supervising a short step does: half of it are copies of pages that the process touches for the first time. So
one that has ended its step waits for the next, a moment long; nothing of a step but its process number passes on.
"""

from __future__ import annotations

import os
import socket

from slurm.slurmd.stepd import kernel, passing
from slurm.slurmd.stepd.loop import Loop
from slurm.slurmd.stepd.srun_line import SrunLine
from slurm.slurmd.stepd.supervisor import supervise

MOST_STEPS = 64
"""After so many steps a new process takes over, whatever the old one may have gathered."""
ENDED = b"ended"
LAST = b"last"
IDLE_TITLE = "slurmd: idle slurmstepd"


def work(channel: socket.socket, path: str, descriptors: list[int]) -> None:
    """Supervise the step in the folder `path`, then those whose paths come through `channel`, until it closes or one left something behind.

    The descriptors are the step's open, locked journal and, for a step of srun, its connection, and its proof if that is TLS (srun_line).
    ENDED or LAST answers each step.
    """
    os.setsid()
    kernel.adopt_orphans()
    loop = Loop()
    for left in range(MOST_STEPS, 0, -1):
        clean = supervise(loop, path, descriptors[0], SrunLine.of(descriptors[1:]))
        loop.clear()
        os.close(descriptors[0])
        os.chdir("/")
        if left == 1 or not clean or not passing.send(channel, ENDED):
            passing.send(channel, LAST)
            return
        kernel.set_title(IDLE_TITLE)
        packet, descriptors = passing.receive(channel)
        if not packet:
            return
        path = packet.decode()
