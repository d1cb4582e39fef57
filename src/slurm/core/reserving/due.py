"""Due: what time alone brings about of reservations: they begin, end, repeat, are purged, and get other nodes for those that fail."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.reserving import choosing, windows
from slurm.core.state import ClusterState
from slurm.model.reservation import Reservation


def of_number(state: ClusterState, number: int) -> Reservation | None:
    """The reservation with this id."""
    return next((one for one in state.reservations.values() if one.id == number), None)


def event(state: ClusterState, of: Reservation, now: float) -> e.Event | None:
    """What is due of a reservation now, None when nothing is."""
    one = windows.window(of, now)
    if "TIME_FLOAT" not in of.flags:
        if one.end <= now:
            return _over(of, now)
        if one.start <= now and not of.begun:
            return e.ReservationBegun(at=now, name=of.name)
    if of.purge_after and of.idle_since and of.idle_since + of.purge_after <= now and not _awaited(state, of):
        return _over(of, now)
    if of.replaces:
        fresh = choosing.replaced(state, of, now)
        if fresh is not None:
            return e.ReservationUpdated(at=now, reservation=fresh)
    return None


def _over(of: Reservation, now: float) -> e.ReservationEnded:
    """The end of it, or of this occurrence."""
    if not of.repeats:
        return e.ReservationEnded(at=now, name=of.name)
    following = windows.after(of, windows.window(of, now))
    while following.end <= now:
        following = windows.after(of, following)
    return e.ReservationEnded(at=now, name=of.name, next=(following.start, following.end))


def _awaited(state: ClusterState, of: Reservation) -> bool:
    return any(of.name in job.request.reservation.split(",") for job in state.pending.values())
