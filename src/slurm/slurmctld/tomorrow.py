"""Tomorrow: the queue of this moment, planned under another configuration. For a process beside, whose cluster it may change."""

from __future__ import annotations

import base64
import binascii

import msgspec

from slurm.core.cluster import Cluster
from slurm.core.events import Configured, NodeRegistered
from slurm.journal.codec import Reader
from slurm.journal.shapes import TEXT, VERSION
from slurm.model.errors import InvalidRequest
from slurm.model.node import Node
from slurm.model.schedule import Schedule
from slurm.sched.plan import plan
from slurm.sched.proposal import Forecast
from slurm.sched.schedule import schedule

FORECASTS = 1000
"""For how many jobs behind the first ones a start is sought."""
PREFIX = f"{VERSION}:"


def read(text: str) -> Configured:
    """The configuration that `text` is; InvalidRequest when it is none, or another slurm-py wrote it."""
    if not text.startswith(PREFIX):
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=["this command is of another version of slurm-py than slurmctld"])
    try:
        event = Reader({VERSION: TEXT}).event(VERSION, "Configured", base64.b64decode(text[len(PREFIX):], validate=True))
    except (binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidRequest("ESLURM_INVALID_OPTION", hints=[f"that is no configuration: {error}"]) from error
    assert isinstance(event, Configured)
    return event


def planned(cluster: Cluster, event: Configured, now: float) -> Schedule:
    """The plan of all that waits, were this the configuration; nodes that are new in it are taken to be in service.

    `cluster` is changed.
    """
    known = set(cluster.nodes)
    event.at, event.settings.accounting = now, cluster.settings.accounting
    cluster.apply(event)
    for name, node in list(cluster.nodes.items()):
        if name not in known:
            cluster.apply(_registered(node, now))
    found = plan(cluster, now, backfill=cluster.settings.scheduler == "backfill", forecasts=FORECASTS)
    starts = dict(found.forecasts)
    for proposal in found.proposals:
        for job_id, allocation in proposal.parts:
            starts[job_id] = Forecast(now, [str(name) for name in allocation.nodes], allocation)
    return schedule(cluster, now, starts, found.verdicts, now)


def _registered(of: Node, at: float) -> NodeRegistered:
    return NodeRegistered(
        at=at, node=of.name, cpus=of.cpus, boards=of.boards, sockets=of.sockets, cores_per_socket=of.cores_per_socket,
        threads_per_core=of.threads_per_core, memory=of.memory, tmp_disk=of.tmp_disk, boot_time=at, slurmd_start_time=at, hostname=of.name)
