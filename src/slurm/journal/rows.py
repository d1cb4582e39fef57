"""Rows: the state of a cluster record by record, as snapshots keep it. The way back is in `restoring`.

A snapshot is written by and by: `unsaved` gives out what has changed since the last one, and what changes meanwhile is given out again. It
is whole when nothing is unsaved; then the cluster's own row is written with it. Where rows lie, and which of them count, is the store's
business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from slurm.core.policy.state import Charge
from slurm.core.policy.usage import Counter
from slurm.core.state import ClusterState
from slurm.journal.codec import encode
from slurm.journal.row import CLUSTER, Name, Row
from slurm.journal.shapes import VERSION
from slurm.model import accounting as a
from slurm.model.crontab import Crontab
from slurm.model.ids import JobId, NodeName, Uid
from slurm.model.job import ArrayPart, Job
from slurm.model.node import Node
from slurm.model.partition import Partition
from slurm.model.policy import PolicyRecord
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.model.trigger import Trigger

Run = tuple[int, int, int]


class StateRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What belongs to no other record."""

    settings: Settings
    next_job_id: JobId
    last_place: int = 0
    recorded: int = 0
    out_of_service: list[a.NodeEventRecord] = []
    recorded_cluster: a.ClusterRecord | None = None
    half_life: float = 0.0
    lasting: list[str] = []
    usage_since: float = 0.0
    next_reservation: int = 1
    next_trigger: int = 1
    epoch: int = 0
    leader: str = ""
    staged: list[PolicyRecord] = []  # the parts so far of a whole new policy


class ArrayRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an array's ledger knows beyond the records: counts and the tasks that ended, as runs (first, last, step)."""

    id: JobId
    shape: ArrayPart
    started: int = 0
    done_well: list[Run] = []
    done_badly: list[Run] = []


class PastKey(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The key of a submission whose job left memory at this time."""

    uid: Uid
    key: str
    job: JobId
    at: float


class PolicyRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One record of the policy."""

    record: PolicyRecord


class UsageRow(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What an association (by id) or a QOS (by name) used, by TRES."""

    key: int | str
    counters: dict[str, Counter]


def _node(state: ClusterState, name: NodeName) -> Node | None:
    node = state.nodes.get(name)
    # Equal states have equal rows, in whatever order their sets are.
    return msgspec.structs.replace(node, jobs=sorted(node.jobs), completing=sorted(node.completing)) if node is not None else None


def _array(state: ClusterState, array: JobId) -> ArrayRecord | None:
    ledger = state.arrays.get(array)
    if ledger is None:
        return None
    return ArrayRecord(id=array, shape=ledger.shape, started=ledger.started, done_well=list(ledger.done_well.runs),
        done_badly=list(ledger.done_badly.runs))


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
    find: Callable[[ClusterState, Any], msgspec.Struct | None]
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
    "reservation": _Kind(lambda s: s.unsaved.reservations, lambda s: s.reservations, lambda s, key: s.reservations.get(key), Reservation),
    "crontab": _Kind(lambda s: s.unsaved.crontabs, lambda s: s.crontabs, lambda s, key: s.crontabs.get(key), Crontab),
    "trigger": _Kind(lambda s: s.unsaved.triggers, lambda s: s.triggers, lambda s, key: s.triggers.get(key), Trigger),
    "job": _Kind(lambda s: s.unsaved.jobs, lambda s: s.jobs, lambda s, key: s.jobs.get(key), Job),
    "array": _Kind(lambda s: s.unsaved.arrays, lambda s: s.arrays, _array, ArrayRecord),
    "key": _Kind(lambda s: s.unsaved.keys, lambda s: s.keys.past, _past_key, PastKey, lambda key: f"{key[0]} {key[1]}", _key_back),
    "policy": _Kind(lambda s: s.unsaved.policy, lambda s: s.policy.book.names(), _policy, PolicyRow),
    "usage": _Kind(lambda s: s.unsaved.usage, lambda s: s.policy.usage.counters, _usage, UsageRow, _usage_key, _usage_back),
    "charge": _Kind(lambda s: s.unsaved.charges, lambda s: s.policy.charges, lambda s, key: s.policy.charges.get(key), Charge),
}


STRUCTS: dict[str, type[Any]] = {CLUSTER: StateRecord} | {kind: of.type for kind, of in _KINDS.items()}
"""What lies in the rows of each kind."""


def unsaved(state: ClusterState) -> Iterator[Row]:
    """The rows of what has changed, each from then on counted as saved; those behind one that is not taken stay unsaved."""
    for kind, of in _KINDS.items():
        changed = of.changed(state)
        while changed:
            key = changed.pop()
            try:
                record = of.find(state, key)
                row = Row(kind, of.key(key), VERSION, encode(record) if record is not None else None)
            except BaseException:
                changed.add(key)
                raise
            yield row


def own(state: ClusterState) -> Row:
    """The row that makes a snapshot whole."""
    recording, usage = state.recording, state.policy.usage
    return Row(CLUSTER, 0, VERSION, encode(StateRecord(
        settings=state.settings, next_job_id=state.next_job_id, last_place=state.last_place, recorded=recording.sequence,
        out_of_service=[recording.out_of_service[name] for name in sorted(recording.out_of_service)], recorded_cluster=recording.cluster,
        half_life=usage.half_life, lasting=sorted(map(str, usage.lasting)), staged=state.policy.staged,
        usage_since=state.policy.usage_since, next_reservation=state.next_reservation, next_trigger=state.next_trigger,
        epoch=state.epoch, leader=state.leader)))


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
        found += [Row(kind, of.key(key), VERSION, encode(record)) for key in of.present(state)
            if (record := of.find(state, key)) is not None]
    return {row.name: row for row in found}
