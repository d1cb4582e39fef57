"""Making room in one pass: what others gave up for a job is kept for it, jobs give way to one that finds no room, and go on after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from slurm.core import events as e
from slurm.core import promises
from slurm.core.gates import policy_limits
from slurm.model.cpu_set import NOTHING
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Allocation, Job, NodeShare
from slurm.model.partition import Partition
from slurm.model.refusal import ENDINGS, Refusal
from slurm.model.states import Reason
from slurm.sched.lengths import length
from slurm.sched.need import Need
from slurm.sched.preemption import MOST_DROPPED, Giver, Preemption, Usages, Vacancy, vacated
from slurm.sched.priority import Scale
from slurm.sched.proposal import Change, Proposal
from slurm.sched.reserved import Entry
from slurm.sched.search import Field, Search
from slurm.sched.space import Space
from slurm.sched.terrain import Terrain
from slurm.sched.timeline import Hold, Timeline
from slurm.sched.view import View

CURES = ("NodeFreed", "Preempted", "PromiseEnded", *ENDINGS)


class Turns:
    """The jobs that gave way by holding still, each to go on at its place among those that wait."""

    def __init__(self, view: View, now: float, room: MakingRoom) -> None:
        jobs = room.resumable() if view.suspended else []
        self._scale = Scale(view, now) if jobs else None
        self._room = room
        self._left = sorted(((self._scale.key(job), job) for job in jobs), key=lambda pair: pair[0]) if self._scale is not None else []

    def before(self, job: Job) -> None:
        """A waiting job is about to be looked at: those before it go on, if they can."""
        if self._left and self._scale is not None:
            key = self._scale.key(job)
            while self._left and self._left[0][0] < key:
                self._room.resume(self._left.pop(0)[1])

    def rest(self) -> None:
        """All others go on, if they can."""
        for _, job in self._left:
            self._room.resume(job)
        self._left = []


class MakingRoom:
    """What a pass does about giving way. `counts`: whether searches go by the board; `writes`: whether what is kept is taken from it, and
    not from a timeline; `field` tells where a search is to look."""

    def __init__(self, view: View, now: float, terrain: Terrain, space: Space, *, counts: bool, writes: bool,
            field: Callable[[Entry], Field]) -> None:
        self.view = view
        self.now = now
        self.terrain = terrain
        self.space = space
        self.changes: list[Change] = []
        self.preemption = Preemption(view, now)
        self._counts = counts
        self._writes = writes
        self._field = field
        self._chosen: set[JobId] = set()
        self.written: set[NodeName] = set()  # nodes of whose room something was taken, which holds for this pass only
        self._usages: Usages = {}
        self._vain: set[tuple[object, ...]] = set()  # needs for which nobody can make room
        for job in view.promised.values():
            if job.promise is not None:
                self._keep(job.promise.allocation, promises.givers(view, job))

    def hold(self, timeline: Timeline) -> None:
        """Keep what was promised in the time to come as well."""
        for job in self.view.promised.values():
            if job.promise is not None:
                usage = self.terrain.board.usage(job.promise.allocation.shares)
                timeline.hold(Hold(self.now, self.now + length(job), usage))

    def kept(self, job: Job, gate: Refusal | None) -> Proposal | Refusal:
        """The start of a job for which others gave way, or why it has to wait; `gate`: what keeps it from starting at all."""
        assert job.promise is not None
        why = promises.broken(self.view, job)
        if gate is not None or why is not None:
            self.changes.append(e.PromiseEnded(at=self.now, job=job.id))
            return gate or Refusal(Reason.RESOURCES, f"others gave way to it in vain: {why}", (), CURES)
        policy_limits.propose(self.view, job, job.promise.allocation)
        givers = promises.givers(self.view, job)
        if givers:
            return self._waits_for(givers)
        return Proposal(job=job.id, task=None, allocation=job.promise.allocation, time_limit=job.promise.time_limit, promised=True)

    def make(self, job: Job, task: int | None, need: Need, partition: Partition, entry: Entry, licenses: dict[str, int]) -> Refusal | None:
        """Have others give way to a job; what it waits for then, None when nobody can make room for it."""
        key = need, partition.name, job.request.qos, job.owner.uid, entry.key, job.priority
        if key in self._vain:
            return None
        field = self._field(entry)
        closed = self.terrain.nodes_of(field.closed)
        nodes = [node.name for node in self.terrain.usable(partition, need.site) if node.name not in closed]
        givers = [giver for giver in self.preemption.givers(job, partition, nodes) if giver.job.id not in self._chosen]
        found = self._least(job, need, partition, entry, givers) if givers else None
        if found is None:
            self._vain.add(key)
            return None
        allocation, chosen = found
        allocation.reservation, allocation.reservation_id, allocation.licenses = entry.reservation, entry.number, licenses
        over = policy_limits.exceeded(self.view, job, partition, self.now, allocation)
        if over is not None:
            return over
        victims = [e.Victim(job=giver.job.id, mode=giver.mode, grace=giver.grace) for giver in chosen]
        self.changes.append(e.Preempted(at=self.now, job=job.id, allocation=allocation, victims=victims, task=task))
        self._chosen.update(victim.job for victim in victims)
        self._keep(allocation, [giver.job for giver in chosen])
        policy_limits.propose(self.view, job, allocation)
        return self._waits_for([giver.job for giver in chosen])

    def resumable(self) -> list[Job]:
        """The jobs that gave way by holding still."""
        return [job for job in self.view.suspended.values() if job.suspended_by == "preemption" and job.allocation is not None]

    def resume(self, job: Job) -> None:
        """Let a job go on if nobody has its CPUs."""
        assert job.allocation is not None
        shares = [share for share in job.allocation.shares if share.node in job.nodes_left]
        for share in shares:
            node = self.view.nodes.get(share.node)
            if node is None or not node.responding or share.cpus.bits & ~self.space.of(share.node).cpus:
                return
        self.changes.append(e.Resumed(at=self.now, job=job.id, attempt=job.attempt, why="preemption"))
        self._take([NodeShare(node=share.node, cpus=share.cpus) for share in shares])

    def _waits_for(self, givers: Sequence[Job]) -> Refusal:
        what = "a job gives way to it: it starts when that" if len(
            givers) == 1 else f"{len(givers)} jobs give way to it: it starts when those"
        return Refusal(Reason.RESOURCES, f"{what} {'is' if len(givers) == 1 else 'are'} gone", (), CURES)

    def _least(self, job: Job, need: Need, partition: Partition, entry: Entry, givers: list[Giver]) -> tuple[Allocation,
            list[Giver]] | None:
        """An allocation and the fewest, cheapest jobs that have to give way for it; None when all of them do not suffice."""
        board = self.terrain.board if self._counts else None
        # The timeline tells of what is free while they are there. What it keeps, the entry and the space keep from the job as well.
        field = self._field(entry)._replace(timeline=None)

        def find() -> Allocation | None:
            return Search(field, job, need, partition).find()

        def fits(some: Sequence[Giver]) -> Allocation | None:
            with vacated(self.view, self.space, board, some, self._usages):
                return find()

        found = fits(givers)
        if found is None:
            return None
        low, high = 1, len(givers)
        while low < high:
            middle = (low + high) // 2
            one = fits(givers[:middle])
            if one is not None:
                found, high = one, middle
            else:
                low = middle + 1
        chosen = _there(givers[:low], found)
        left = list(reversed(chosen))[:MOST_DROPPED]
        while left:
            with vacated(self.view, self.space, board, chosen, self._usages) as vacancy:
                stays = _staying(vacancy, chosen, left, find)
            if stays is None:
                break
            spared, found = stays
            chosen = _there([other for other in chosen if other is not spared], found)
        return found, chosen

    def _keep(self, allocation: Allocation, givers: Sequence[Job]) -> None:
        """Nobody else gets what is promised: what is free of it already, and what those that still have it will leave."""
        kept = []
        for share in allocation.shares:
            node = self.view.nodes.get(share.node)
            if node is None:
                continue
            leaving = sum(one.memory for giver in givers if giver.allocation is not None for one in giver.allocation.shares
                          if one.node == share.node)
            gres = {kind: left for kind, devices in share.gres.items() if (left := devices - node.gres_used.get(kind, NOTHING))}
            kept.append(NodeShare(node=share.node, cpus=share.cpus - node.cpus_used, memory=max(0, share.memory - leaving), gres=gres))
        self._take(kept)

    def _take(self, shares: list[NodeShare]) -> None:
        self.space.take(shares, -1)
        if self._writes:
            self.terrain.board.now.take(self.terrain.board.usage(shares))
            self.written.update(share.node for share in shares)


def _staying(
    vacancy: Vacancy, chosen: Sequence[Giver], left: list[Giver], find: Callable[[], Allocation | None],
) -> tuple[Giver, Allocation] | None:
    """The first of those that are `left` to be tried without whom an allocation is found, with that; none are left when there is none."""
    there = {giver.job.id for giver in chosen}
    while left:
        giver = left.pop(0)
        if giver.job.id in there and len(there) > 1:
            with vacancy.without(giver):
                found = find()
            if found is not None:
                return giver, found
    return None


def _there(givers: Sequence[Giver], allocation: Allocation) -> list[Giver]:
    """Those of them on whose nodes the allocation is."""
    names = set(allocation.nodes)
    return [giver for giver in givers if not names.isdisjoint(giver.job.nodes_left)]
