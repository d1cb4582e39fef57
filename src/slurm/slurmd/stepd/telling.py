"""Writing a line where a batch job's user looks, whatever his error file is: a FIFO whose reader stopped must not stop slurmstepd.

The descriptor waits in the task's report (`tasks`), unread; a process of its own takes a copy, writes and ends, or is left behind.
"""

from __future__ import annotations

import os
import signal
import socket
import time

from slurm.slurmd.stepd import passing

PATIENCE_SECONDS = 0.5
"""How long the supervisor looks whether the line was written: mostly it is at once, and stands before what a signal makes the job say."""
_LOOK_AGAIN_SECONDS = 0.001


def write_line(report: socket.socket, line: str) -> None:
    """Write to the file that a task handed over through `report`; nothing happens while it has not opened it. OSError when nothing can be
    forked.

    A writer that does not come to an end is a process of the step like any other, and ended with it.
    """
    pid = os.fork()
    if pid == 0:
        try:
            _write(report, line)
        finally:
            os._exit(0)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
        except ChildProcessError:
            return
        time.sleep(_LOOK_AGAIN_SECONDS)


def _write(report: socket.socket, line: str) -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())  # who cannot write ends with the step
    try:
        _, descriptors = passing.receive(report, socket.MSG_PEEK)
    except BlockingIOError:
        return
    for descriptor in descriptors[:1]:
        try:
            os.write(descriptor, line.encode())
        except OSError as error:  # a full disk takes no message; the step ends all the same
            os.write(2, f"slurmstepd: error: cannot write to the error file of a job: {error.strerror}\n".encode())
