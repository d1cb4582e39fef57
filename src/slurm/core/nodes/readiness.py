"""Whether the nodes of a job are there for it: some have to be powered up or started anew first. The job is CONFIGURING until then."""

from __future__ import annotations

from slurm.core.state import BOOTING, ClusterState
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.node import Node
from slurm.model.states import Power


def ask(state: ClusterState, job: Job) -> bool:
    """Have the nodes that a job was just given made ready; whether it has to wait for one."""
    waits = False
    for name in job.nodes_left:
        node = state.nodes[name]
        if node.power is Power.OFF:
            node.power_asked = "up"
        elif job.request.reboot and state.settings.reboots and node.power is Power.ON:
            node.reboot = "for_job"
        waits = waits or not node.is_ready
    return waits


def is_booting(job: Job) -> bool:
    """Whether a job that was given its nodes waits for them: nothing of it was ever started."""
    return BOOTING in job.flags


def not_ready(state: ClusterState, job: Job) -> list[NodeName]:
    """The nodes that a job still waits for."""
    return [name for name in job.nodes_left if (node := state.nodes.get(name)) is not None and not node.is_ready]


def unasked(node: Node) -> None:
    """Nobody needs a node any more that was to come up or to be started anew for a job."""
    if node.power is Power.OFF and node.power_asked == "up" and not node.jobs:
        node.power_asked = ""
    if node.reboot == "for_job" and not node.jobs:
        node.reboot = ""
