"""Engine: the one way by which anything changes: event → memory → journal → effects.

Memory is ahead of the disk by one group commit (a millisecond or so); nothing leaves the process, no reply and no order to a node,
before the events it rests on are on disk. A disk that takes nothing for a while (full) is tried again: events are kept in order, nothing is
acknowledged, and new changes are refused. A disk of which nobody knows what it holds (failed, damaged) ends the process: only a
restart, which reads it afresh, can tell.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence

from slurm.core.cluster import Cluster
from slurm.core.effects import Effect, Tell
from slurm.core.effects import Record as Recorded
from slurm.core.events import Event
from slurm.journal import codec
from slurm.model.errors import StoreError
from slurm.slurmctld import chronicle, faultpoints
from slurm.slurmctld.accounting import parcels
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Record, StoreBusy
from slurm.store.parcels import Note, Notes, Parcel

log = logging.getLogger("slurmctld.engine")
MOST_WAITING = 256 << 20
"""Bytes on their way to the disk: while it hangs, what users submit would fill this process's memory."""
RETRY_SECONDS = 1.0
_KEPT = frozenset((Recorded, Tell))
"""Effects that are not carried out but written with their event; they come last."""


class _Batch:
    __slots__ = ("durable", "effects", "events", "notes", "number", "outbox", "payloads", "records")

    def __init__(self, events: list[Event], records: list[Record], payloads: Sequence[bytes], effects: list[Effect],
                 durable: asyncio.Future[None]) -> None:
        self.events = events
        self.records = records
        self.payloads = payloads
        self.effects = effects
        self.durable = durable
        self.outbox: list[Parcel] = []
        self.notes: list[Note] = []
        self.number = 0  # of its submission


