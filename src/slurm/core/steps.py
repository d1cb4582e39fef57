"""Steps: what an srun inside a job gets of the job's resources: nodes, CPUs, tasks. How it runs is decided by slurmd."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from slurm.core import resolving, step_gres, step_ports
from slurm.core.state import ClusterState
from slurm.core.step_gres import StepGres
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.ids import INTERACTIVE_STEP, NodeName, StepId
from slurm.model.job import Job, NodeShare, Step
from slurm.model.node import Node
from slurm.model.request import StepRequest
from slurm.notation.gres import GresRequest


class _Room(NamedTuple):
    """What a step may take on one node of the job."""

    share: NodeShare
    node: Node
    cpus: CpuSet
    memory: int
    gres: dict[str, CpuSet]


def asked_before(job: Job, request: StepRequest) -> Step | None:
    """The step that this very request got before, when its srun did not hear of it and asks again."""
    return next((step for step in job.steps.values() if request.key and step.request.key == request.key), None)


def plan_step(state: ClusterState, job: Job, request: StepRequest, now: float) -> Step:
    """The step that a request gets. NotNow while other steps use what it needs, InvalidRequest when the job never had it."""
    if job.next_step >= state.settings.max_step_count:
        raise NotNow("ESLURM_STEP_LIMIT", hints=[f"at most {state.settings.max_step_count} steps a job (MaxStepCount)"])
    if request.interactive:
        return _interactive(job, request, now)
    _check_distribution(request.distribution)
    full = _candidates(state, job, request, free=False)
    _check_size(full, job, request)
    rooms = _candidates(state, job, request, free=not request.overlap)
    per_task = _cpus_per_task(job, request)
    wanted = step_gres.of(request, job.request)
    picked = _pick(rooms, job, request, per_task, wanted)
    if picked is None:
        if _pick(full, job, request, per_task, wanted) is not None:
            raise NotNow("ESLURM_NODES_BUSY", hints=["other steps of the job use what this one needs; --overlap shares it"])
        if _pick(full, job, request, per_task, StepGres(asked=True)) is not None:
            raise InvalidRequest("ESLURM_INVALID_GRES", hints=[*wanted.shown(), _devices(full)])
        raise InvalidRequest(_shortage(full, job, request, per_task), hints=_lacking(full, per_task, wanted))
    in_all = _dealt_devices(picked, wanted)
    shares = [_share(room, tasks, request, per_task, wanted, here) for (room, tasks), here in zip(picked, in_all, strict=True)]
    return Step(
        id=StepId(job.next_step), name=request.name, start_time=now, request=request, shares=shares,
        ntasks=sum(share.tasks for share in shares), nodes_left=[share.node for share in shares], launcher=request.launcher,
        ports=step_ports.chosen(state, job, request, shares))


def plan_steps(state: ClusterState, wanted: Sequence[tuple[Job, StepRequest]], now: float) -> list[Step]:
    """The same for several components of a heterogeneous job: a step of each, all with the same number, which none of them has had."""
    if len(wanted) > 1 and any(request.interactive for _, request in wanted):
        raise InvalidRequest("ESLURM_INVALID_OPTION",
            hints=["an interactive step is of one component of a heterogeneous job, not of several"])
    made = [plan_step(state, job, request, now) for job, request in wanted]
    if len(made) == 1:
        return made
    number = StepId(max(job.next_step for job, _ in wanted))
    return [msgspec.structs.replace(step, id=number) for step in made]


def _interactive(job: Job, request: StepRequest, now: float) -> Step:
    """The step of salloc's shell: it takes nothing from others."""
    assert job.allocation is not None
    if INTERACTIVE_STEP in job.steps:
        raise InvalidRequest("ESLURM_DUPLICATE_STEP_ID",
            hints=[f"job {job.shown_id} has an interactive step; `srun --overlap --pty` starts another shell"])
    share = msgspec.structs.replace(job.allocation.shares[0], tasks=1)
    return Step(
        id=INTERACTIVE_STEP, name="interactive", start_time=now, request=request, shares=[share], ntasks=1, nodes_left=[share.node],
        launcher=request.launcher)


def ranks(step: Step) -> list[list[int]]:
    """The global task ranks on each node of a step, in the order of its shares: block, cyclic or plane=N."""
    counts = [share.tasks for share in step.shares]
    word = (step.request.distribution or "block").split(",")[0].split(":")[0].lower()
    if word.startswith("plane"):
        return _dealt(counts, max(1, int(word.partition("=")[2] or 1)))
    if word == "cyclic":
        return _dealt(counts, 1)
    result: list[list[int]] = []
    begin = 0
    for count in counts:
        result.append(list(range(begin, begin + count)))
        begin += count
    return result


