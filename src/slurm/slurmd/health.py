"""HealthCheckProgram: run once before slurmd registers, then whenever slurmctld says so. What it finds it does something about itself."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping
from typing import NamedTuple

log = logging.getLogger("slurmd.health")
_SHOWN_BYTES = 500


class HealthCheck(NamedTuple):
    """The program ("" for none), seconds between two runs (0: none), seconds that one may take, and the words of HealthCheckNodeState."""

    program: str = ""
    interval: int = 0
    seconds: int = 60
    states: frozenset[str] = frozenset()

    @property
    def is_wanted(self) -> bool:
        """Whether it is run at all."""
        return bool(self.program) and self.interval > 0


class Health:
    """The check of one node; `helpers` has the program's pid while it runs, `variables` are added to slurmd's own."""

    def __init__(self, helpers: set[int]) -> None:
        self._helpers = helpers
        self._running = False

    async def run(self, check: HealthCheck, variables: Mapping[str, str]) -> None:
        """Run it, unless it runs. How it went is in the log."""
        if not check.is_wanted or self._running:
            return
        self._running = True
        try:
            await self._run(check, variables)
        finally:
            self._running = False

    async def _run(self, check: HealthCheck, variables: Mapping[str, str]) -> None:
        try:
            process = await asyncio.create_subprocess_exec(
                check.program, env={**os.environ, **variables}, cwd="/", stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT, start_new_session=True)
        except OSError as error:
            log.error("HealthCheckProgram=%s cannot be run: %s", check.program, error.strerror)
            return
        self._helpers.add(process.pid)
        try:
            said, _ = await asyncio.wait_for(process.communicate(), check.seconds)
        except TimeoutError:
            log.error("HealthCheckProgram=%s took longer than %d s: it is ended", check.program, check.seconds)
            return
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
            self._helpers.discard(process.pid)
        if process.returncode:
            log.error("health_check failed: rc:%d output:%s", process.returncode, said.decode(errors="replace").strip()[-_SHOWN_BYTES:])
        else:
            log.debug("health_check passed")
