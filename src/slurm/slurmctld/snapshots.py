"""Snapshots: the state goes to disk record by record, in portions between other work, so that a restart need not replay everything.

Only what has changed since the last snapshot is written. What changes again while one is being written is written again, until so little is
left that it fits into one turn of the loop: that turn fixes the event up to which the snapshot goes.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from slurm.journal import rows
from slurm.journal.row import Name, Row
from slurm.model.errors import StoreError
from slurm.slurmctld import faultpoints
from slurm.slurmctld.engine import Engine
from slurm.store.group_commit import GroupCommit
from slurm.store.history import History
from slurm.store.journal import Journal

log = logging.getLogger("slurmctld.snapshots")
EVENTS = 20_000
"""A snapshot is due after so many events, and at the end."""
SECONDS = 300.0
"""… and after so long, when there was an event at all."""
COMPACT_SECONDS = 60.0
"""What is not given up by then waits for the next snapshot."""
PORTION_SECONDS = 0.003
PORTION_ROWS = 1000
LAST_ROWS = 200
"""So few records are written in one turn, with which the snapshot is whole."""
PAUSE = 0.005
"""Seconds between two portions, in which others have their turn."""

T = TypeVar("T")


class Snapshots:
    """Writes snapshots of what `engine` keeps into `journal`, from a thread of its own; payloads that nobody names any more go by
    `commit`."""

    def __init__(self, engine: Engine, journal: Journal, commit: GroupCommit, *, events: int = EVENTS,
            history: History | None = None) -> None:
        self._engine = engine
        self._journal = journal
        self._commit = commit
        self._events = events
        self.history = history
        self._history_fails = ""
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="snapshots")  # one, so that what is written first is older

    async def run(self) -> None:
        """Take a snapshot whenever one is due, for ever."""
        last = time.monotonic()
        while True:
            await asyncio.sleep(1.0)
            behind = self._engine.seq - self._journal.snapshot_seq
            if behind < self._events and not (behind and time.monotonic() - last > SECONDS):
                continue
            last = time.monotonic()
            if not self._engine.stalled:
                await self.take()

    async def take(self, compact_seconds: float = COMPACT_SECONDS) -> None:
        """Take a snapshot now, and give up what it replaces for so long; one that fails is told in the log and leaves the one before it."""
        if self._engine.seq == self._journal.snapshot_seq:
            return
        began = time.perf_counter()
        try:
            count = await self._take()
            log.debug("snapshot up to event %d: %d records written in %.2f s", self._journal.snapshot_seq, count,
                time.perf_counter() - began)
            dead = self._engine.cluster.payloads.take_unused()
            if dead:
                self._commit.forget(dead, _log)
            await self._remember()
            began = time.monotonic()
            while time.monotonic() - began < compact_seconds and await self._write(self._journal.compact):
                faultpoints.reached("in-compaction")
                await asyncio.sleep(PAUSE)
        except StoreError as error:
            _log(error)
        except Exception:
            # A record that cannot be written must not end the controller; the journal of events has it.
            log.exception("no snapshot could be made")

    async def _remember(self) -> None:
        """Take what is about to be given up into the history; one that cannot be written is told once, and costs nothing else."""
        history = self.history
        if history is None:
            return
        try:
            await self._write(lambda: history.record(time.time()))
        except (StoreError, OSError, sqlite3.Error) as error:
            told = str(error)
            if told != self._history_fails:
                log.error("the history was not written, what happened now cannot be asked for later: %s", told)
            self._history_fails = told
        else:
            self._history_fails = ""

    def close(self) -> None:
        """Wait for what is being written, and end the thread."""
        self._thread.shutdown()

    async def _take(self) -> int:
        state = self._engine.cluster
        given: list[Name] = []
        try:
            while len(state.unsaved) > LAST_ROWS:
                portion = self._portion()
                given += [row.name for row in portion]
                await self._write(lambda portion=portion: self._journal.keep(portion))  # type: ignore[misc]
                faultpoints.reached("in-snapshot")
                await asyncio.sleep(PAUSE)
            last = [*rows.unsaved(state), rows.own(state)]
            given += [row.name for row in last]
            seq, count = self._engine.seq, rows.count(state)
            # No snapshot may know more than the events on disk.
            await self._engine.settled()
            faultpoints.reached("before-complete")
            await self._write(lambda: self._journal.complete(seq, last, count))
        except BaseException:
            rows.unsave(state, given)
            raise
        faultpoints.reached("after-complete")
        return len(given)

    def _portion(self) -> list[Row]:
        began = time.thread_time()
        portion: list[Row] = []
        for row in rows.unsaved(self._engine.cluster):
            portion.append(row)
            if len(portion) >= PORTION_ROWS or (not len(portion) % 20 and time.thread_time() - began > PORTION_SECONDS):
                break
        return portion

    async def _write(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _log(error: StoreError | None) -> None:
    if error is not None:
        log.error("the snapshot was not written: %s", "; ".join(error.lines()))
