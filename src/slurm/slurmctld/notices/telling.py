"""Telling: each destination hears its notices in order, one after another, until it took them; what it has not taken waits on the disk.

A notice that was taken is remembered by the plug-in's own process, which outlives a slurmctld that is killed: so none is told twice for
that. Where something outside is not there (OSError), it is tried again for as long as it takes; a plug-in that fails in another way, or
hangs, gets few tries.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from slurm.model.errors import SlurmError, StoreError
from slurm.model.notice import Notice
from slurm.plugins.failures import ABSENT, PluginFailed, PluginRefused
from slurm.plugins.process import PluginProcess
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.store.parcels import KeptNote, Notes

log = logging.getLogger("slurmctld.notices")
AT_ONCE = 100
_decode = msgspec.msgpack.Decoder(Notice).decode


class Call(NamedTuple):
    """What a plug-in is called with for a notice: a function's name, and the struct of `plugins.records` that it gets."""

    function: str
    argument: msgspec.Struct


class Pace(NamedTuple):
    """Seconds, and tries."""

    first: float = 1.0  # after the first failure; twice as long after each further one
    longest: float = 60.0
    tries: int = 3  # for a notice on which the plug-in fails by itself
    look: float = 60.0  # from one look at the disk to the next when nobody says that there is something


class Teller:
    """Tells one destination. `call_of` makes the call of a notice, and may take its time."""

    def __init__(self, destination: str, process: PluginProcess, journal: Journal, commit: GroupCommit,
                 call_of: Callable[[Notice], Awaitable[Call]], pace: Pace | None = None) -> None:
        self.process = process
        self._destination = destination
        self._journal = journal
        self._commit = commit
        self._call_of = call_of
        self._pace = pace or Pace()
        self._wake = asyncio.Event()
        self._after = 0
        self._complained = ""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def wake(self) -> None:
        """There may be something to tell."""
        self._wake.set()

    async def close(self) -> None:
        """Tell nothing more; what is under way is finished by the plug-in's process, or told again after the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self.process.close()

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            try:
                kept = await asyncio.to_thread(self._journal.notes, self._destination, self._after, AT_ONCE)
                if kept:
                    await self._tell(kept)
                    continue
            except SlurmError as error:
                log.error("notices cannot be read or crossed off: %s", "; ".join(error.lines()))
            except Exception:
                log.exception("telling %s failed", self._destination)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pace.look):
                    await self._wake.wait()

    async def _tell(self, kept: list[KeptNote]) -> None:
        told: list[int] = []
        try:
            for note in kept:
                await self._tell_one(note)
                told.append(note.number)
        finally:
            if told:
                self._after = told[-1]
                await self._cross_off(told)

    async def _cross_off(self, told: list[int]) -> None:
        written: asyncio.Future[StoreError | None] = asyncio.get_running_loop().create_future()

        def done(error: StoreError | None) -> None:
            if not written.done():
                written.set_result(error)

        self._commit.submit([], done, notes=Notes(told=told))
        error = await written
        if error is not None:  # they are found crossed off by the plug-in's own memory
            raise error

    async def _tell_one(self, note: KeptNote) -> None:
        tries, pause = 0, self._pace.first
        while True:
            try:
                await self.process.start()
                if not await self._was_told(note.number):
                    call = await self._call_of(_decode(note.body))
                    value = await self.process.call(
                        call.function, msgspec.to_builtins(call.argument), kind=type(call.argument).__name__, journal=self._journal.id,
                        number=note.number)
                    if value is ABSENT:
                        log.error("%s has no function %s: notice %d is not told", self.process.source.name, call.function, note.number)
                self._complain("")
                return
            except PluginRefused as refused:
                log.warning("%s does not want notice %d: %s", self.process.source.name, note.number, refused)
                return
            except PluginFailed as failed:
                tries += not failed.outside
                if tries >= self._pace.tries:
                    log.error("%s: notice %d is given up after %d tries", failed, note.number, tries)
                    return
                self._complain(str(failed))
            await asyncio.sleep(pause)
            pause = min(2 * pause, self._pace.longest)

    async def _was_told(self, number: int) -> bool:
        """Whether a process before this one had told it; not by a memory of numbers that this journal has not come to."""
        journal, reached = self.process.reached
        return journal == self._journal.id and number <= reached <= await asyncio.to_thread(self._journal.notes_last)

    def _complain(self, what: str) -> None:
        if what and what != self._complained:
            log.error("%s (notices wait until it takes them)", what)
        elif self._complained and not what:
            log.info("%s takes notices again", self.process.source.name)
        self._complained = what
