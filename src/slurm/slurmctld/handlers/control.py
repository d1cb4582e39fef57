"""What operators do to nodes, partitions and the controller itself."""

from __future__ import annotations

import asyncio
import logging
import os
import socket

from slurm.config.keys import mode_of
from slurm.core import node_update, partition_update, rights
from slurm.daemon import logs
from slurm.model import debug_flags
from slurm.model.errors import InvalidRequest, NotFound, NotPermitted
from slurm.model.version import SLURM_VERSION, VERSION
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.jobs import LATER
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire.operation_messages import SetDebug, Takeover

log = logging.getLogger("slurmctld")
MAX_QUIET_SECONDS = 300.0
ANSWER_SECONDS = 0.1
"""For what was sent to leave."""


async def on_update_node(ctl: Controller, session: Session, message: m.UpdateNode) -> m.Done:
    """scontrol update nodename=."""
    events = node_update.update_nodes(ctl.cluster, message.nodes, message.changes, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    return m.Done()


async def on_update_partition(ctl: Controller, session: Session, message: m.UpdatePartition) -> m.Done:
    """scontrol update partitionname=."""
    events = partition_update.update_partition(ctl.cluster, message.name, message.changes, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    return m.Done()


async def on_ping(ctl: Controller, session: Session, message: m.Ping) -> m.Pong:
    """Here I am."""
    seen: list[m.ControllerSeen] = []
    host, mode = socket.gethostname(), "primary"
    if ctl.standbys is not None:
        hosts = ctl.standbys.hosts
        seen = [m.ControllerSeen(each, mode_of(rank, len(hosts)), ctl.standbys.is_up(rank)) for rank, each in enumerate(hosts)]
        host, mode = ctl.standbys.seat.host, seen[ctl.standbys.seat.rank].mode
    return m.Pong(host=host, mode=mode, version=SLURM_VERSION, release=VERSION, pid=os.getpid(), started=ctl.started,
                  trouble=ctl.trouble, controllers=seen)


async def on_read_statistics(ctl: Controller, session: Session, message: m.ReadStatistics) -> m.StatisticsRead:
    """sdiag."""
    if message.reset and not rights.is_operator(ctl.cluster, session.caller):
        raise NotPermitted("ESLURM_USER_ID_MISSING", "Access/permission denied")
    found = ctl.counters.read(orders=ctl.links.orders_waiting, records=ctl.accounting.waiting if ctl.accounting is not None else 0,
                             looking=ctl.planner.looking)
    if message.reset:
        ctl.counters.reset()
    return m.StatisticsRead(statistics=found, trouble=ctl.trouble)


async def on_certify_daemon(ctl: Controller, session: Session, message: m.CertifyDaemon) -> m.Certified:
    """Give a daemon of another machine its certificate: where MUNGE says that root or SlurmUser asks, since there is no slurm.key."""
    if ctl.certifier is None or not ctl.enrols:
        raise NotPermitted(message="daemons get no certificate here", hints=[
            "only with AuthType=auth/munge; else `slurm cert make` makes one"])
    _require_administrator(ctl, session, "a certificate is for root's or SlurmUser's daemons")
    if message.role == "slurmd" and message.name not in ctl.cluster.nodes:
        raise NotFound("ESLURM_INVALID_NODE_NAME", hints=[f"node {message.name} is not in the controller's slurm.conf"])
    log.info("%s %s gets a certificate: uid %d asked", message.role, message.name, session.caller.uid)
    return ctl.certifier.certify(message.role, message.name)


async def on_reconfigure(ctl: Controller, session: Session, message: m.Reconfigure) -> m.Done:
    """Read the configuration again; when it is not valid nothing changes and the caller reads why."""
    _require_administrator(ctl, session, "slurm_reconfigure error:Invalid user id")
    warnings = await ctl.reconfigure()
    return m.Done(lines=warnings)


async def on_set_debug(ctl: Controller, session: Session, message: SetDebug) -> m.Done:
    """How much this daemon logs from now on, until it reads its configuration again."""
    _require_administrator(ctl, session, "slurm_set_debug_level error:Invalid user id")
    level = logs.level_named(message.level) if message.level else ctl.verbosity.level
    if level is None:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"invalid debug level: {message.level}")
    try:
        flags = debug_flags.changed(ctl.verbosity.flags, message.flags)
    except debug_flags.UnknownFlag as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", f"Invalid DebugFlag: {error}") from error
    ctl.verbosity = ctl.verbosity._replace(level=level, flags=tuple(flags))
    ctl.verbosity.apply()
    log.info("uid %d sets the log level to %s, DebugFlags to %s", session.caller.uid, logs.shown_level(level), ",".join(flags) or "none")
    silent = [flag for word in message.flags if (flag := debug_flags.canonical(word.lstrip("+-"))) in debug_flags.SILENT]
    return m.Done(lines=[f"{flag}: this daemon has no log lines of that kind" for flag in silent if flag in flags])


async def on_takeover(ctl: Controller, session: Session, message: Takeover) -> m.Done:
    """Hand the lead over to another slurmctld."""
    _require_administrator(ctl, session, "slurm_takeover error: Invalid user id")
    if ctl.standbys is None:
        raise NotFound(message=f"takeover: invalid backup controller index ({message.index})", hints=[
            "slurm.conf names one slurmctld: a second line SlurmctldHost makes another one stand by"])
    ctl.standbys.offer(message.index)
    log.warning("uid %d has the lead handed over to %s", session.caller.uid, ctl.standbys.hosts[message.index])
    return m.Done(lines=[ctl.standbys.hosts[message.index]])


async def on_shutdown(ctl: Controller, session: Session, message: m.Shutdown) -> m.Done:
    """Stop in order: everything acknowledged is on disk, jobs go on. A slurmd that is just coming back is waited for, or it would stay."""
    _require_administrator(ctl, session, "slurm_shutdown error:Invalid user id")
    if ctl.standbys is not None:
        ctl.standbys.stop()
    if message.controller_only:
        _stop_soon(ctl)
    else:
        asyncio.ensure_future(ctl.links.shut_down()).add_done_callback(lambda _: _stop_soon(ctl))
    return m.Done()


def _stop_soon(ctl: Controller) -> None:
    asyncio.get_running_loop().call_later(ANSWER_SECONDS, ctl.stop)


async def on_quiesce(ctl: Controller, session: Session, message: m.Quiesce) -> m.Done:
    """Start nothing for a while."""
    _require_administrator(ctl, session, "slurm_shutdown error:Invalid user id")
    seconds = min(max(message.seconds, 0.0), MAX_QUIET_SECONDS)
    log.info("no job is started for %.0f s: the cluster is about to be stopped", seconds)
    ctl.planner.rest(seconds)
    return m.Done()


def _require_administrator(ctl: Controller, session: Session, message: str) -> None:
    if not rights.is_administrator(ctl.cluster, session.caller):
        raise NotPermitted("ESLURM_USER_ID_MISSING", message)
