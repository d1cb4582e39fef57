"""Choosing: which nodes, and which of their CPUs, a reservation gets; and whether those that were named are to be had."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from slurm.core.reserving import windows
from slurm.core.state import ClusterState
from slurm.model.cpu_set import NOTHING, CpuSet
from slurm.model.errors import InvalidRequest, NotNow
from slurm.model.ids import NodeName
from slurm.model.node import Node
from slurm.model.reservation import Reservation
from slurm.model.states import NodeState
from slurm.notation import features, hostlist

NOTE = ("Note, unless nodes are directly requested a reservation must exist in a single partition.",
        "If no partition is requested the default partition is assumed.")
"""What Slurm says below a refusal of nodes that it was to choose."""


def named(state: ClusterState, of: Reservation, counts: Sequence[int], now: float) -> Reservation:
    """The reservation with its named nodes, and of each so many cores as `counts` says; NotNow when others have them then."""
    nodes = [state.nodes[name] for name in of.nodes if name in state.nodes]
    if counts and len(counts) != len(nodes):
        raise InvalidRequest("ESLURM_INVALID_CORE_CNT", hints=[
            f"CoreCnt names {len(counts)} numbers for {len(nodes)} nodes: write one for each node, as CoreCnt=2,2,3"])
    wanted = dict(zip((node.name for node in nodes), counts, strict=True)) if counts else {}
    cpus: dict[NodeName, CpuSet] = {}
    for node in nodes:
        if node.name in wanted:
            units = _cores(node, _reserved_cpus(state, of, node, now) if "FIRST_CORES" not in of.flags else NOTHING)
            if len(units) < wanted[node.name]:
                raise NotNow("ESLURM_NODES_BUSY", hints=[f"node {node.name} has {len(units)} cores for it, {wanted[node.name]} are asked "
                                                         "for"])
            cpus[node.name] = _union(units[:wanted[node.name]])
    found = _filled(of, nodes, cpus)
    require_free(state, found, now)
    _require_idle(state, found, now)
    return found


def chosen(state: ClusterState, of: Reservation, now: float) -> Reservation:
    """The reservation with nodes found for the numbers that it names; NotNow when there are not so many to be had then."""
    nodes, cores = of.node_count, of.core_count
    pool = candidates(state, of, now)
    picked: list[Node] = []
    cpus: dict[NodeName, CpuSet] = {}
    if not cores:
        picked = pool[:nodes]
    else:
        each = -(-cores // nodes) if nodes else 0
        left = cores
        for node in pool:
            units = _cores(node, _reserved_cpus(state, of, node, now))
            count = min(each or len(units), left)
            if not count or len(units) < count:
                continue
            picked.append(node)
            cpus[node.name] = _union(units[:count])
            left -= count
            if not left or len(picked) == nodes:
                break
        if left:
            picked = []
    if not picked or len(picked) < nodes:
        raise NotNow("ESLURM_NODES_BUSY", hints=[*NOTE, _short(of, len(pool))])
    return _filled(of, sorted(picked, key=_position), cpus)


def candidates(state: ClusterState, of: Reservation, now: float) -> list[Node]:
    """The nodes that it may get, the best first: idle ones, light ones, in the order of the configuration."""
    partition = state.partitions[of.partition]
    tree = features.parse(of.features) if of.features else None
    fit = [
        node for name in partition.nodes if (node := state.nodes.get(name)) is not None and node.state is not NodeState.FUTURE
        and (tree is None or features.evaluate(tree, frozenset(node.features)))]
    whole = not of.core_count
    free = [node for node in fit if _in_service(node) and not (whole and others_on(state, of, node, now))
        and not _busy(state, of, node, now)]
    return sorted(free, key=lambda node: (bool(node.jobs), node.weight, node.position))


def others_on(state: ClusterState, of: Reservation, node: Node, now: float) -> list[Reservation]:
    """The other reservations that have a node, or the same CPUs of it, at some time of this one; none count for one that may overlap."""
    if of.rank:
        return []
    return [
        other for other in state.reservations.values()
        if other.id != of.id and not other.rank and node.name in other.nodes and _share(of, other, node)
        and windows.collide(of, other, now)]


def require_free(state: ClusterState, of: Reservation, now: float) -> None:
    """NotNow when another reservation has one of the nodes then."""
    for name in of.nodes:
        node = state.nodes.get(name)
        taken = others_on(state, of, node, now) if node is not None else []
        if taken:
            raise NotNow("ESLURM_RESERVATION_OVERLAP", hints=[
                f"node {name} belongs to reservation {taken[0].name} then", "Flags=OVERLAP or Flags=MAINT let reservations share nodes"])


def with_nodes(of: Reservation, nodes: Iterable[Node]) -> Reservation:
    """The same reservation with these whole nodes."""
    return _filled(of, sorted(nodes, key=_position), {})


def replaced(state: ClusterState, of: Reservation, now: float) -> Reservation | None:
    """The reservation with others for nodes that cannot serve it; None when none fails, or none better is to be had."""
    begun = windows.active(of, now)
    kept, failed = [], 0
    for name in of.nodes:
        node = state.nodes.get(name)
        if node is None or not _in_service(node) or ("REPLACE" in of.flags and begun and node.jobs):
            failed += 1
        else:
            kept.append(node)
    if not failed or of.core_count or of.partition not in state.partitions:
        return None
    names = set(of.nodes)
    fresh = [node for node in candidates(state, of, now) if node.name not in names and not node.jobs][:failed]
    if not fresh:
        return None
    lost = [state.nodes[name] for name in of.nodes if name in state.nodes and state.nodes[name] not in kept][:failed - len(fresh)]
    return with_nodes(of, [*kept, *fresh, *lost])


def _filled(of: Reservation, nodes: Sequence[Node], cpus: dict[NodeName, CpuSet]) -> Reservation:
    cores = sum(len(cpus[node.name]) // node.threads if cpus else node.cpus // node.threads for node in nodes)
    return msgspec.structs.replace(of, nodes=[node.name for node in nodes], cpus=cpus, cores=cores)


def _share(of: Reservation, other: Reservation, node: Node) -> bool:
    """Whether both want the same of a node: with CPUs of their own they can have one together."""
    mine, theirs = of.cpus.get(node.name), other.cpus.get(node.name)
    return mine is None or theirs is None or not mine.isdisjoint(theirs)


def _reserved_cpus(state: ClusterState, of: Reservation, node: Node, now: float) -> CpuSet:
    """The CPUs of a node that other reservations have at some time of this one."""
    taken = NOTHING
    if not of.rank:
        for other in state.reservations.values():
            if other.id != of.id and not other.rank and node.name in other.nodes and windows.collide(of, other, now):
                taken |= other.cpus.get(node.name, CpuSet.run(node.cpus))
    return taken


def _cores(node: Node, taken: CpuSet) -> list[CpuSet]:
    """The cores of a node, as CPUs, of which nothing is taken."""
    threads = node.threads
    every = (CpuSet.run(threads, first) for first in range(0, node.cpus, threads))
    return [core for core in every if core.isdisjoint(taken | node.spec_cpus)]


def _union(cores: Iterable[CpuSet]) -> CpuSet:
    found = NOTHING
    for core in cores:
        found |= core
    return found


def _in_service(node: Node) -> bool:
    return not node.drain and node.state is not NodeState.DOWN


def _busy(state: ClusterState, of: Reservation, node: Node, now: float) -> bool:
    """Whether jobs that run on a node are still there when the reservation begins."""
    if "IGNORE_JOBS" in of.flags or not node.jobs:
        return False
    start = windows.window(of, now).start
    return any(_ends(state, state.jobs[job].id, now) > start and state.jobs[job].id not in _own_jobs(state, of) for job in node.jobs)


def _own_jobs(state: ClusterState, of: Reservation) -> set[int]:
    return {job.id for job in state.active.values() if job.holding is not None and job.holding.reservation == of.name}


def _ends(state: ClusterState, job_id: int, now: float) -> float:
    job = state.job(job_id)
    if job.completing:
        return now
    end = state.kill_time(job)
    return float("inf") if end is None else end


def _require_idle(state: ClusterState, of: Reservation, now: float) -> None:
    busy = [name for name in of.nodes if _busy(state, of, state.nodes[name], now)]
    if busy:
        raise NotNow("ESLURM_NODES_BUSY", hints=[
            f"jobs run beyond its start on {hostlist.compress(busy)}", "Flags=IGNORE_JOBS makes it nevertheless; those jobs go on"])


def _short(of: Reservation, there: int) -> str:
    what = " and ".join(text for text in (f"{of.node_count} nodes" * bool(of.node_count), f"{of.core_count} cores" * bool(of.core_count))
        if text)
    return f"{what} of partition {of.partition} are asked for; {there} nodes are in service, suit it and are not taken then"


def _position(node: Node) -> int:
    return node.position
