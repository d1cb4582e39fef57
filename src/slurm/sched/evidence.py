"""Evidence: what of a waiting job's request the nodes lack now, who holds it and until when. Looked at afresh for one job, for people.

Not here: why it waits (`verdicts`), nodes that do not suit it by what they are (`filters`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from itertools import islice

from slurm.model.cpu_set import NOTHING
from slurm.model.job import Job, NodeShare
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.notation import hostlist, moment
from slurm.notation.gres import GresRequest
from slurm.sched.need import Need
from slurm.sched.room import free_cpus, room
from slurm.sched.search import Field, Search
from slurm.sched.sharing import Sharing
from slurm.sched.space import NodeSpace, Space
from slurm.sched.terrain import Terrain
from slurm.sched.verdicts import SHOWN, free_of
from slurm.sched.view import View

Sees = Callable[[Job], bool]
"""Whether who asks may know of a job."""
HOLDERS = 3
ROOM = "has room for it"
"""So many jobs that hold something are named."""


def fits(terrain: Terrain, job: Job, need: Need, partition: Partition, now: float) -> str:
    """The nodes on which the job would start now if nobody waited before it, as a host list; "" when there is no room."""
    field = Field(terrain, Space(terrain.view.nodes), Sharing(terrain.view), frozenset(), None, now)
    found = Search(field, job, need, partition).find()
    return hostlist.compress(found.nodes) if found is not None else ""


def of_nodes(terrain: Terrain, need: Need, partition: Partition, sees: Sees) -> list[tuple[str, str]]:
    """(node, how it stands there) for the nodes that suit the job and are in service, the first of them.

    Where the job names nodes and one of those has no room, others do not help it: it is told of these only.
    """
    usable = terrain.usable(partition, need.site)
    named = [node for node in usable if node.name in need.site.wanted]
    seen = [(str(node.name), of_node(terrain.view, node, need, sees)) for node in islice(named, SHOWN)]
    if any(how != ROOM for _, how in seen):
        return seen
    return [(str(node.name), of_node(terrain.view, node, need, sees)) for node in islice(usable, SHOWN)]


def of_node(view: View, node: Node, need: Need, sees: Sees) -> str:
    """What of one task, or of the job's share of a node, is not free there and who holds it; or how much of the job there is room for."""
    space = NodeSpace(node)
    found = room(space, need, view.settings)
    if found is not None:
        total = need.total_tasks
        if found.tasks < total and need.nodes_min == 1:
            return f"room for {found.tasks} of its {total} tasks, held otherwise{_held(view, node, sees, lambda share: bool(share.cpus))}"
        return ROOM
    lacking = list(_lacking(view, node, space, need))
    if not lacking:
        return free_of(node) + _held(view, node, sees, lambda share: True)
    _, texts, holds = zip(*lacking, strict=True)
    return ", ".join(texts) + _held(view, node, sees, lambda share: any(hold(share) for hold in holds))


def counted(terrain: Terrain, need: Need, partition: Partition) -> Counter[str]:
    """Of what there is too little now → on how many of the nodes that suit the job and are in service."""
    view, found = terrain.view, Counter[str]()
    for node in terrain.usable(partition, need.site):
        space = NodeSpace(node)
        if room(space, need, view.settings) is None:
            kind, _, _ = next(iter(_lacking(view, node, space, need)), ("too little free", "", None))
            found[kind] += 1
    return found


def _lacking(view: View, node: Node, space: NodeSpace, need: Need) -> Iterable[tuple[str, str, Callable[[NodeShare], bool]]]:
    """What kind of lack it is, what there is too little of, and which shares hold some of it."""
    if need.whole and node.jobs:
        yield "not empty", "it is not empty", lambda share: True
        return
    for item in (*need.gres_node, *need.gres_task, *need.gpus_job):
        if space.devices(item) < (1 if item in need.gpus_job else item.count):
            yield (f"too few {_kind(item)} free", f"{space.devices(item)} of {len(node.devices(item.name, item.type))} {_kind(item)} free",
                _holds_devices(node, item))
    cpus = max(1, need.min_cpus, need.cpus_per_task * max(1, need.tasks_per_node))
    free = free_cpus(space, need)
    if free < cpus:
        yield "too few CPUs free", f"{free} of {node.job_cpu_count} CPUs free", lambda share: bool(share.cpus)
    memory = node.job_memory if need.mem_node == 0 else need.mem_node or (need.mem_cpu or 0) * cpus
    if space.memory < memory:
        yield "too little memory free", f"{space.memory} of {node.job_memory} MB free", lambda share: share.memory > 0


def _kind(item: GresRequest) -> str:
    return f"{item.type} {item.name}s" if item.type else f"{item.name}s"


def _holds_devices(node: Node, item: GresRequest) -> Callable[[NodeShare], bool]:
    devices = node.devices(item.name, item.type)
    return lambda share: bool(share.gres.get(item.name, NOTHING) & devices)


def _held(view: View, node: Node, sees: Sees, holds: Callable[[NodeShare], bool]) -> str:
    """ ", held by job 12 until …", the first to leave first; "" when nobody has any."""
    jobs = []
    for job_id in node.jobs:
        job = view.jobs[job_id]
        if job.allocation is not None and any(share.node == node.name and holds(share) for share in job.allocation.shares):
            jobs.append(job)
    return held_by(view, jobs, sees)


def held_by(view: View, jobs: Iterable[Job], sees: Sees) -> str:
    """ ", held by job 12 until …, job 13 without a time limit" with the first to leave first; "" for nobody."""
    ends = sorted(((view.expected_end(job) or float("inf"), job) for job in jobs), key=lambda pair: (pair[0], pair[1].id))
    if not ends:
        return ""
    told = [(f"job {job.shown_id} " if sees(job) else "another job ") + ("that ends now" if job.completing else f"until {moment.show(end)}"
        if end < float("inf") else "without a time limit")
            for end, job in ends[:HOLDERS]]
    more = f" and {len(ends) - HOLDERS} more" if len(ends) > HOLDERS else ""
    return f", held by {', '.join(told)}{more}"
