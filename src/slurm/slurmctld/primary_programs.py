"""SlurmctldPrimaryOnProg and SlurmctldPrimaryOffProg: run when this slurmctld begins to lead, and when it leads no more.

For what must follow the lead, such as an address that commands go to. They run as slurmctld's own user, on its machine.
"""

from __future__ import annotations

import asyncio
import logging
import os

from slurm.config.config import Config

log = logging.getLogger("slurmctld")
ON, OFF = "SlurmctldPrimaryOnProg", "SlurmctldPrimaryOffProg"
SECONDS = 10.0
"""Longer nobody waits: another slurmctld is to lead."""


async def run(conf: Config, key: str) -> None:
    """Run the program that `key` names, if any, and say in the log how it went."""
    program = conf.text(key)
    if not program:
        return
    try:
        process = await asyncio.create_subprocess_exec(
            program, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            env={**os.environ, "SLURM_CONF": conf.path, "SLURM_CLUSTER_NAME": conf.cluster_name}, start_new_session=True)
    except OSError as error:
        log.error("%s=%s cannot be run: %s", key, program, error.strerror)
        return
    try:
        status = await asyncio.wait_for(process.wait(), SECONDS)
    except TimeoutError:
        log.error("%s=%s still runs after %.0f s: it is left to itself", key, program, SECONDS)
        return
    log.log(logging.INFO if status == 0 else logging.ERROR, "%s=%s ended with %d", key, program, status)
