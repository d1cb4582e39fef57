"""scontrol create, update and delete reservation."""

from __future__ import annotations

from slurm.core.reserving import making
from slurm.slurmctld.controller import Controller
from slurm.slurmctld.handlers.jobs import LATER
from slurm.slurmctld.session import Session
from slurm.wire import messages as m
from slurm.wire import reservation_messages as r


async def on_create(ctl: Controller, session: Session, message: r.CreateReservation) -> r.ReservationMade:
    """Check, choose nodes, write, answer with the name."""
    event = making.create(ctl.cluster, message.changes, session.caller, ctl.directory, ctl.now())
    await ctl.engine.promised(ctl.engine.record(event), LATER)
    return r.ReservationMade(name=event.reservation.name)


async def on_update(ctl: Controller, session: Session, message: r.UpdateReservation) -> m.Done:
    """scontrol update reservationname=."""
    event = making.update(ctl.cluster, message.name, message.changes, session.caller, ctl.directory, ctl.now())
    await ctl.engine.promised(ctl.engine.record(event), LATER)
    return m.Done()


async def on_delete(ctl: Controller, session: Session, message: r.DeleteReservation) -> m.Done:
    """scontrol delete reservationname=."""
    event = making.delete(ctl.cluster, message.name, session.caller, ctl.now())
    await ctl.engine.promised(ctl.engine.record(event), LATER)
    return m.Done()
