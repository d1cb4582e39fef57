"""Preemption: which jobs give way to one that finds no room, how, and which of them first. PreemptType, PreemptMode, PreemptParameters.

Nothing is changed here: what a pass proposes by it is an event, and is checked again when it is applied.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from slurm.core.preempting import CANCEL, REQUEUE, SUSPEND
from slurm.model.ids import JobId, NodeName
from slurm.model.job import Job, NodeShare
from slurm.model.partition import Partition
from slurm.model.policy import Qos
from slurm.model.states import JobState
from slurm.sched.board import Array, Board, Device, Free, Index, Usage
from slurm.sched.space import NodeSpace, Space
from slurm.sched.view import View

MOST_DROPPED = 64
"""Of so many jobs it is tried whether they may stay after all."""
_BASES = (SUSPEND, REQUEUE, CANCEL)


class Giver(NamedTuple):
    """A job that may give way: how (cancel | requeue | suspend), after how many seconds of grace."""

    job: Job
    mode: str
    grace: int


class Preemption:
    """The rules of one cluster as of `now`. `again`: when some job, exempt until then, may give way (seconds since the epoch); 0: none."""

    def __init__(self, view: View, now: float) -> None:
        self.view = view
        self.now = now
        self.kind = view.settings.preempt_type
        self.again = 0.0
        self._depths: dict[str, int] = {}  # by QOS, -1: it is being found

    def givers(self, job: Job, partition: Partition, nodes: Collection[NodeName]) -> list[Giver]:
        """The jobs on these nodes that may give way to this one, those first whose loss costs least."""
        if self.kind == "none" or job.het:
            return []
        found: list[Giver] = []
        for job_id in {job_id for name in nodes for job_id in self.view.nodes[name].jobs}:
            other = self.view.jobs[job_id]
            if other.allocation is None or other.completing or other.preempt_mode or other.het or other.allocation.reservation:
                continue
            giver = self._giver(job, partition, other)
            if giver is not None:
                found.append(giver)
        return sorted(found, key=self._worth)

    def rank(self, qos: Qos | None) -> int:
        """How many levels of jobs may give way to those of a QOS: jobs that can preempt come first."""
        return self._depth(qos) if self.kind == "qos" and qos is not None else 0

    def _depth(self, qos: Qos) -> int:
        """Each QOS is looked at once: of twenty that all preempt those below there are half a million ways down. Of a circle, which
        sacctmgr refuses, what leads back counts nothing."""
        name = qos.name.lower()
        if name not in self._depths:
            self._depths[name] = -1
            known = self.view.policy.book.qos
            below = (known.get(one.lower()) for one in qos.preempts)
            self._depths[name] = max((1 + self._depth(one) for one in below if one is not None and one.name != qos.name), default=0)
        return self._depths[name]

    def _giver(self, job: Job, partition: Partition, other: Job) -> Giver | None:
        settings, now = self.view.settings, self.now
        where = self.view.partitions.get(other.partition)
        if where is None or not self._precedes(job, partition, other, where):
            return None
        if settings.preempt_min_exempt_priority is not None and other.priority >= settings.preempt_min_exempt_priority:
            return None
        qos = self._qos(other)
        mode = self._mode(other, where)
        if mode == SUSPEND:
            shared = where.oversubscribe.upper().startswith(("FORCE", "YES"))
            return Giver(other, mode, 0) if shared and other.state is JobState.RUNNING else None
        if not mode:
            return None
        exempt = qos.preempt_exempt_time if qos is not None and qos.preempt_exempt_time is not None else settings.preempt_exempt_time
        until = other.start_time + other.suspended_seconds + max(0, exempt)
        if until > now:
            self.again = min(self.again or until, until)
            return None
        grace = qos.grace_time if self.kind == "qos" and qos is not None else where.grace_time
        return Giver(other, mode, grace)

    def _precedes(self, job: Job, partition: Partition, other: Job, where: Partition) -> bool:
        if self.kind == "partition_prio":
            return where.priority_tier < partition.priority_tier
        mine, theirs = self._qos(job), self._qos(other)
        if mine is None or theirs is None:
            return False
        if theirs.name.lower() in (name.lower() for name in mine.preempts):
            return True
        within = "within" in self.view.settings.preempt_modes or "within" in theirs.preempt_mode.lower().split(",")
        return within and theirs.id == mine.id and 0 < other.priority < job.priority

    def _qos(self, job: Job) -> Qos | None:
        return self.view.policy.book.qos.get((job.request.qos or self.view.settings.default_qos).lower())

    def _mode(self, other: Job, where: Partition) -> str:
        """How a job gives way, "" when it does not."""
        qos = self._qos(other)
        text = (qos.preempt_mode if qos is not None else "") if self.kind == "qos" else where.preempt_mode
        own = [word for word in text.lower().split(",") if word not in ("", "cluster", "within", "gang")]
        words = own or self.view.settings.preempt_modes
        return next((base for base in _BASES if base in words), "")

    def _worth(self, giver: Giver) -> tuple[float, ...]:
        job = giver.job
        if self.view.settings.preempt_youngest_first:
            return -job.start_time, -float(job.id)
        qos, where = self._qos(job), self.view.partitions[job.partition]
        rank = (qos.priority if qos is not None else 0) if self.kind == "qos" else where.priority_tier
        nodes = len(job.nodes_left)
        if self.view.settings.preempt_strict_order:
            return rank, float(job.priority), nodes, -job.start_time, -float(job.id)
        return rank, nodes, -job.start_time, -float(job.id)


Usages = dict[tuple[JobId, str], Usage]
"""What a job gives back when it gives way in a mode; good for one pass."""


@contextmanager
def vacated(view: View, space: Space, board: Board | None, givers: Sequence[Giver], known: Usages) -> Iterator[Vacancy]:
    """As if these had given way. `board` None: it is not looked at. `known` keeps what each of them gives back."""
    gone = {giver.job.id: giver.mode for giver in givers}
    names = {name for giver in givers for name in giver.job.nodes_left}
    before = space.put_aside(names)
    given = _together(board, givers, known) if board is not None else None
    try:
        for name in names:
            _vacate(view, space, name, gone)
        if board is not None and given is not None:
            given.add_to(board.now, 1)
        yield Vacancy(view, space, board, gone, before, known)
    finally:
        if board is not None and given is not None:
            given.add_to(board.now, -1)
        space.put_back(names, before)


class Vacancy:
    """What some jobs left, of which one may be taken to stay: only its own nodes are looked at again for that."""

    def __init__(self, view: View, space: Space, board: Board | None, gone: dict[JobId, str], before: dict[NodeName, NodeSpace],
            known: Usages) -> None:
        self._view = view
        self._space = space
        self._board = board
        self._gone = gone
        self._before = before
        self._known = known

    @contextmanager
    def without(self, giver: Giver) -> Iterator[None]:
        """As if this one had not given way."""
        names = set(giver.job.nodes_left)
        aside = self._space.put_aside(names)
        mode = self._gone.pop(giver.job.id)
        try:
            self._space.put_back(names, {name: self._before[name].copy() for name in names})
            for name in names:
                _vacate(self._view, self._space, name, self._gone)
            if self._board is not None:
                self._board.now.take(self._known[giver.job.id, mode])
            yield
        finally:
            if self._board is not None:
                self._board.now.take(self._known[giver.job.id, mode], -1)
            self._gone[giver.job.id] = mode
            self._space.put_back(names, aside)


class _Given(NamedTuple):
    """What many jobs give back at once, a row for each of them and each of its nodes: a node may be there several times."""

    at: Index
    cpus: Array
    memory: Array
    gres: list[tuple[Device, Index, Array]]

    def add_to(self, free: Free, sign: int) -> None:
        """Add it to what is free, or take it away again."""
        np.add.at(free.cpus, self.at, sign * self.cpus)
        np.add.at(free.memory, self.at, sign * self.memory)
        np.add.at(free.tenants, self.at, -sign)
        for key, at, counts in self.gres:
            np.add.at(free.gres[key], at, sign * counts)


def _together(board: Board, givers: Sequence[Giver], known: Usages) -> _Given | None:
    usages = []
    for giver in givers:
        key = giver.job.id, giver.mode
        if key not in known:
            known[key] = _given(board, giver)
        usages.append(known[key])
    if not usages:
        return None
    with_gres = [usage for usage in usages if usage.gres]
    gres = [(key, np.concatenate([usage.at for usage in with_gres]), np.concatenate([usage.gres[key] for usage in with_gres]))
            for key in (with_gres[0].gres if with_gres else ())]
    return _Given(np.concatenate([usage.at for usage in usages]), np.concatenate([usage.cpus for usage in usages]),
        np.concatenate([usage.memory for usage in usages]), gres)


def _vacate(view: View, space: Space, name: NodeName, gone: dict[JobId, str]) -> None:
    node = view.nodes[name]
    one = space.of(name)
    kept = 0
    stays = False
    for job_id in node.jobs:
        if job_id not in gone and not view.jobs[job_id].without_cpus:
            stays = True
            kept |= _share(view.jobs[job_id], name).cpus.bits
    for job_id in node.jobs:
        if job_id not in gone:
            continue
        share = _share(view.jobs[job_id], name)
        if not view.jobs[job_id].without_cpus:
            one.cpus |= share.cpus.bits & ~kept & node.job_cpus
        if gone[job_id] != SUSPEND:
            one.memory += share.memory
            one.gres = {kind: devices - share.gres[kind] if kind in share.gres else devices for kind, devices in one.gres.items()}
    one.empty = not stays and not one.guests


def _share(job: Job, name: NodeName) -> NodeShare:
    assert job.allocation is not None
    return next(share for share in job.allocation.shares if share.node == name)


def _given(board: Board, giver: Giver) -> Usage:
    job = giver.job
    assert job.allocation is not None
    usage = board.usage([share for share in job.allocation.shares if share.node in job.nodes_left])
    if giver.mode == SUSPEND:
        usage.memory, usage.gres = np.zeros_like(usage.memory), {}
    if job.without_cpus:
        usage.cpus = np.zeros_like(usage.cpus)
    return usage
