"""Processes that SIGKILL does not end (the kernel holds them: a file system that does not answer, a driver): the node is drained, with a
way back.

UnkillableStepProgram is called once for the step; when the processes have ended after all, the log says so.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence

from slurm.slurmd.settings import NodeSettings
from slurm.slurmd.stepd import tree
from slurm.slurmd.stepd.folder import StepKey

log = logging.getLogger("slurmd")
_PROGRAM_SECONDS = 300.0
_LOOK_SECONDS = 5.0


def reason(node: str, key: StepKey, left: Sequence[int]) -> str:
    """Why the node is drained, beginning with Slurm's words, and how it comes back; "" for no processes."""
    if not left:
        return ""
    shown = ", ".join(map(str, left[:4])) + (", …" if len(left) > 4 else "")
    return f"Kill task failed: step {key.shown}, pid {shown}; when they have ended: scontrol update nodename={node} state=resume"


async def look_after(settings: NodeSettings, key: StepKey, left: Sequence[int], helpers: set[int]) -> None:
    """Call the program, and say when the processes have ended after all. `helpers` gets the program's pid while it runs."""
    log.error("%s", reason(settings.node, key, left))
    for pid in left:
        log.error("step %s: %s", key.shown, _story(pid))
    known = {pid: found.started for pid in left if (found := tree.look(pid)) is not None}
    if settings.unkillable_program:
        await _call(settings, key, helpers)
    while any((found := tree.look(pid)) is not None and found.started == started and found.state != "Z" for pid, started in known.items()):
        await asyncio.sleep(_LOOK_SECONDS)
    log.info("what could not be killed of step %s has ended: scontrol update nodename=%s state=resume", key.shown, settings.node)


async def _call(settings: NodeSettings, key: StepKey, helpers: set[int]) -> None:
    program = settings.unkillable_program
    environment = {
        **os.environ, "SLURM_CONF": settings.conf, "SLURMD_NODENAME": settings.node, "SLURM_JOBID": str(key.job),
        "SLURM_JOB_ID": str(key.job),
        "SLURM_STEPID": str(key.step), "SLURM_STEP_ID": str(key.step)}
    try:
        process = await asyncio.create_subprocess_exec(program, env=environment, stdin=asyncio.subprocess.DEVNULL, start_new_session=True)
    except OSError as error:
        log.error("UnkillableStepProgram=%s cannot be called: %s", program, error.strerror)
        return
    helpers.add(process.pid)
    try:
        status = await asyncio.wait_for(process.wait(), _PROGRAM_SECONDS)
        log.info("UnkillableStepProgram=%s for step %s ended with status %d", program, key.shown, status)
    except TimeoutError:
        log.error("UnkillableStepProgram=%s took longer than %d s: it is ended", program, _PROGRAM_SECONDS)
        process.kill()
        await process.wait()
    finally:
        helpers.discard(process.pid)


def _story(pid: int) -> str:
    """What is seen of a process, for the log."""
    found = tree.look(pid)
    if found is None:
        return f"process {pid} has ended"
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as file:
            name = file.read().strip()
        with open(f"/proc/{pid}/wchan", encoding="ascii", errors="replace") as file:
            where = file.read().strip()
    except OSError:
        return f"process {pid} is in state {found.state}"
    return f"process {pid} ({name}) is in state {found.state}, waits in {where or '?'}"