def _check_distribution(text: str) -> None:
    """plane=N needs a number: the commands have seen to it, and other programs may speak to us."""
    word, sized, size = text.split(",")[0].split(":")[0].lower().partition("=")
    if word.startswith("plane") and (word != "plane" or (sized and not (size.isascii() and size.isdecimal() and int(size)))):
        raise InvalidRequest("ESLURM_BAD_DIST", hints=["valid: plane=N, N tasks in a row on each node"])


def _task_count(rooms: list[_Room], job: Job, request: StepRequest) -> int:
    """How many tasks a step has when all is filled in: its own -n, else tasks a node, else one a node, or as many as the job has there."""
    if request.ntasks:
        return request.ntasks
    nodes = request.nodes_min or len(rooms)
    if request.ntasks_per_node:
        return nodes * request.ntasks_per_node
    asked = job.request
    if nodes < len(rooms) or not (asked.ntasks or asked.ntasks_per_node or asked.ntasks_per_gpu):
        return nodes
    return max(nodes, sum(room.share.tasks for room in rooms))


def _cpus_per_task(job: Job, request: StepRequest) -> int:
    return max(1, request.cpus_per_task or job.request.cpus_per_task)


def _candidates(state: ClusterState, job: Job, request: StepRequest, *, free: bool) -> list[_Room]:
    """The job's nodes that the request allows, with what is there, or with what running steps leave of it when `free`."""
    assert job.allocation is not None
    shares = job.allocation.shares
    wanted = resolving.known_nodes(state, request.nodelist) if request.nodelist else None
    excluded = set(resolving.known_nodes(state, request.exclude)) if request.exclude else set()
    if wanted is not None and not set(wanted) <= {share.node for share in shares}:
        raise InvalidRequest("ESLURM_REQUESTED_NODES_NOT_IN_PARTITION", hints=[
            f"job {job.shown_id} has the nodes {','.join(job.allocation.nodes)}"])
    if request.relative is not None:
        if request.relative >= len(shares):
            raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[f"the job has {len(shares)} nodes, --relative={request.relative}"])
        shares = shares[request.relative:]
    rooms = []
    for share in shares:
        if share.node in excluded or (wanted is not None and share.node not in wanted) or share.node not in job.nodes_left:
            continue
        node = state.nodes[share.node]
        rooms.append(_room(job, share, node) if free else _Room(share, node, share.cpus, share.memory, dict(share.gres)))
    return rooms


def _room(job: Job, share: NodeShare, node: Node) -> _Room:
    cpus, memory, devices = share.cpus, share.memory, dict(share.gres)
    for step in job.steps.values():
        if step.id < 0 or step.request.overlap or share.node not in step.nodes_left:
            continue
        for taken in step.shares:
            if taken.node == share.node:
                cpus -= taken.cpus
                memory -= taken.memory
                for name, held in taken.gres.items():
                    devices[name] = devices.get(name, NOTHING) - held
    return _Room(share, node, cpus, max(0, memory), devices)


def _check_size(rooms: list[_Room], job: Job, request: StepRequest) -> None:
    if request.nodes_min > len(rooms):
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[
            f"{request.nodes_min} nodes are asked for, the job has {len(rooms)} that the step may use"])
    if 0 < request.nodes_max < request.nodes_min:
        raise InvalidRequest("ESLURM_INVALID_NODE_COUNT", hints=[f"at least {request.nodes_min} and at most {request.nodes_max} nodes"])


