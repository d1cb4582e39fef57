"""The lead as the slurmctld has it that leads: it beats, it notices that it was deposed, it hands over.

What was written is fenced by the store; this is about what leaves without being written. A process that was stopped and woke up answers
nobody before it has made sure that it still leads.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from slurm.model.errors import StoreError
from slurm.store.lease import Deposed, Lease, Term, deposed

log = logging.getLogger("slurmctld")
T = TypeVar("T")
BEATS = 6
"""Beats within SlurmctldTimeout."""
LONGEST_BEAT, SHORTEST_BEAT = 5.0, 0.1


def beat_seconds(timeout: float) -> float:
    """Seconds from one beat to the next."""
    return min(LONGEST_BEAT, max(SHORTEST_BEAT, timeout / BEATS))


async def see_that_nobody_leads(lease: Lease, term: Term, location: str) -> None:
    """StoreError while another machine's slurmctld leads with the state at `location`: it would be deposed in the middle of its work."""
    log.warning("%s led with this state and did not end in order: its beats are waited for", term.holder)
    await asyncio.sleep(LONGEST_BEAT + 1)
    if await asyncio.to_thread(lease.read) != term:
        raise StoreError(message=f"{term.holder} leads with its state at {location}", hints=[
            f"stop slurmctld on {term.holder} first, or name both machines in lines SlurmctldHost"])


class Lead:
    """One term of this process. `lost` is called once, with why, when another leads.

    `timeout`: SlurmctldTimeout, 0 where nobody stands by. `beats`: it beats then too, since others might reach the state: who copies it, or
    somebody who was started by mistake.
    """

    def __init__(self, lease: Lease, term: Term, timeout: float, lost: Callable[[Deposed], None], *,
                 clock: Callable[[], float] = time.monotonic, beats: bool = False) -> None:
        self.term = term
        self._lease = lease
        self._timeout = timeout
        self._beats = beats or bool(timeout)
        self._lost = lost
        self._clock = clock
        self._sure = clock()  # when it was last known that we lead
        self._told = ""
        self._over = False
        self._beating: asyncio.Future[None] | None = None
        self._thread = ThreadPoolExecutor(1, "lease")  # a store that hangs must not hold up anything else

    async def keep(self) -> None:
        """Beat for as long as this task lives."""
        while self._beats and not self._over:
            await self._beat()
            await asyncio.sleep(beat_seconds(self._timeout) if self._timeout else LONGEST_BEAT)

    @property
    def doubtful(self) -> bool:
        """Whether nothing was known for so long that another may lead."""
        return bool(self._timeout) and self._clock() - self._sure > self._timeout

    async def make_sure(self) -> None:
        """Look whether we still lead. Deposed when not; when the store does not answer, reading goes on, and nothing can be written."""
        await self._beat()
        if self._over:
            raise Deposed()

    async def still_leads(self) -> bool:
        """Whether the lease says so: somebody contradicts. False, too, where it cannot be read."""
        try:
            now = await self._run(self._lease.read)
        except StoreError as error:
            self._note(error)
            return False
        if now is None or now.epoch != self.term.epoch:
            self._end(deposed(self.term, now))
        return not self._over

    async def release(self) -> None:
        """Hand over: everything that was recorded must be on disk."""
        self._over = True
        try:
            await self._run(lambda: self._lease.release(self.term))
        except StoreError as error:
            log.warning("the lead cannot be handed over, it will be taken: %s", "; ".join(error.lines()))

    def close(self) -> None:
        """Beat no more."""
        self._over = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _beat(self) -> None:
        if self._beating is None:
            self._beating = asyncio.ensure_future(self._beat_once())
        await asyncio.shield(self._beating)

    async def _beat_once(self) -> None:
        asked = self._clock()
        try:
            await self._run(lambda: self._lease.beat(self.term))
            self._sure, self._told = asked, ""
        except Deposed as error:
            self._end(error)
        except StoreError as error:
            self._note(error)
        finally:
            self._beating = None

    def _note(self, error: StoreError) -> None:
        if error.message != self._told:
            log.error("the lease cannot be kept: %s", "; ".join(error.lines()))
        self._told = error.message

    def _end(self, error: Deposed) -> None:
        if not self._over:
            self._over = True
            self._lost(error)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
