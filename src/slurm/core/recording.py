"""Recording: which records an event brings about, and their numbers. What a record says of a job is in `records`.

Who changes a job, a step or a node in a way that the past must show says so here (`job`, `step`, `life_over`), while the event is folded;
at its end `take` makes the records of what was noted, each job's once. The numbers are part of the state: a replay counts them alike, and
makes no records (`silent`): those of events that are on disk already lie in the outbox beside them.
"""

from __future__ import annotations

import msgspec

from slurm.core import arrays, records
from slurm.core import events as e
from slurm.core.effects import Effect, Record
from slurm.core.state import ClusterState
from slurm.model.accounting import AccountingRecord, NodeEventRecord, SuspensionRecord
from slurm.model.job import Job, Step
from slurm.model.node import Node
from slurm.model.reservation import Reservation


def keeps_jobs(state: ClusterState) -> bool:
    """Whether jobs are recorded: there is accounting, and AccountingStorageEnforce does not say nojobs."""
    return state.settings.accounting and "nojobs" not in state.settings.accounting_enforce


def keeps_steps(state: ClusterState) -> bool:
    """Whether steps are recorded: jobs are, and AccountingStorageEnforce does not say nosteps."""
    return keeps_jobs(state) and "nosteps" not in state.settings.accounting_enforce


def job(state: ClusterState, changed: Job) -> None:
    """A job is not as its last record says."""
    if changed.het:
        state.uneven.add(changed.id)
    if keeps_jobs(state):
        state.recording.jobs[changed.id] = None
        state.recording.behind.pop(changed.id, None)


def fewer(state: ClusterState, waiting: Job) -> None:
    """A task of this array, whose others wait, has a record of its own: it is enough that the database knows when it knows of that one."""
    if keeps_jobs(state):
        state.recording.behind[waiting.id] = None


def begun_arrays(state: ClusterState) -> None:
    """From a snapshot: of arrays some tasks of which have begun, nobody knows whether their waiting records say so."""
    if keeps_jobs(state):
        for job_id, ledger in state.arrays.items():
            part = state.pending[job_id].array_part if job_id in state.pending else None
            if part is not None and arrays.count(part.ranges) < ledger.shape.count:
                state.recording.behind[job_id] = None


def submitted(state: ClusterState, fresh: Job) -> None:
    """A job is new: with it goes what it brought along."""
    if keeps_jobs(state):
        if state.settings.accounting_store:
            state.recording.made += records.payload_records(state, fresh)
        state.recording.jobs[fresh.id] = None


def step(state: ClusterState, of: Job, changed: Step) -> None:
    """A step began or ended."""
    if keeps_steps(state):
        state.recording.made.append(None if state.recording.silent else records.step_record(state, of, changed))


def suspension(state: ClusterState, of: Job, start: float, end: float = 0.0) -> None:
    """A job was suspended at `start`, until `end` (0: it still is)."""
    if keeps_jobs(state):
        made = None if state.recording.silent else SuspensionRecord(job=of.id, restarts=of.restarts, start_time=start, end_time=end)
        state.recording.made.append(made)


def life_over(state: ClusterState, ended: Job) -> None:
    """A job is about to wait for its next life: this one ended as its record says now."""
    if keeps_jobs(state):
        state.recording.made.append(None if state.recording.silent else records.job_record(state, ended))
        state.recording.jobs.pop(ended.id, None)


def reservation(state: ClusterState, of: Reservation, at: float, *, over: bool = False) -> None:
    """A reservation is as it is now from `at` on, before its start from then on; or it is `over`. One that floats never begins."""
    if not state.settings.accounting or "TIME_FLOAT" in of.flags:
        return
    since = max(of.start, at) if not over or at > of.start else of.start
    made = None if state.recording.silent else records.reservation_record(state, of, since, since if over else of.end)
    state.recording.made.append(made)


def node(state: ClusterState, changed: Node | None, at: float) -> None:
    """A node may have gone out of service, come back, or be out of it for another reason."""
    if changed is None or not state.settings.accounting:
        return
    recording = state.recording
    before = recording.out_of_service.get(changed.name)
    now = records.node_event(state, changed, at)
    if before is not None and now is not None and _same(before, now):
        return
    if before is not None:
        del recording.out_of_service[changed.name]
        recording.made.append(msgspec.structs.replace(before, end_time=at))
    if now is not None:
        recording.out_of_service[changed.name] = now
        recording.made.append(now)


def nodes(state: ClusterState, at: float) -> None:
    """Any node may have changed, and some may be gone: what is out of service, and what the cluster has."""
    if not state.settings.accounting:
        return
    for name in [name for name in state.recording.out_of_service if name not in state.nodes]:
        state.recording.made.append(msgspec.structs.replace(state.recording.out_of_service.pop(name), end_time=at))
    for each in state.nodes.values():
        node(state, each, at)
    now, before = records.cluster_record(state, at), state.recording.cluster
    if before is None or (now.tres, now.nodes) != (before.tres, before.nodes):
        state.recording.cluster = now
        state.recording.made.append(now)


def after_node_event(state: ClusterState, event: e.Event) -> None:
    """Look at the nodes of an event that may have taken some out of service or brought them back."""
    name = getattr(event, "node", None)
    if name is not None and getattr(event, "state", "").upper() != "FUTURE":
        node(state, state.nodes.get(name), event.at)
    elif not isinstance(event, e.PartitionUpdated | e.PartitionCreated | e.PartitionDeleted):
        nodes(state, event.at)


def on_missed(state: ClusterState, event: e.RecordsMissed) -> list[Effect]:
    """The database has not what was recorded of these jobs: it gets what is still known."""
    for job_id in event.jobs:
        if job_id in state.jobs:
            _whole(state, state.jobs[job_id])
    if event.nodes and state.settings.accounting:
        state.recording.made += [*state.recording.out_of_service.values(), *filter(None, [state.recording.cluster])]
        reservations(state)
    return []


def everything(state: ClusterState) -> None:
    """Every job and step that is in memory: recording has just begun."""
    for each in state.jobs.values():
        _whole(state, each)
    reservations(state)


def reservations(state: ClusterState) -> None:
    """Every reservation, as if it had always been as it is now."""
    for each in state.reservations.values():
        reservation(state, each, each.start)


def take(state: ClusterState) -> list[Effect]:
    """The effects of what was noted while an event was folded, numbered; [] when nothing was, or while a journal is replayed."""
    recording = state.recording
    count = len(recording.made) + len(recording.jobs)
    if not count:
        return []
    found: list[Effect] = []
    if not recording.silent:
        made: list[AccountingRecord] = [each for each in recording.made if each is not None]
        made += [records.job_record(state, state.jobs[job_id]) for job_id in recording.jobs]
        found += [Record(sequence=number, record=each) for number, each in enumerate(made, recording.sequence + 1)]
    recording.sequence += count
    recording.made = []
    recording.jobs = {}
    return found


def take_notices(state: ClusterState) -> list[Effect]:
    """The effects by which others are told of what was folded last."""
    found: list[Effect] = [*state.recording.notices]
    state.recording.notices = []
    return found


def _whole(state: ClusterState, known: Job) -> None:
    job(state, known)
    for each in (known.lost.steps if known.lost is not None else known.steps).values():
        step(state, known, each)


def _same(one: NodeEventRecord, other: NodeEventRecord) -> bool:
    """Whether both tell of the same: whether the node is heard of does not matter."""
    return (one.state.replace("*", ""), one.reason, one.reason_uid) == (other.state.replace("*", ""), other.reason, other.reason_uid)
