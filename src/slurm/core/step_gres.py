"""What a step asks for of its job's generic resources, and how much of it there is in each place.

Which nodes it gets is decided in `steps`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import InvalidRequest
from slurm.model.node import Node
from slurm.model.request import JobRequest, StepRequest
from slurm.notation import gres
from slurm.notation.errors import NotationError
from slurm.notation.gres import GresRequest


class StepGres(NamedTuple):
    """Counts above 0. `asked` False: nothing was said, so the step has all that the job has; True without counts: it has none."""

    asked: bool
    per_node: tuple[GresRequest, ...] = ()
    per_task: tuple[GresRequest, ...] = ()
    in_all: tuple[GresRequest, ...] = ()

    @property
    def total(self) -> int:
        """Devices over all nodes of the step, 0 for no such count."""
        return sum(item.count for item in self.in_all)

    def shown(self) -> list[str]:
        """What is asked for, in sentences."""
        parts = ((self.per_node, "on each node"), (self.per_task, "for each task"), (self.in_all, "over all"))
        return [f"{item.show()} is asked for {where}" for items, where in parts for item in items]


def of(request: StepRequest, job: JobRequest) -> StepGres:
    """The generic resources of a step's request; InvalidRequest when a text in it does not parse.

    Without a word about them a step has what its job asked for, not what the job has only because its nodes are its own. Source: srun(1),
    --gres.
    """
    asked = _read(request)
    return asked if asked.asked or job.exclusive != "node" else _read(job)._replace(asked=True)


def _read(request: StepRequest | JobRequest) -> StepGres:
    per_gpus = (request.gpus, request.gpus_per_node, request.gpus_per_socket, request.gpus_per_task)
    try:
        per_node = gres.parse(request.gres) + gres.parse_gpus(request.gpus_per_node)
        sockets = max(1, request.sockets_per_node)
        per_node += [item._replace(count=item.count * sockets) for item in gres.parse_gpus(request.gpus_per_socket)]
        return StepGres(
            bool(request.gres or any(per_gpus)), _counted(per_node), _counted(gres.parse_gpus(request.gpus_per_task)),
            _counted(gres.parse_gpus(request.gpus)))
    except NotationError as error:
        raise InvalidRequest("ESLURM_INVALID_GRES", hints=[error.message]) from error


def tasks_on(node: Node, devices: Mapping[str, CpuSet], wanted: StepGres) -> int | None:
    """How many tasks the devices of a node suffice for; None: as many as you like."""
    for item in (*wanted.per_node, *(one._replace(count=1) for one in wanted.in_all)):
        if len(there(node, devices, item)) < item.count:
            return 0
    found = [len(there(node, devices, item)) // item.count for item in wanted.per_task]
    return min(found) if found else None


def there(node: Node, devices: Mapping[str, CpuSet], item: GresRequest) -> CpuSet:
    """The devices of this kind among those given; all of the node's where none is anybody's own."""
    if not node.consumes(item.name):
        return node.devices(item.name, item.type)
    held = devices.get(item.name, NOTHING)
    return held & node.devices(item.name, item.type) if item.type else held


def dealt(have: Sequence[int], count: int) -> list[int] | None:
    """How many of `count` devices come from each node: one at least, the rest from the first that have them; None when they do not
    suffice."""
    if sum(have) < count or not all(have):
        return None
    here = [1] * len(have)
    left = count - len(have)
    for place, most in enumerate(have):
        more = max(0, min(left, most - 1))
        here[place] += more
        left -= more
    return here


def _counted(items: Sequence[GresRequest]) -> tuple[GresRequest, ...]:
    return tuple(item for item in items if item.count)
