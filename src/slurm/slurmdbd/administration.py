"""What administrators ask for: is it well, what did it do, archives, runaway jobs, its end."""

from __future__ import annotations

import asyncio
import logging
import os
import time

from slurm.model.errors import SlurmError
from slurm.model.version import SLURM_VERSION
from slurm.slurmdbd import settings
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.slurmdbd.maintenance import Maintenance
from slurm.slurmdbd.rights import ADMINISTRATOR, OPERATOR, Asker
from slurm.slurmdbd.stats import Stats
from slurm.wire import sacctmgr_messages as m
from slurm.wire.messages import Done

log = logging.getLogger("slurmdbd")


async def on_ping(state: DaemonState) -> m.DatabasePinged:
    """Whether the database answers."""
    problem = ""
    try:
        database = state.database
        await state.work.ask(database.clusters)
    except SlurmError as error:
        problem = "; ".join(error.lines())
    return m.DatabasePinged(version=SLURM_VERSION, host=os.uname().nodename, problem=problem)


async def on_stats(state: DaemonState, asker: Asker) -> m.DatabaseStats:
    """What was done since the start."""
    asker.require(OPERATOR)
    return state.stats.told()


async def on_clear_stats(state: DaemonState, asker: Asker) -> Done:
    """Count from now on."""
    asker.require(OPERATOR)
    state.stats = Stats(time.time())
    log.info("%s has the counters cleared", asker.user)
    return Done()


async def on_config(state: DaemonState, asker: Asker) -> m.DatabaseConfig:
    """The configuration without its secrets."""
    asker.require(OPERATOR)
    return m.DatabaseConfig(values=settings.shown(state.conf))


async def on_archive_dump(state: DaemonState, maintenance: Maintenance, asker: Asker) -> m.Archived:
    """Purge what is old now."""
    asker.require(ADMINISTRATOR)
    log.info("%s has records purged and archived", asker.user)
    return m.Archived(rows=await maintenance.purge())


async def on_archive_load(state: DaemonState, asker: Asker, message: m.ArchiveLoad) -> m.Archived:
    """Put an archive back."""
    asker.require(ADMINISTRATOR)
    purge = state.database.purge()
    log.info("%s has the archive %s loaded", asker.user, message.path)
    return m.Archived(rows=await state.work.keep(lambda: purge.load(message.path)))


async def on_end_runaways(state: DaemonState, asker: Asker, message: m.EndRunaways) -> m.RunawaysEnded:
    """End jobs of which nobody will hear any more."""
    asker.require(OPERATOR)
    database = state.database
    ended = await state.work.write(lambda: database.end_runaways(message.cluster, message.jobs))
    log.info("%s has %d runaway jobs of cluster %s ended", asker.user, ended, message.cluster)
    return m.RunawaysEnded(jobs=ended)


_OWNERS = ("comment", "derived_status")


async def on_modify_jobs(state: DaemonState, asker: Asker, message: m.ModifyJobs) -> m.JobsModified:
    """Change what is said of jobs that have ended: owners their comment and derived exit code, operators everything."""
    changes = {name: value for name in message.changes.__struct_fields__ if (value := getattr(message.changes, name)) is not None}
    if set(changes).difference(_OWNERS):
        asker.require(OPERATOR)
    database = state.database
    owner = None if asker.rank else asker.uid
    changed = await state.work.write(lambda: database.modify_jobs(message.cluster, message.jobs, changes, asker.user, owner))
    log.info("%s has changed %s of %d jobs of cluster %s", asker.user, ", ".join(changes), changed, message.cluster)
    return m.JobsModified(jobs=changed)


async def on_stop(state: DaemonState, asker: Asker) -> Done:
    """End the daemon."""
    asker.require(ADMINISTRATOR)
    log.info("%s ends slurmdbd", asker.user)
    asyncio.get_running_loop().call_soon(state.stop)
    return Done()


async def on_reconfigure(state: DaemonState, asker: Asker) -> Done:
    """Read slurmdbd.conf again."""
    asker.require(ADMINISTRATOR)
    state.reread()
    return Done()
