"""Portions: long work of one request, done a few milliseconds at a time, so that nobody waits for it but who asked.

What is found in one portion may have changed before it is carried out in a later one: then it is passed over, as if it had been asked
later.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence

from slurm.core import selection
from slurm.core.events import Event
from slurm.core.illegal import IllegalTransition
from slurm.core.state import ClusterState
from slurm.model.errors import NotNow
from slurm.slurmctld.engine import Engine

SECONDS = 0.005
"""Thread CPU after which others have their turn."""


class Breath:
    """Lets others have their turn whenever this work has taken its portion."""

    def __init__(self) -> None:
        self._since = time.thread_time()

    async def taken(self) -> None:
        """Goes on, at once or when others had their turn."""
        if time.thread_time() - self._since > SECONDS:
            await asyncio.sleep(0)
            self._since = time.thread_time()


async def found_for(state: ClusterState, texts: Iterable[str], find: Callable[[str], list[Event]]) -> list[Event]:
    """The events that `find` makes of each job that the texts mean, doubles once.

    Of several jobs of one text ("name=sim", "12,13") those are passed over to which it cannot be done now, unless it can be done to none.
    """
    breath = Breath()
    events: list[Event] = []
    for text in dict.fromkeys(texts):
        refusals: list[NotNow] = []
        before = len(events)
        for some in selection.in_portions(state, text):
            await breath.taken()
            for one in some:
                try:
                    events += find(one)
                except NotNow as error:
                    refusals.append(error)
                await breath.taken()
        if refusals and len(events) == before:
            raise refusals[0]
    return events


async def record(engine: Engine, events: Sequence[Event], *hints: str) -> None:
    """Record events and wait until they are on disk (Engine.promised). What became impossible after the first is passed over."""
    breath = Breath()
    durable = engine.record(*events[:1])
    for event in events[1:]:
        await breath.taken()  # an event of an array with thousands of gaps takes milliseconds
        try:
            durable = engine.record(event)
        except IllegalTransition:
            continue
    await engine.promised(durable, *hints)
