"""Group commit: one thread writes, and whatever came while it was writing goes to the disk together with the next write.

Not here: what is written (`journal`), what happens afterwards (the callbacks).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence

from slurm.model.errors import StoreError
from slurm.model.ids import Digest
from slurm.store.journal import Journal, Record
from slurm.store.parcels import NO_NOTES, Notes, Parcel

OnDurable = Callable[[StoreError | None], None]
"""Called in the event loop: None once the write is on disk, or the error with which it was not written."""

log = logging.getLogger("slurm.store")
MAX_BATCH = 10_000
MAX_BYTES = 64 << 20
"""Of contents and records in one write, where it has several: a database takes no more than some hundred MB at once."""


class _Write:
    __slots__ = ("dead", "done", "notes", "outbox", "payloads", "records", "size", "taken")

    def __init__(self, done: OnDurable, records: Sequence[Record] = (), payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (),
                 taken: int = 0, notes: Notes = NO_NOTES) -> None:
        self.done = done
        self.records = records
        self.payloads = payloads
        self.outbox = outbox
        self.taken = taken
        self.notes = notes
        self.dead: Sequence[Digest] | None = None
        self.size = sum(map(len, payloads)) + sum(len(record.body) for record in records) + sum(len(parcel.body) for parcel in outbox)

    @property
    def groups(self) -> bool:
        return self.dead is None


class GroupCommit:
    """Writes to `journal` from a thread of its own, in the order of the calls; all methods are called from the thread of `loop`.

    An error fails its write and everything submitted until the error was told, in order, so that no event is ever written without those
    before it; after that the next submission is tried afresh (submit it again later, not from the callback). `gather` seconds are waited
    for more company before each write.
    """

    def __init__(self, journal: Journal, loop: asyncio.AbstractEventLoop, *, gather: float = 0.0) -> None:
        self._journal = journal
        self._loop = loop
        self._gather = gather
        self._queue: list[_Write] = []
        self._wake = threading.Condition()
        self._failing = False
        self._closing = False
        self._submitted = journal.last_seq
        self._outstanding = 0
        self._idle: list[asyncio.Future[None]] = []
        self.writes = 0
        self.waiting = 0  # bytes of writes whose callback has not been called
        self.died: BaseException | None = None  # what ended the writer thread, such as store.memory.Crashed
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def submitted_seq(self) -> int:
        """The sequence number that the newest submitted event has or will have."""
        return self._submitted

    @property
    def outstanding(self) -> int:
        """Writes whose callback has not been called."""
        return self._outstanding

    def submit(self, records: Sequence[Record], on_durable: OnDurable, *, payloads: Sequence[bytes] = (), outbox: Sequence[Parcel] = (),
               taken: int = 0, notes: Notes = NO_NOTES) -> int:
        """Write events, the payloads that they name, the parcels and notices that they send, and drop parcels up to number `taken` and told
        notices.

        Returns the sequence number of the last event.
        """
        self._submitted += len(records)
        self._put(_Write(on_durable, records, payloads, outbox, taken, notes))
        return self._submitted

    def forget(self, dead: Sequence[Digest], on_durable: OnDurable) -> None:
        """Drop payloads that no submission after this one names without bringing them."""
        write = _Write(on_durable)
        write.dead = dead
        self._put(write)

    async def drain(self) -> None:
        """Wait until every callback of what was submitted so far has been called; raises what the writer died of."""
        if self.died is not None:
            raise self.died
        if self._outstanding:
            idle: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(idle)
            await idle

    async def close(self) -> None:
        """Write what is left and end the thread; the journal stays open."""
        await self.drain()
        with self._wake:
            self._closing = True
            self._wake.notify()
        await self._loop.run_in_executor(None, self._thread.join)

    def _put(self, write: _Write) -> None:
        self._outstanding += 1
        self.waiting += write.size
        with self._wake:
            self._queue.append(write)
            if len(self._queue) == 1:
                self._wake.notify()

    # --- in the writer thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while True:
            with self._wake:
                while (not self._queue or self._failing) and not self._closing:
                    self._wake.wait()
                if self._closing:
                    return
            if self._gather:
                time.sleep(self._gather)
            with self._wake:
                batch = self._take()
            try:
                self._write(batch)
            except StoreError as error:
                self._fail(batch, error)
            except Exception as error:
                log.exception("the writer of the journal failed")
                self._fail(batch, StoreError(message=f"the writer of the journal failed: {error!r}"))
            except BaseException as error:  # noqa: BLE001
                # The end of this process, played by a test: nobody is told that anything was written or not.
                self._tell(self._died, error)
                return
            else:
                self.writes += 1
                self._tell(self._finish, batch, None)

    def _fail(self, batch: list[_Write], error: StoreError) -> None:
        if not batch[0].groups:
            # No event rests on what is dropped: those behind may go on.
            self._tell(self._finish, batch, error)
            return
        with self._wake:
            self._failing = True
        self._tell(self._failed, batch, error)

    def _take(self) -> list[_Write]:
        size = held = 0
        for write in self._queue[:MAX_BATCH]:
            held += write.size
            if not write.groups or held > MAX_BYTES:
                break
            size += 1
        batch, self._queue = self._queue[:max(1, size)], self._queue[max(1, size):]
        return batch

    def _write(self, batch: list[_Write]) -> None:
        first = batch[0]
        if first.dead is not None:
            self._journal.forget(first.dead)
        else:
            self._journal.append(
                [r for write in batch for r in write.records], [p for write in batch for p in write.payloads],
                [p for write in batch for p in write.outbox], max(write.taken for write in batch),
                Notes([n for write in batch for n in write.notes.kept], [n for write in batch for n in write.notes.told],
                      max(write.notes.clock for write in batch)))

    def _tell(self, callback: Callable[..., None], *arguments: object) -> None:
        # An owner that closed its loop without close() has nobody left to tell; the writes themselves are on disk.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    # --- in the event loop -------------------------------------------------------------------------------------------------

    def _failed(self, batch: list[_Write], error: StoreError) -> None:
        """Fail the batch and, until its owners have all been told, whatever was submitted behind it."""
        with self._wake:
            behind, self._queue = self._queue, []
        self._finish(batch + behind, error)
        self._loop.call_soon(self._try_afresh, error)

    def _try_afresh(self, error: StoreError) -> None:
        with self._wake:
            if not self._queue:
                self._submitted = self._journal.last_seq
                self._failing = False
                return
        self._failed([], error)

    def _died(self, error: BaseException) -> None:
        self.died = error
        idle, self._idle = self._idle, []
        for future in idle:
            future.set_exception(error)

    def _finish(self, batch: list[_Write], error: StoreError | None) -> None:
        # Each callback in a turn of its own: one that raises is reported by the loop and does not keep the others from being called.
        for write in batch:
            self.waiting -= write.size
            self._loop.call_soon(write.done, error)
        self._loop.call_soon(self._finished, len(batch))

    def _finished(self, count: int) -> None:
        self._outstanding -= count
        if not self._outstanding:
            idle, self._idle = self._idle, []
            for future in idle:
                if not future.done():
                    future.set_result(None)
