"""Reservations between scontrol and slurmctld; part of `wire.messages`."""

from __future__ import annotations

from slurm.model.bounds import Name
from slurm.wire.message import Changes, Message


class CreateReservation(Message):
    """scontrol create reservation → ReservationMade. Keys as scontrol spells them; += and -= as a sign behind the key."""

    changes: Changes


class ReservationMade(Message):
    """The name of the reservation, given or made."""

    name: str


class UpdateReservation(Message):
    """scontrol update reservationname= → Done."""

    name: Name
    changes: Changes


class DeleteReservation(Message):
    """scontrol delete reservationname= → Done."""

    name: Name
