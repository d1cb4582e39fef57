"""Orders to nodes of which it is not known yet that they were carried out. Each is sent again, ever more seldom, until state says it is
done.

Whether one is still wanted, state decides when its time comes (`core.recovery.still_due`); signals, of which state knows nothing, are
confirmed by the node itself.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from slurm.core.effects import EndStep, Launch, Prepare, SetLimit, Signal, Suspend, Terminate
from slurm.model.ids import NodeName

Order = Launch | Prepare | Terminate | SetLimit | Suspend | Signal | EndStep
MOST_SECONDS = 60.0


class _Waiting(NamedTuple):
    order: Order
    node: NodeName
    wait: float
    when: float


class Unconfirmed:
    """The orders under way; times are of a clock that nobody sets, signals have numbers that grow from `first`."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._waiting: dict[tuple[object, ...], _Waiting] = {}
        self._due: list[tuple[float, int, tuple[object, ...]]] = []
        self._count = 0
        self._signals: dict[int, tuple[tuple[object, ...], asyncio.Future[None]]] = {}

    def note(self, order: Order, node: NodeName, now: float, wait: float) -> None:
        """An order was sent to a node, or could not be: look again in `wait` seconds, then after twice that, and so on."""
        if isinstance(order, Signal):
            return
        self._put(_key(order, node), _Waiting(_for_one(order, node), node, wait, now + wait))

    def signal(self, order: Signal, node: NodeName, now: float, wait: float) -> tuple[int, asyncio.Future[None]]:
        """The same for a signal; the number by which the node confirms it, and what is done once it has."""
        self._next += 1
        number = self._next
        key = ("signal", number)
        confirmed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._signals[number] = (key, confirmed)
        self._put(key, _Waiting(_for_one(order, node), node, wait, now + wait))
        return number, confirmed

    def confirm(self, number: int) -> None:
        """A node has taken the signal of this number."""
        found = self._signals.pop(number, None)
        if found is not None:
            key, confirmed = found
            self._waiting.pop(key, None)
            if not confirmed.done():
                confirmed.set_result(None)

    def due(self, now: float) -> Iterator[tuple[Order, NodeName, int]]:
        """(order, node, a signal's number or 0) whose time has come.

        Each comes again unless `forget` is called for it; what nobody waits for stays due.
        """
        while self._due and self._due[0][0] <= now:
            when, _, key = heapq.heappop(self._due)
            waiting = self._waiting.get(key)
            if waiting is not None and waiting.when == when:
                wait = min(MOST_SECONDS, 2 * waiting.wait)
                self._put(key, waiting._replace(wait=wait, when=now + wait))
                yield waiting.order, waiting.node, int(str(key[1])) if key[0] == "signal" else 0

    def forget(self, order: Order, node: NodeName, number: int) -> None:
        """State says that it is done, or that nobody wants it any more."""
        if number:
            self.confirm(number)
        else:
            self._waiting.pop(_key(order, node), None)

    def orders(self) -> list[Order]:
        """The orders under way, also those that state has meanwhile made needless."""
        return [waiting.order for waiting in self._waiting.values()]

    def __len__(self) -> int:
        return len(self._waiting)

    def _put(self, key: tuple[object, ...], waiting: _Waiting) -> None:
        self._waiting[key] = waiting
        self._count += 1
        heapq.heappush(self._due, (waiting.when, self._count, key))


def _key(order: Order, node: NodeName) -> tuple[object, ...]:
    return (type(order).__name__, order.job, order.attempt, getattr(order, "step", None), node)


def _for_one(order: Order, node: NodeName) -> Order:
    return order if isinstance(order, Launch) else msgspec.structs.replace(order, nodes=(node,))
