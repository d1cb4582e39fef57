"""Rows: the state of a cluster record by record, as snapshots keep it, and back. Indices are in no row; `restored` builds them anew.

A snapshot is written by and by: `unsaved` gives out what has changed since the last one, and what changes meanwhile is given out again. It is
whole when nothing is unsaved; then the cluster's own row is written with it. Where rows lie, and which of them count, is the store's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from slurm.core.arrays import Ledger
from slurm.core.cluster import Cluster
from slurm.core.policy.book import name_of
from slurm.core.policy.state import Charge
from slurm.core.policy.usage import Counter
from slurm.core.starting import set_limit_timer, set_warning_timer
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model import accounting as a
from slurm.model import msgpack
from slurm.model.ids import JobId, NodeName, Uid
from slurm.model.job import ArrayPart, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.policy import PolicyRecord
from slurm.model.settings import Settings
from slurm.model.states import JobState
from slurm.notation.taskset import TaskSet

Run = tuple[int, int, int]
Name = tuple[str, int | str]
"""Kind and key of a record: ("job", 12), ("node", "cn01")."""


class Row(NamedTuple):
    """One record as it is kept, or, with no body, the news that it is gone. `version` is the one that its body was written with."""

    kind: str
    key: int | str
    version: int
    body: bytes | None

    @property
    def name(self) -> Name:
        """Kind and key."""
        return self.kind, self.key


class ClusterRecord(msgspec.Struct, kw_only=True):
    """What belongs to no other record."""

    settings: Settings
    next_job_id: JobId
    last_place: int = 0
    recorded: int = 0
    out_of_service: list[a.NodeEventRecord] = []
    recorded_cluster: a.ClusterRecord | None = None
    half_life: float = 0.0
    lasting: list[str] = []
    staged: list[PolicyRecord] = []  # the parts so far of a whole new policy


class ArrayRecord(msgspec.Struct, kw_only=True):
    """What an array's ledger knows beyond the records: counts and the tasks that ended, as runs (first, last, step)."""

    id: JobId
    shape: ArrayPart
    started: int = 0
    done_well: list[Run] = []
    done_badly: list[Run] = []


class PastKey(msgspec.Struct, kw_only=True):
    """The key of a submission whose job left memory at this time."""

    uid: Uid
    key: str
    job: JobId
    at: float


class PolicyRow(msgspec.Struct, kw_only=True):
    """One record of the policy."""

    record: PolicyRecord


class UsageRow(msgspec.Struct, kw_only=True):
    """What an association (by id) or a QOS (by name) used, by TRES."""

    key: int | str
    counters: dict[str, Counter]


class Records(NamedTuple):
    """A whole state, taken apart."""

    own: ClusterRecord
    nodes: list[Node]
    partitions: list[Partition]
    jobs: list[Job]
    arrays: list[ArrayRecord]
    keys: list[PastKey]
    policy: Sequence[PolicyRow] = ()
    usage: Sequence[UsageRow] = ()
    charges: Sequence[Charge] = ()


VERSION = 1
CLUSTER = "cluster"
_encode = msgpack.encode


def _node(state: ClusterState, name: NodeName) -> Node | None:
    node = state.nodes.get(name)
    # Equal states have equal rows, in whatever order their sets are.
    return msgspec.structs.replace(node, jobs=sorted(node.jobs), completing=sorted(node.completing)) if node is not None else None


def _array(state: ClusterState, array: JobId) -> ArrayRecord | None:
    ledger = state.arrays.get(array)
    if ledger is None:
        return None
    return ArrayRecord(id=array, shape=ledger.shape, started=ledger.started, done_well=list(ledger.done_well.runs), done_badly=list(ledger.done_badly.runs))


def _past_key(state: ClusterState, name: tuple[Uid, str]) -> PastKey | None:
    found = state.keys.past.get(name)
    return PastKey(uid=name[0], key=name[1], job=found[0], at=found[1]) if found is not None else None


def _policy(state: ClusterState, name: str) -> PolicyRow | None:
    record = state.policy.book.by_name(name)
    return PolicyRow(record=record) if record is not None else None


