"""What happens by itself: usage is rolled up soon after each hour, and what slurmdbd.conf calls old is archived and purged."""

from __future__ import annotations

import asyncio
import datetime
import logging
import math
import os
import subprocess
import time
from collections.abc import Awaitable

from slurm.model.errors import SlurmError, StoreError
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.settings import PURGES
from slurm.store.accounting.database import ClusterFacts, Database

log = logging.getLogger("slurmdbd.maintenance")
LOOK_SECONDS = 60.0
"""How often it is looked whether an hour is complete, or something came late."""
FIRST_SECONDS = 5.0
PURGE_SECONDS = 3600.0
_SCRIPT_SECONDS = 3600.0


class Maintenance:
    """Roll-up and purge of one daemon; both on a thread of their own, in small transactions."""

    def __init__(self, state: DaemonState) -> None:
        self._state = state
        self._stopping = False

    def stop(self) -> None:
        """End after the transaction that is under way."""
        self._stopping = True

    async def run(self) -> None:
        """For as long as the daemon lives; what fails is told, and tried again."""
        purged = time.monotonic()
        await asyncio.sleep(FIRST_SECONDS)
        while not self._stopping:
            await self._told("usage", self.roll_up())
            if time.monotonic() - purged > PURGE_SECONDS:
                purged = time.monotonic()
                await self._told("purge", self.purge())
            await asyncio.sleep(LOOK_SECONDS)

    async def _told(self, what: str, work: Awaitable[object]) -> None:
        try:
            await work
        except SlurmError as error:
            self._state.seldom.warning(what, "; ".join(error.lines()))
        except Exception:
            log.exception("%s failed", what)

    async def roll_up(self) -> None:
        """Sum up what is complete of every cluster; one that fails is in no other's way."""
        database = self._state.database
        for cluster in await self._state.work.keep(database.clusters):
            if cluster.complete_until:
                await self._told(f"usage of cluster {cluster.name}", self._state.work.keep(
                    lambda cluster=cluster: self._roll_up(database, cluster)))  # type: ignore[misc]

    def _roll_up(self, database: Database, cluster: ClusterFacts) -> None:
        began = time.monotonic()
        hours = days = months = 0
        track = self._state.conf.flag("TrackWCKey")
        for rolled in database.roll_up(cluster, min(cluster.complete_until, time.time()), wckeys=track):
            hours, days, months = hours + rolled.hours, days + rolled.days, months + rolled.months
            if self._stopping:
                break
        seconds = time.monotonic() - began
        for kind, count in (("hour", hours), ("day", days), ("month", months)):
            if count:
                self._state.stats.rollup(f"{cluster.name} {kind}", count, seconds)
        if hours:
            log.info("usage of cluster %s rolled up in %.1f s: %d hours, %d days, %d months", cluster.name, seconds, hours, days, months)

    async def purge(self) -> int:
        """Archive and purge what is old; how many rows."""
        database = self._state.database
        return await self._state.work.keep(lambda: self._purge(database))

    def _purge(self, database: Database) -> int:
        conf = self._state.conf
        # A clock that ran ahead is no reason to forget: what is old is counted from the latest that a slurmctld told of.
        now = min(time.time(), max((cluster.complete_until for cluster in database.clusters()), default=math.inf) or math.inf)
        due = {key: _before(age, now) for key in PURGES if (age := conf.age(key)) is not None}
        script = conf.text("ArchiveScript")
        if due and script:
            self._run_script(script, due)
        purge = database.purge(conf.text("ArchiveDir"))
        removed = 0
        for key, before in due.items():
            archiving, kinds = PURGES[key]
            for kind in kinds:
                for count in purge.run(kind, before, archive=conf.flag(archiving) and not script, at_once=conf.number("MaxPurgeLimit")):
                    removed += count
                    if self._stopping:
                        return removed
        if removed:
            log.info("%d rows that were old were purged", removed)
        return removed

    def _run_script(self, script: str, due: dict[str, float]) -> None:
        """ArchiveScript, in place of our own archives: what it does not take over is not purged. StoreError."""
        words = {"PurgeEventAfter": "EVENT", "PurgeJobAfter": "JOB", "PurgeResvAfter": "RESV", "PurgeStepAfter": "STEP",
            "PurgeSuspendAfter": "SUSPEND",
            "PurgeTXNAfter": "TXN",
                 "PurgeUsageAfter": "USAGE"}
        variables = {"PATH": os.environ.get("PATH", "/usr/bin:/bin")}
        for key, word in words.items():
            archives = self._state.conf.flag(PURGES[key][0]) and key in due
            variables[f"SLURM_ARCHIVE_{word if word in ('SUSPEND', 'TXN', 'USAGE') else word + 'S'}"] = str(int(archives))
            if archives:
                variables[f"SLURM_ARCHIVE_LAST_{word}"] = str(int(due[key]))
        try:
            done = subprocess.run([script], env=variables, capture_output=True, text=True, errors="replace", check=False,
                timeout=_SCRIPT_SECONDS,
                                  stdin=subprocess.DEVNULL)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise StoreError(message=f"ArchiveScript={script}: {error}", hints=["nothing is purged"]) from error
        if done.returncode:
            raise StoreError(message=f"ArchiveScript={script} ended with exit status {done.returncode}: {done.stderr.strip()[-500:]}",
                hints=[
                "nothing is purged"])


def _before(age: tuple[int, str], now: float) -> float:
    """What is older goes: counted from the beginning of the present hour, day or month of this machine's clock."""
    number, unit = age
    start = datetime.datetime.fromtimestamp(now).replace(minute=0, second=0, microsecond=0)
    if unit == "hour":
        return (start - datetime.timedelta(hours=number)).timestamp()
    start = start.replace(hour=0)
    if unit == "day":
        return (start - datetime.timedelta(days=number)).timestamp()
    months = start.year * 12 + start.month - 1 - number
    return datetime.datetime(max(1970, months // 12), months % 12 + 1, 1).timestamp() if months >= 1970 * 12 else 0.0
