"""Ports that are kept for steps (MpiParams=ports=FIRST-LAST): the same ones on each node of a step, and on no node for two steps at once.

Nothing here listens at them, nor keeps others from doing so: a step's programs are told (SLURM_STEP_RESV_PORTS) which ones no other step
has been given.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from slurm.core.state import ClusterState
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.job import Job, NodeShare
from slurm.model.request import StepRequest


def chosen(state: ClusterState, job: Job, request: StepRequest, shares: Sequence[NodeShare]) -> list[int]:
    """The ports of a step that is to have these shares, in order; none where it is to have none.

    InvalidRequest when it asks for more than there are, NotNow while other steps have them. One that does not say how many gets one for
    each task of the node with the most of them, and one more. Steps that follow each other begin at different ports: one that was given back
    just now may still be busy with the last words of its connections.
    """
    wanted = request.resv_ports
    if not state.settings.mpi_ports:
        if wanted:
            raise InvalidRequest("ESLURM_PORTS_INVALID", hints=["this cluster keeps no ports for steps (MpiParams=ports=FIRST-LAST)"])
        return []
    first, last = state.settings.mpi_ports
    count, size = 1 + max(share.tasks for share in shares) if wanted is None or wanted < 0 else wanted, last - first + 1
    if count > size:
        raise InvalidRequest("ESLURM_PORTS_INVALID", hints=[f"{count} ports on each node are asked for, there are {size}: {first}-{last}"])
    taken = _taken(state, shares)
    begin = (job.id + job.next_step * count) % size
    free = (port for place in range(size) if (port := first + (begin + place) % size) not in taken)
    found = list(islice(free, count))
    if len(found) < count:
        raise NotNow("ESLURM_PORTS_BUSY", hints=[f"of the ports {first}-{last} other steps on these nodes have {len(taken)}"])
    return sorted(found)


def _taken(state: ClusterState, shares: Sequence[NodeShare]) -> set[int]:
    """Those that steps, of whatever job, have on one of these nodes."""
    names = {share.node for share in shares}
    jobs = {number for name in names for number in state.nodes[name].jobs}
    steps = (step for number in jobs for step in state.jobs[number].steps.values() if step.ports)
    return {port for step in steps if not names.isdisjoint(step.nodes_left) for port in step.ports}
