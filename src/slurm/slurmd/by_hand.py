"""Orders for a step whose slurmstepd cannot be spoken to, since somebody removed its folder with its socket: its processes are signalled
from here.

slurmstepd sees its tasks end, and ends itself in order; how the step ended nobody can tell then (`steps`). Its time limit and lease it
keeps itself as they were when the folder went.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time

from slurm.slurmd import unknown_steps
from slurm.slurmd.aside import aside
from slurm.slurmd.roster import StepHere
from slurm.slurmd.stepd import tree
from slurm.slurmd.stepd.folder import SOCKET

log = logging.getLogger("slurmd.orders")
_LOOK_SECONDS = 0.2
_SCAN_SECONDS = 60.0


def is_needed(step: StepHere) -> bool:
    """Whether the step's folder, or its socket, has gone although it was begun and has not ended."""
    return step.begun and not os.path.exists(os.path.join(step.path, SOCKET))


async def supervisor_of(step: StepHere) -> int:
    """The slurmstepd of a step whose folder does not lead to it; 0 when none lives. It is noted in `step.pid`."""
    record = step.record
    if not unknown_steps.is_supervisor(step.pid, step.key):
        step.pid = await aside(lambda: unknown_steps.supervisor(record.mark), _SCAN_SECONDS) if record is not None and record.mark else 0
    return step.pid


async def obey(step: StepHere, order: dict[str, object]) -> bool:
    """Do it; False when there is no slurmstepd to do it for (any more)."""
    pid = await supervisor_of(step)
    if not pid:
        return False
    operation = order["op"]
    log.error("step %s: the socket of its slurmstepd was removed; %s is done without it", step.key.shown, operation)
    if operation == "terminate":
        await _terminate(step, pid, float(str(order["kill_wait"])))
    elif operation == "signal":
        _signal(pid, int(str(order["signal"])), first=bool(order["first"]), everything=bool(order["all"]))
    elif operation == "suspend":
        tree.send(tree.descendants(pid), signal.SIGSTOP if order["suspended"] else signal.SIGCONT)
    return True


async def _terminate(step: StepHere, pid: int, kill_wait: float) -> None:
    """SIGCONT and SIGTERM to its processes, SIGKILL after `kill_wait`, until the step has ended."""
    deadline = time.monotonic() + kill_wait
    for number in (signal.SIGCONT, signal.SIGTERM):
        tree.send(tree.descendants(pid), number)
    while step.ended is None and unknown_steps.is_supervisor(pid, step.key):
        if time.monotonic() >= deadline:
            tree.kill_descendants(pid)
        await asyncio.sleep(_LOOK_SECONDS)


def _signal(pid: int, number: int, *, first: bool, everything: bool) -> None:
    """To every process, or to its tasks' process groups: tasks lead their sessions; or to the tasks' first processes only."""
    if everything:
        tree.send(tree.descendants(pid), number)
        return
    leaders = [child for child in tree.children(pid) if (found := tree.look(child)) is not None and found.session == child]
    if first:
        tree.send(leaders, number)
        return
    for leader in leaders:
        try:
            os.killpg(leader, number)
        except ProcessLookupError:
            continue
