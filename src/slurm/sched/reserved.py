"""Reserved: the ways in which a job may start in view of reservations, each a narrower look at the nodes.

The rule is `core.reserving.claims`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from itertools import islice
from math import inf
from typing import NamedTuple

from slurm.core.reserving import claims, windows
from slurm.model.cpu_set import CpuSet
from slurm.model.ids import NodeName
from slurm.model.job import Job, NodeShare
from slurm.model.node import Node
from slurm.model.reservation import Reservation
from slurm.sched.lengths import YEAR, expected_end
from slurm.sched.need import Need
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Hold, Timeline
from slurm.sched.view import View

OCCURRENCES = 16
"""So many occurrences of a reservation that repeats are kept in the timeline."""


class Entry(NamedTuple):
    """One way in: in `reservation`, or ("") outside of any. CPUs are bits of a CpuSet.

    `within` bounds it to nodes of its own, `own` to CPUs of theirs; `closed` nodes and `barred` CPUs are kept for others.
    """

    reservation: str = ""
    number: int = 0
    flexible: bool = False
    within: frozenset[NodeName] | None = None
    own: Mapping[NodeName, int] = {}
    closed: frozenset[NodeName] = frozenset()
    barred: Mapping[NodeName, int] = {}
    until: float = inf  # when it ends its jobs
    key: tuple[str, ...] = ()  # of equal keys equal entries, as long as no reservation changes

    @property
    def kept_apart(self) -> bool:
        """Whether it is about nodes that are its reservation's own, so that it does not compete with jobs outside."""
        return self.within is not None

    def seen(self, need: Need) -> Need:
        """The need as this way allows it."""
        if self.within is None and not self.closed:
            return need
        return need._replace(site=need.site._replace(within=self.within, closed=self.closed))

    def cpus(self, node: NodeName, free: int) -> int:
        """Those of the free CPUs of a node that it allows."""
        if node in self.own:
            free &= self.own[node]
        return free & ~self.barred[node] if node in self.barred else free


OUTSIDE = Entry()
"""Where nothing is reserved."""


def entries(terrain: Terrain, job: Job, now: float) -> list[Entry]:
    """The ways in which a job may start now, the best first; [] while no reservation that it asks for lets it in."""
    view = terrain.view
    reservations = view.reservations
    if not reservations:
        return [] if job.request.reservation else [OUTSIDE]
    found = [_entry(terrain, job, own, now, now) for own in claims.entrances(reservations, job, view.policy, now)]
    return found if job.request.reservation else [*found, _entry(terrain, job, None, now, now)]


def allowed(terrain: Terrain, job: Job, entry: Entry, now: float, start: float, owners: frozenset[str]) -> bool:
    """Whether a job that starts in this way may do so at a later moment too: its reservation still runs, and no other one bars more than
    now.

    Those of `owners` are kept in the timeline and need no look.
    """
    reservations = terrain.view.reservations
    own = reservations.get(entry.reservation) if entry.reservation else None
    if own is not None and not entry.flexible and start >= windows.window(own, now).end:
        return False
    return {other.name for other in claims.barring(reservations.values(), job, own, now, start)} - owners <= set(entry.key[1:])


def later(terrain: Terrain, need: Need, entry: Entry, owners: frozenset[str]) -> Need:
    """The need for times to come: nodes that only reservations of `owners` close now are open again when these are over."""
    if not entry.closed or owners.isdisjoint(entry.key[1:]):
        return need

    def closed() -> frozenset[NodeName]:
        reservations = terrain.view.reservations
        lasting = {node for name in entry.key[1:] if name not in owners and name in reservations for node in reservations[name].nodes}
        return entry.closed & lasting

    return need._replace(site=need.site._replace(closed=terrain.kept(("later", entry.key, owners), closed)))


def keep_reserved(timeline: Timeline, view: View, now: float) -> None:
    """Write what is reserved on the timeline, as far as that can be told in counts: whole nodes that no other reservation has, at moments
    that stay.

    All else (cores, FLEX, TIME_FLOAT, nodes of several) is kept by the look at the nodes alone.
    """
    board = timeline.board
    holders = Counter(name for of in view.reservations.values() for name in of.nodes)
    for of in view.reservations.values():
        if of.cpus or {"FLEX", "TIME_FLOAT"} & set(of.flags) or any(holders[name] > 1 for name in of.nodes):
            continue
        nodes = [view.nodes[name] for name in of.nodes if name in board.position]
        usage = board.usage([_all_of(node) for node in nodes])
        for one in islice(windows.occurrences(of, now, now + YEAR), OCCURRENCES):
            timeline.hold(Hold(one.start, one.end, usage, of.name))
    for job in view.active.values():
        if job.allocation is not None and timeline.owner(job.allocation.reservation):
            held = [share for share in job.allocation.shares if share.node in job.nodes_left]
            timeline.hold(Hold(now, expected_end(view, job, now), board.usage(held), job.allocation.reservation, -1))


def _all_of(node: Node) -> NodeShare:
    return NodeShare(node=node.name, cpus=CpuSet.run(node.cpus), memory=node.memory,
        gres={pool.name: node.devices(pool.name) for pool in node.gres})


def _entry(terrain: Terrain, job: Job, own: Reservation | None, now: float, start: float) -> Entry:
    barring = claims.barring(terrain.view.reservations.values(), job, own, now, start)
    key = (own.name if own is not None else "", *(other.name for other in barring))
    if key == ("",):
        return OUTSIDE
    return terrain.kept(("entry", key), lambda: _made(own, barring, key))


def _made(own: Reservation | None, barring: list[Reservation], key: tuple[str, ...]) -> Entry:
    kept = claims.of(barring, own)
    barred = {name: cpus.bits for name, cpus in kept.cpus.items()}
    if own is None:
        return Entry(closed=kept.nodes, barred=barred, key=key)
    if "FLEX" in own.flags:
        return Entry(own.name, own.id, True, None, {}, kept.nodes, barred, inf, key)
    return Entry(own.name, own.id, False, frozenset(own.nodes), {name: cpus.bits for name, cpus in own.cpus.items()}, kept.nodes, barred,
        own.end, key)