class Engine:
    """Applies events to `cluster`, has them written by `commit`, then hands their effects to `carry_out`.

    `noticed` is called with each event as soon as it holds in memory (planning need not wait for the disk), and with None when the disk
    takes events again. `broken` is called once, with the error after which this process must end.
    """

    def __init__(
        self, cluster: Cluster, commit: GroupCommit, carry_out: Callable[[Effect], None], noticed: Callable[[Event | None], None],
        broken: Callable[[StoreError], None], *, retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        self.cluster = cluster
        self.stalled = ""  # why the disk does not take events, "" when it does
        self.events_recorded = 0
        self.changed = 0.0  # when the last event since the start was
        self.put_out: Callable[[int], None] | None = None  # told the number up to which records for the database are on disk
        self.noted: Callable[[], None] | None = None  # told that there are new notices on disk
        self._seq_before = commit.submitted_seq
        self._commit = commit
        self._carry_out = carry_out
        self._noticed = noticed
        self._broken = broken
        self._retry_seconds = retry_seconds
        self._backlog: list[_Batch] = []
        self._retrying: asyncio.TimerHandle | None = None
        self._is_broken = False
        self._last: asyncio.Future[None] | None = None
        self._stall: asyncio.Future[None] | None = None  # done when the disk refuses; made when somebody waits for that

    @property
    def seq(self) -> int:
        """The number that the newest event in memory has or will have on disk."""
        return self._seq_before + self.events_recorded

    def refuse_when_stalled(self) -> None:
        """StoreError while the disk does not take events: asked before a change that nobody has been promised yet."""
        if self.stalled:
            raise StoreError(hints=[self.stalled, "running jobs go on and nothing acknowledged is lost; try again when there is space"])
        if self._commit.waiting > MOST_WAITING:
            raise StoreError(hints=[f"{self._commit.waiting >> 20} MB wait to be written: the disk or database is slow",
                                    "try again in a moment"])

    def record(self, *events: Event, payloads: Sequence[bytes] = ()) -> asyncio.Future[None]:
        """Apply events in order; the future is done when all of them are on disk and their effects are on their way.

        IllegalTransition when one of them is not possible: those before it hold and are written, it and those behind it never were.
        """
        return self.record_each(events, payloads=payloads)

    def record_each(self, events: Iterable[Event], *, payloads: Sequence[bytes] = ()) -> asyncio.Future[None]:
        """The same for events of which each is made when those before it hold. They are written together: all of them, or none."""
        batch = _Batch([], [], payloads, [], asyncio.get_running_loop().create_future())
        try:
            for event in events:
                # Encoded before it is applied: the records that an event carries become the cluster's own, and change with it.
                body = codec.encode(event)
                found = self.cluster.apply(event)
                batch.events.append(event)
                batch.records.append(Record(at=event.at, kind=type(event).__name__, body=body))
                if found and type(found[-1]) in _KEPT:
                    found = parcels.parted(found, payloads, self.seq + len(batch.records), batch.outbox, batch.notes)
                batch.effects += found
                self._noticed(event)
        finally:
            if batch.records:
                self.events_recorded += len(batch.records)
                self.changed = max(self.changed, batch.records[-1].at)
                batch.number = self.events_recorded
                self._last = batch.durable
                self._submit(batch)
            else:
                batch.durable.set_result(None)
        return batch.durable

    async def promised(self, durable: asyncio.Future[None], *hints: str) -> None:
        """Wait until what was recorded is on disk; StoreError as soon as the disk refuses it, although it is kept and tried again.

        `hints` say what becomes of it. Who asked for it is not kept waiting for room on a disk.
        """
        if not self.stalled:
            if self._stall is None or self._stall.done():
                self._stall = asyncio.get_running_loop().create_future()
            await asyncio.wait((durable, self._stall), return_when=asyncio.FIRST_COMPLETED)
        if not durable.done():
            raise StoreError(hints=[self.stalled, *hints])

    @property
    def is_settled(self) -> bool:
        """Whether everything recorded so far is on disk."""
        return self._last is None or self._last.done()

    async def settled(self) -> None:
        """Wait until everything recorded so far is on disk: asked before telling somebody what memory says."""
        if self._last is not None:
            await asyncio.shield(self._last)

    def close(self) -> None:
        """Try no more; says how much of what nobody was told of is given up."""
        if self._retrying is not None:
            self._retrying.cancel()
        if self._backlog:
            count = sum(len(batch.records) for batch in self._backlog)
            log.error("%d events could not be written (%s) and are forgotten; nobody was told that they happened", count, self.stalled)

    def _submit(self, batch: _Batch) -> None:
        if self._backlog:
            self._backlog.append(batch)
            return
        faultpoints.reached("before-append")
        self._commit.submit(batch.records, lambda error: self._on_durable(batch, error), payloads=batch.payloads, outbox=batch.outbox,
                            notes=Notes(batch.notes))

    def _on_durable(self, batch: _Batch, error: StoreError | None) -> None:
        if error is not None:
            self._refused(batch, error)
            return
        if self.stalled:
            log.info("the journal takes events again")
            self.stalled = ""
            self._noticed(None)
        faultpoints.reached("after-append")
        for effect in batch.effects:
            try:
                self._carry_out(effect)
            except Exception:
                # One effect that fails must not keep the others from being carried out, nor the reply from being sent.
                log.exception("%s could not be carried out", effect)
        if not batch.durable.done():
            batch.durable.set_result(None)
        if batch.outbox and self.put_out is not None:
            self.put_out(batch.outbox[-1].sequence)
        if batch.notes and self.noted is not None:
            self.noted()
        chronicle.tell(self.cluster, batch.events)

    def _refused(self, batch: _Batch, error: StoreError) -> None:
        if not self.stalled:
            log.error("the journal takes no events: %s", "; ".join(error.lines()))
        self.stalled = error.message
        if self._stall is not None and not self._stall.done():
            self._stall.set_result(None)
        self._backlog.append(batch)
        if not isinstance(error, StoreBusy):
            if not self._is_broken:
                self._is_broken = True
                self._broken(error)
        elif len(self._backlog) == 1:
            self._retrying = asyncio.get_running_loop().call_later(self._retry_seconds, self._retry)

    def _retry(self) -> None:
        # What was on its way to the disk when the first refusal was told came back behind what was kept here since then.
        waiting, self._backlog = sorted(self._backlog, key=lambda batch: batch.number), []
        for batch in waiting:
            self._submit(batch)
