"""Holding: what the events of reservations do to the state, to the jobs that run in them and to those that wait for them."""

from __future__ import annotations

import msgspec

from slurm.core import changes, recording, standing, starting
from slurm.core import events as e
from slurm.core.effects import Announce, Effect, SetLimit
from slurm.core.illegal import IllegalTransition
from slurm.core.reserving import running
from slurm.core.state import ClusterState
from slurm.core.timer_heap import Timer
from slurm.model.job import Job
from slurm.model.reservation import Reservation
from slurm.model.states import Reason


def on_created(state: ClusterState, event: e.ReservationCreated) -> list[Effect]:
    """A reservation is new."""
    if event.reservation.name in state.reservations:
        raise IllegalTransition(f"reservation {event.reservation.name} exists")
    state.next_reservation = max(state.next_reservation, event.reservation.id + 1)
    _put(state, event.reservation, event.at)
    recording.reservation(state, state.reservations[event.reservation.name], event.at)
    return []


def on_updated(state: ClusterState, event: e.ReservationUpdated) -> list[Effect]:
    """It is as the event says from now on; jobs that run in it end with it."""
    if event.reservation.name not in state.reservations:
        raise IllegalTransition(f"reservation {event.reservation.name} is not known")
    before = state.reservations[event.reservation.name]
    _put(state, event.reservation, event.at)
    after = state.reservations[event.reservation.name]
    if before.start != after.start:
        recording.reservation(state, before, event.at, over=True)
    recording.reservation(state, after, event.at)
    effects: list[Effect] = []
    if (before.end, before.flags) != (after.end, after.flags) and before.start == after.start:
        for job in state.active.values():
            if job.allocation is not None and job.allocation.reservation == after.name:
                _set_end(state, job, after, event.at, effects)
    return effects


def on_begun(state: ClusterState, event: e.ReservationBegun) -> list[Effect]:
    """Its time has come."""
    of = _known(state, event.name)
    of.begun = True
    of.idle_since = 0.0 if running.runs(state, of) else event.at
    running.changed(state, of, event.at)
    return []


def on_ended(state: ClusterState, event: e.ReservationEnded) -> list[Effect]:
    """It is over, purged or deleted; of one that repeats this occurrence is over. Jobs that wait for it are held, or run elsewhere."""
    of = _known(state, event.name)
    if event.at < of.end:
        recording.reservation(state, of, event.at, over=True)
    if event.next is not None:
        of.start, of.end = event.next
        of.begun, of.idle_since = False, 0.0
        running.changed(state, of, event.at)
        recording.reservation(state, of, event.at)
        return []
    del state.reservations[of.name]
    state.timers.drop(of.id, Timer.RESERVATION)
    state.unsaved.reservations.add(of.name)
    effects: list[Effect] = []
    for job in [job for job in state.pending.values() if of.name in job.request.reservation.split(",")]:
        _bereft(state, job, of, event.at)
        effects.append(Announce(job=job.id))
    return effects


def _bereft(state: ClusterState, job: Job, of: Reservation, at: float) -> None:
    """A waiting job without its reservation."""
    left = ",".join(name for name in job.request.reservation.split(",") if name != of.name)
    changes.set_request(job, reservation=left)
    state.changed(job)
    if not left and "NO_HOLD_JOBS_AFTER_END" not in of.flags:
        job.held = job.held or "user"
        job.priority = 0
        if "resv_del_hold" not in job.flags:
            job.flags = [*job.flags, "resv_del_hold"]
        job.reason = Reason.RESERVATION_DELETED.format(of.name)
    standing.refresh(job, at)
    recording.job(state, job)


def _put(state: ClusterState, record: Reservation, at: float) -> None:
    """The event keeps a record of its own: it may be written later."""
    of = msgspec.structs.replace(record)
    state.reservations[of.name] = of
    if of.begun and not of.idle_since and not running.runs(state, of):
        of.idle_since = at
    running.changed(state, of, at)


def _set_end(state: ClusterState, job: Job, of: Reservation, at: float, effects: list[Effect]) -> None:
    moment = running.end_by(state, of, at)
    if moment != job.end_by:
        job.end_by = moment
        state.changed(job)
        starting.set_limit_timer(state, job)
        effects.append(SetLimit(job=job.id, attempt=job.attempt, nodes=tuple(job.nodes_left)))


def _known(state: ClusterState, name: str) -> Reservation:
    found = state.reservations.get(name)
    if found is None:
        raise IllegalTransition(f"reservation {name} is not known")
    return found
