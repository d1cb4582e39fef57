"""Engine: the one way by which anything changes: event → memory → journal → effects.

Memory is ahead of the disk by one group commit (a millisecond or so); nothing leaves the process, no reply and no order to a node,
before the events it rests on are on disk. When the disk refuses, the events are kept and tried again, nothing is acknowledged, and
new changes are refused until the disk takes them.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence

import msgspec

from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Plan
from slurm.core.events import Event
from slurm.model.errors import StoreError
from slurm.slurmctld import faultpoints
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Record

log = logging.getLogger("slurmctld.engine")
RETRY_SECONDS = 1.0


class _Batch:
    __slots__ = ("durable", "effects", "payloads", "records")

    def __init__(self, records: list[Record], payloads: Sequence[bytes], effects: list[Effect], durable: asyncio.Future[None]) -> None:
        self.records = records
        self.payloads = payloads
        self.effects = effects
        self.durable = durable


class Engine:
    """Applies events to `cluster`, has them written by `commit`, then hands their effects to `carry_out`.

    `replan` is called at once when an event may let a job start; planning reads memory and need not wait for the disk.
    """

    def __init__(self, cluster: Cluster, commit: GroupCommit, carry_out: Callable[[Effect], None], replan: Callable[[], None]) -> None:
        self.cluster = cluster
        self.stalled = ""  # why the disk does not take events, "" when it does
        self._commit = commit
        self._carry_out = carry_out
        self._replan = replan
        self._encoder = msgspec.msgpack.Encoder()
        self._backlog: deque[_Batch] = deque()
        self.events_recorded = 0

    def refuse_when_stalled(self) -> None:
        """StoreError while the disk does not take events: asked before a change that nobody has been promised yet."""
        if self.stalled:
            raise StoreError(hints=[self.stalled, "running jobs go on and nothing acknowledged is lost; try again when there is space"])

    def record(self, *events: Event, payloads: Sequence[bytes] = ()) -> asyncio.Future[None]:
        """Apply events in order; the future is done when all of them are on disk and their effects are on their way.

        Raises IllegalTransition before anything is written when the first event is not possible.
        """
        loop = asyncio.get_running_loop()
        effects: list[Effect] = []
        records: list[Record] = []
        want_plan = False
        try:
            for event in events:
                for effect in self.cluster.apply(event):
                    if isinstance(effect, Plan):
                        want_plan = True
                    else:
                        effects.append(effect)
                records.append(Record(at=event.at, kind=type(event).__name__, body=self._encoder.encode(event)))
        finally:
            batch = _Batch(records, payloads, effects, loop.create_future())
            if records:
                self._submit(batch)
            else:
                batch.durable.set_result(None)
        if want_plan:
            self._replan()
        self.events_recorded += len(records)
        return batch.durable

    def _submit(self, batch: _Batch) -> None:
        if self._backlog:
            self._backlog.append(batch)
            return
        faultpoints.reached("before-append")
        self._commit.submit(batch.records, lambda error: self._on_durable(batch, error), payloads=batch.payloads)

    def _on_durable(self, batch: _Batch, error: StoreError | None) -> None:
        if error is not None:
            if not self.stalled:
                log.error("cannot write the journal: %s", error)
            self.stalled = str(error)
            self._backlog.append(batch)
            if len(self._backlog) == 1:
                asyncio.get_running_loop().call_later(RETRY_SECONDS, self._retry)
            return
        if self.stalled:
            log.info("the journal takes events again")
            self.stalled = ""
        faultpoints.reached("after-append")
        for effect in batch.effects:
            self._carry_out(effect)
        if not batch.durable.done():
            batch.durable.set_result(None)

    def _retry(self) -> None:
        waiting, self._backlog = self._backlog, deque()
        for batch in waiting:
            self._submit(batch)

