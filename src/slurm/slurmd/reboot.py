"""RebootProgram: run by slurmd when slurmctld says so, as root runs it on its own machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

log = logging.getLogger("slurmd")


async def reboot(program: str, variables: Mapping[str, str]) -> None:
    """Begin to start the machine anew. What becomes of it is seen by its next registration, or that there is none."""
    if not program:
        log.error("slurmctld wants this node to start anew, but RebootProgram is not configured here")
        return
    log.info("this node is to start anew: %s is run", program)
    try:
        process = await asyncio.create_subprocess_exec(
            program, env=dict(variables), cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL, start_new_session=True)
        code = await process.wait()
    except OSError as error:
        log.error("RebootProgram=%s cannot be run: %s", program, error.strerror)
        return
    if code:
        log.error("RebootProgram=%s ended with status %d", program, code)