def _usage(state: ClusterState, key: int | str) -> UsageRow | None:
    counters = state.policy.usage.counters.get(key)
    return UsageRow(key=key, counters=counters) if counters is not None else None


class _Kind(NamedTuple):
    changed: Callable[[ClusterState], set[Any]]
    present: Callable[[ClusterState], Collection[Any]]
    find: Callable[[ClusterState, Any], object | None]
    type: type[Any]
    key: Callable[[Any], int | str] = lambda key: key
    back: Callable[[Any], Any] = lambda key: key


def _key_back(text: str) -> tuple[int, str]:
    uid, _, key = text.partition(" ")
    return int(uid), key


def _usage_key(key: int | str) -> str:
    # A QOS may have a number as its name.
    return f"association {key}" if isinstance(key, int) else f"qos {key}"


def _usage_back(text: str) -> int | str:
    kind, _, key = text.partition(" ")
    return int(key) if kind == "association" else key


_KINDS: dict[str, _Kind] = {
    "node": _Kind(lambda s: s.unsaved.nodes, lambda s: s.nodes, _node, Node),
    "partition": _Kind(lambda s: s.unsaved.partitions, lambda s: s.partitions, lambda s, key: s.partitions.get(key), Partition),
    "job": _Kind(lambda s: s.unsaved.jobs, lambda s: s.jobs, lambda s, key: s.jobs.get(key), Job),
    "array": _Kind(lambda s: s.unsaved.arrays, lambda s: s.arrays, _array, ArrayRecord),
    "key": _Kind(lambda s: s.unsaved.keys, lambda s: s.keys.past, _past_key, PastKey, lambda key: f"{key[0]} {key[1]}", _key_back),
    "policy": _Kind(lambda s: s.unsaved.policy, lambda s: s.policy.book.names(), _policy, PolicyRow),
    "usage": _Kind(lambda s: s.unsaved.usage, lambda s: s.policy.usage.counters, _usage, UsageRow, _usage_key, _usage_back),
    "charge": _Kind(lambda s: s.unsaved.charges, lambda s: s.policy.charges, lambda s, key: s.policy.charges.get(key), Charge),
}


def unsaved(state: ClusterState) -> Iterator[Row]:
    """The rows of what has changed, each from then on counted as saved; those behind one that is not taken stay unsaved."""
    for kind, of in _KINDS.items():
        changed = of.changed(state)
        while changed:
            key = changed.pop()
            try:
                record = of.find(state, key)
                row = Row(kind, of.key(key), VERSION, _encode(record) if record is not None else None)
            except BaseException:
                changed.add(key)
                raise
            yield row


def own(state: ClusterState) -> Row:
    """The row that makes a snapshot whole."""
    recording, usage = state.recording, state.policy.usage
    return Row(CLUSTER, 0, VERSION, _encode(ClusterRecord(
        settings=state.settings, next_job_id=state.next_job_id, last_place=state.last_place, recorded=recording.sequence,
        out_of_service=[recording.out_of_service[name] for name in sorted(recording.out_of_service)], recorded_cluster=recording.cluster,
        half_life=usage.half_life, lasting=sorted(map(str, usage.lasting)), staged=state.policy.staged)))


def unsave(state: ClusterState, names: Iterable[Name]) -> None:
    """Count these as unsaved (again)."""
    for kind, key in names:
        if kind in _KINDS:
            _KINDS[kind].changed(state).add(_KINDS[kind].back(key))


def unsave_all(state: ClusterState) -> None:
    """Count every record as unsaved, for a store that has none of them."""
    for of in _KINDS.values():
        of.changed(state).update(of.present(state))


def count(state: ClusterState) -> int:
    """How many rows the whole state has."""
    return 1 + sum(len(of.present(state)) for of in _KINDS.values())


def whole(state: ClusterState) -> dict[Name, Row]:
    """Every row, whatever is saved."""
    found = [own(state)]
    for kind, of in _KINDS.items():
        found += [Row(kind, of.key(key), VERSION, _encode(of.find(state, key))) for key in of.present(state)]
    return {row.name: row for row in found}