def _slots(room: _Room, job: Job, request: StepRequest, per_task: int, wanted: StepGres) -> int:
    """How many tasks of the step this node could take."""
    if not room.cpus:
        return 0
    overcommits = request.overcommit or job.request.overcommit
    each = 1 if overcommits else per_task
    most = len(room.cpus) // each
    if request.mem_per_cpu and room.share.memory:
        most = min(most, room.memory // (request.mem_per_cpu * each))
    if most and overcommits:
        most = 1 << 30
    if request.mem_per_node and room.share.memory and request.mem_per_node > room.memory:
        return 0
    if not wanted.asked and not all(held <= room.gres.get(name, NOTHING) for name, held in room.share.gres.items()):
        return 0
    by_devices = step_gres.tasks_on(room.node, room.gres, wanted)
    if by_devices is not None:
        most = min(most, by_devices)
    return min(most, request.ntasks_per_node) if request.ntasks_per_node else most


def _pick(rooms: list[_Room], job: Job, request: StepRequest, per_task: int, wanted: StepGres) -> list[tuple[_Room, int]] | None:
    """Nodes and their tasks, as many nodes as asked for, else all that get a task and, of a count of devices, one; None when there is not
    enough."""
    tasks = _task_count(rooms, job, request)
    slots = [(room, most) for room in rooms if (most := _slots(room, job, request, per_task, wanted)) > 0]
    nodes = request.nodes_max or request.nodes_min or len(rooms)
    least = request.nodes_min or 1
    chosen = slots[: min(nodes, tasks, wanted.total or tasks)]
    if not chosen or len(chosen) < min(least, tasks) or sum(most for _, most in chosen) < tasks:
        return None
    if any(sum(len(step_gres.there(room.node, room.gres, item)) for room, _ in chosen) < item.count for item in wanted.in_all):
        return None
    return _spread(chosen, tasks, request)


def _dealt_devices(picked: list[tuple[_Room, int]], wanted: StepGres) -> list[list[tuple[GresRequest, int]]]:
    """How many devices of the step's own count come from each node."""
    here: list[list[tuple[GresRequest, int]]] = [[] for _ in picked]
    for item in wanted.in_all:
        counts = step_gres.dealt([len(step_gres.there(room.node, room.gres, item)) for room, _ in picked], item.count)
        for place, count in enumerate(counts or []):
            here[place].append((item, count))
    return here


def _spread(chosen: list[tuple[_Room, int]], tasks: int, request: StepRequest) -> list[tuple[_Room, int]]:
    """One task a node first; the rest node after node as they fit (block), or in turn (cyclic)."""
    counts = [1] * len(chosen)
    left = tasks - len(chosen)
    if (request.distribution or "block").lower().startswith("cyclic"):
        while left > 0:
            for index, (_, most) in enumerate(chosen):
                if left and counts[index] < most:
                    counts[index] += 1
                    left -= 1
    else:
        for index, (_, most) in enumerate(chosen):
            more = min(left, most - counts[index])
            counts[index] += more
            left -= more
    return [(room, count) for (room, _), count in zip(chosen, counts, strict=True)]


def _share(
    room: _Room, tasks: int, request: StepRequest, per_task: int, wanted: StepGres, in_all: list[tuple[GresRequest, int]],
) -> NodeShare:
    """What the step gets on one node: every CPU that is free there; just what its tasks need with --exact, --exclusive or -c."""
    exact = request.exact or request.exclusive or bool(request.cpus_per_task)
    cpus = room.cpus.lowest(tasks * per_task) if exact else room.cpus
    memory = room.memory
    if request.mem_per_cpu:
        memory = request.mem_per_cpu * len(cpus)
    elif request.mem_per_node:
        memory = request.mem_per_node
    elif room.share.memory and room.share.cpus:
        memory = min(room.memory, room.share.memory * len(cpus) // len(room.share.cpus))
    devices: dict[str, CpuSet] = {}
    counts = [(item, item.count) for item in wanted.per_node] + [(item, item.count * tasks) for item in wanted.per_task] + in_all
    for item, count in sorted(counts, key=lambda pair: not pair[0].type):  # two counts of the same devices hold both, they do not add up
        there, held = step_gres.there(room.node, room.gres, item), devices.get(item.name, NOTHING)
        if room.node.consumes(item.name):
            devices[item.name] = held | (there - held).lowest(count - len(held & there))
    if not wanted.asked:
        devices = {name: left for name, left in room.gres.items() if left}
    return NodeShare(node=NodeName(room.share.node), cpus=cpus, memory=min(memory, room.memory), gres=devices, tasks=tasks)


def _shortage(rooms: list[_Room], job: Job, request: StepRequest, per_task: int) -> str:
    """Slurm's name for what the job has too little of: memory when without a word on it the step had room, else CPUs, else nodes."""
    if not rooms:
        return "ESLURM_REQUESTED_NODE_CONFIG_UNAVAILABLE"
    freely = msgspec.structs.replace(request, mem_per_cpu=None, mem_per_node=None)
    if _pick(rooms, job, freely, per_task, StepGres(asked=True)) is not None:
        return "ESLURM_INVALID_TASK_MEMORY"
    return "ESLURM_TOO_MANY_REQUESTED_CPUS"


def _lacking(rooms: list[_Room], per_task: int, wanted: StepGres) -> list[str]:
    cpus = sum(len(room.cpus) for room in rooms)
    hints = [f"the step may use {len(rooms)} nodes with {cpus} CPUs of the job; it needs {per_task} CPUs a task"]
    return hints + wanted.shown()


def _devices(rooms: list[_Room]) -> str:
    """What the job has of generic resources, for whoever asked for more."""
    held = [f"{room.share.node}: {', '.join(f'{name}:{len(left)}' for name, left in room.gres.items() if left) or 'none'}"
        for room in rooms]
    return f"the job has {'; '.join(held)}"


def _dealt(counts: list[int], size: int) -> list[list[int]]:
    """Ranks dealt in runs of `size` to the nodes in turn, up to each node's count."""
    result: list[list[int]] = [[] for _ in counts]
    rank, total = 0, sum(counts)
    while rank < total:
        for index, count in enumerate(counts):
            run = min(size, count - len(result[index]), total - rank)
            result[index].extend(range(rank, rank + run))
            rank += run
    return result
