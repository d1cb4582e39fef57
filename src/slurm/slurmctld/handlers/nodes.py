"""Nodes and partitions that operators make and delete, and nodes that they have started anew."""

from __future__ import annotations

import logging

from slurm.core import partition_update, resolving
from slurm.core.nodes import dynamic, rebooting
from slurm.core.rights import require_administrator
from slurm.model.ids import NodeName
from slurm.slurmctld import dynamic_nodes
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.jobs import LATER
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import node_changes as n

log = logging.getLogger("slurmctld")


async def on_create_nodes(ctl: Controller, session: Session, message: n.CreateNodes) -> m.Done:
    """scontrol create nodename=."""
    require_administrator(ctl.cluster, session.caller)
    events = dynamic_nodes.created(ctl.config, ctl.cluster, message.changes, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    ctl.links.expect_all()
    return m.Done()


async def on_delete_nodes(ctl: Controller, session: Session, message: n.DeleteNodes) -> m.Done:
    """scontrol delete nodename=; its slurmd, if there is one, is sent away."""
    names = [NodeName(name) for name in resolving.known_nodes(ctl.cluster, message.nodes)]
    events = dynamic.deleted(ctl.cluster, names, session.caller, ctl.now())
    durable = ctl.engine.record(*events)
    ctl.links.send_away(names)
    await ctl.engine.promised(durable, LATER)
    return m.Done()


async def on_create_partition(ctl: Controller, session: Session, message: n.CreatePartition) -> m.Done:
    """scontrol create partitionname=."""
    events = partition_update.create_partition(ctl.cluster, message.name, message.changes, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    return m.Done()


async def on_delete_partition(ctl: Controller, session: Session, message: n.DeletePartition) -> m.Done:
    """scontrol delete partitionname=."""
    events = partition_update.delete_partition(ctl.cluster, message.name, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    return m.Done()


async def on_reboot(ctl: Controller, session: Session, message: n.RebootNodes) -> m.Done:
    """scontrol reboot, scontrol cancel_reboot."""
    if message.cancel:
        events = rebooting.cancelled(ctl.cluster, message.nodes, session.caller, ctl.now())
    else:
        events = rebooting.asked(
            ctl.cluster, message.nodes, message.asap, message.next, message.reason, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(*events), LATER)
    return m.Done()