def restored(rows: Iterable[Row]) -> Cluster | None:
    """The cluster that these rows describe, nothing of it unsaved; None when there are none. msgspec.MsgspecError for one that cannot be read."""
    decode = {kind: msgpack.decoder(of.type).decode for kind, of in _KINDS.items()} | {CLUSTER: msgpack.decoder(ClusterRecord).decode}
    found: dict[str, list[Any]] = {kind: [] for kind in decode}
    for row in rows:
        if row.kind not in decode or row.body is None:
            raise msgspec.ValidationError(f"a row of kind {row.kind} is not known")
        found[row.kind].append(decode[row.kind](row.body))
    if not found[CLUSTER]:
        return None
    return assembled(Records(found[CLUSTER][0], found["node"], found["partition"], found["job"], found["array"], found["key"],
                             found["policy"], found["usage"], found["charge"]))


def assembled(records: Records) -> Cluster:
    """The cluster of these records, which become its own."""
    cluster = Cluster(records.own.settings)
    cluster.next_job_id, cluster.last_place = records.own.next_job_id, records.own.last_place
    cluster.recording.sequence, cluster.recording.cluster = records.own.recorded, records.own.recorded_cluster
    cluster.recording.out_of_service = {event.node: event for event in records.own.out_of_service}
    cluster.nodes = {node.name: node for node in sorted(records.nodes, key=lambda node: node.position)}
    cluster.partitions = {partition.name: partition for partition in sorted(records.partitions, key=lambda partition: partition.position)}
    cluster.jobs = {job.id: job for job in records.jobs}
    for record in records.arrays:
        ledger = cluster.arrays[record.id] = Ledger(record.shape)
        ledger.started = record.started
        ledger.done_well = TaskSet(record.done_well)
        ledger.done_badly = TaskSet(record.done_badly)
    for past in sorted(records.keys, key=lambda past: past.at):
        cluster.keys.past[past.uid, past.key] = (past.job, past.at)
    _restore_policy(cluster, records)
    for job in sorted((job for job in records.jobs if _waits(job)), key=lambda job: job.queue_place):
        cluster.index_waiting(job)
    for job in records.jobs:
        _index(cluster, job)
    for job in cluster.pending.values():
        group = cluster.names.group(job)
        if group is not None and any(clause.kind == "singleton" and clause.state == "fulfilled" for clause in job.dependency):
            group.turn = job.id
    return cluster


def _restore_policy(cluster: Cluster, records: Records) -> None:
    """Before the jobs, which are counted under it as they are indexed."""
    policy = cluster.policy
    policy.staged = records.own.staged
    policy.usage.half_life, policy.usage.lasting = records.own.half_life, frozenset(records.own.lasting)
    policy.usage.counters = {row.key: row.counters for row in records.usage}
    policy.charges = {charge.job: charge for charge in records.charges}
    if records.policy:
        policy.book.take(sorted((row.record for row in records.policy), key=name_of))


def _waits(job: Job) -> bool:
    return job.state is JobState.PENDING and not job.completing and job.lost is None


def _index(cluster: Cluster, job: Job) -> None:
    cluster.payloads.add(job.payload)
    cluster.keys.add(job.owner.uid, job.key, job.array_job or job.id)
    if job.array_task is not None:
        ledger = cluster.arrays[job.array_job]
        ledger.records[job.array_task] = job.id
        ledger.running += job.holding is not None and not _over(job)
    if job.id in cluster.pending:
        cluster.remember_targets(job)
        cluster.set_waiting_timers(job)
    elif _over(job):
        cluster.timers.set(job.end_time + cluster.settings.min_job_age, Timer.PURGE, job.id)
    else:
        cluster.enter_service(job, job.start_time)
        if job.state is JobState.RUNNING and not job.completing:
            set_limit_timer(cluster, job)
            set_warning_timer(cluster, job)


def _over(job: Job) -> bool:
    return job.state.finished and not job.completing
