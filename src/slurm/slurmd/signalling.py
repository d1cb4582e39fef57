"""Orders to what runs of a job that do not end it: signals, holding still and going on, another time limit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from slurm.slurmd.orders import Orders
from slurm.slurmd.roster import Roster
from slurm.slurmd.stepd.folder import BATCH, EXTERN
from slurm.slurmd.stepd.timekeeping import boot_clock
from slurm.wire import node_messages as n
from slurm.wire.messages import Message

_SIGNALS = 1000
"""So many numbers of signals are remembered, in case that they come again."""


class Signalling:
    """Hands such orders to the slurmstepds of an attempt. `send` tells slurmctld, while `connected` says that it is there."""

    def __init__(self, roster: Roster, orders: Orders, send: Callable[[Message], None], connected: Callable[[], bool],
                 spawn: Callable[[Coroutine[object, object, None]], None]) -> None:
        self._roster = roster
        self._orders = orders
        self._send = send
        self._connected = connected
        self._spawn = spawn
        self._arrived: dict[int, bool] = {}  # number of a signal → whether it has arrived

    def limit(self, order: n.LimitJob) -> None:
        """Another time limit."""
        here = self._roster.find(order.job, order.attempt)
        for step in here.running if here is not None else []:
            self._orders.limit(step, boot_clock() + order.time_left if order.time_left >= 0 else 0.0)

    def suspend(self, order: n.SuspendJob) -> None:
        """Hold still, or go on: also what begins later (`Steps.launch`)."""
        here = self._roster.find(order.job, order.attempt)
        if here is None or here.over:
            return
        here.suspended = (order.suspended, order.grace)
        for step in here.running:
            if step.begun or step.pid:
                self._orders.suspend(step, order.suspended, order.grace)

    def notify(self, order: n.NotifyJob) -> None:
        """A line for the error file of the batch script; one that runs no more has no reader."""
        here = self._roster.find(order.job, order.attempt)
        for step in here.running if here is not None else []:
            if step.key.step == BATCH:
                self._orders.notify(step, order.text)

    def signal(self, order: n.SignalJob) -> None:
        """A signal, once."""
        if order.number in self._arrived:
            if self._arrived[order.number]:
                self._send(n.SignalTaken(number=order.number))
            return  # one that is on its way is confirmed when it has arrived
        here = self._roster.find(order.job, order.attempt)
        sent = []
        for step in here.running if here is not None else []:
            is_batch = step.key.step == BATCH
            if order.step == step.key.step or (order.step is None and step.key.step != EXTERN and (order.full or is_batch == order.batch)):
                sent.append(self._orders.signal(step, order.signal, first=is_batch and not order.full,
                    everything=order.full or step.key.step == EXTERN))
        if order.number:
            self._arrived[order.number] = False
            while len(self._arrived) > _SIGNALS:
                del self._arrived[next(iter(self._arrived))]
            self._spawn(self._confirm(order.number, sent))

    async def _confirm(self, number: int, sent: list[asyncio.Task[None]]) -> None:
        """Say that a signal has arrived, once it has everywhere."""
        if sent:
            await asyncio.wait(sent)
        self._arrived[number] = True
        if self._connected():  # else it is asked again
            self._send(n.SignalTaken(number=number))
