"""ResvProlog and ResvEpilog: run beside slurmctld when a reservation begins and when it ends, with its name as the argument.

Each occurrence of one that repeats begins and ends. Nothing waits for them, and one that a slurmctld did not come to before it ended is not
made up for. Source: slurm.conf(5).
"""

from __future__ import annotations

import asyncio
import logging
import os

from slurm.config.config import Config
from slurm.core.cluster import Cluster
from slurm.core.events import Event, ReservationBegun, ReservationEnded
from slurm.slurmctld.scripts import outcome

log = logging.getLogger("slurmctld.reservations")
BEGINS, ENDS = "ResvProlog", "ResvEpilog"
SECONDS = 300.0
"""A program that takes longer is ended."""


class ReservationPrograms:
    """`noticed` with each event, `started` once with the reservations that had begun before."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._begun: set[str] = set()
        self._running: set[asyncio.Task[None]] = set()

    def started(self, cluster: Cluster) -> None:
        """slurmctld has begun."""
        self._begun = {name for name, one in cluster.reservations.items() if one.begun}

    def noticed(self, event: Event | None) -> None:
        """Something changed. One that is deleted before it began has no end."""
        if isinstance(event, ReservationBegun):
            self._begun.add(event.name)
            self._run(BEGINS, event.name)
        elif isinstance(event, ReservationEnded) and event.name in self._begun:
            self._begun.discard(event.name)
            self._run(ENDS, event.name)

    async def close(self) -> None:
        """Stop: programs that run are ended."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _run(self, key: str, name: str) -> None:
        program = self.config.text(key)
        if not program:
            return
        task = asyncio.get_running_loop().create_task(self._carry_out(key, program, name))
        self._running.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a program of a reservation failed", exc_info=task.exception())

    async def _carry_out(self, key: str, program: str, name: str) -> None:
        environment = {"PATH": os.environ.get("PATH", os.defpath), "SLURM_CONF": os.path.abspath(self.config.path),
            "SLURM_CLUSTER_NAME": self.config.cluster_name}
        failure = await outcome(program, environment, SECONDS, words=[name])
        if failure:
            log.error("reservation %s: %s=%s failed: %s", name, key, program, failure)
