"""Accounting: keeps a connection to slurmdbd and sends it the records of the outbox, in order, until it says that it has them. Policy comes
back on it.

Nothing here is in the way of scheduling: the outbox is read beside the event loop, in slices; an outage of any length only makes it longer,
on disk. What was sent and not acknowledged is sent again, and slurmdbd passes over what it has: each record stands there once. Not here:
what is in a record (`core.records`), when it is written (`engine`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

import msgspec

from slurm.core.events import NumberingContinued, RecordsMissed
from slurm.model.errors import SlurmError, StoreError
from slurm.model.ids import JobId
from slurm.net.link import Link
from slurm.slurmctld.accounting.policy_follower import PolicyFollower
from slurm.slurmctld.engine import Engine
from slurm.store.group_commit import GroupCommit
from slurm.store.journal import Journal
from slurm.wire import dbd_messages as d
from slurm.wire import frames
from slurm.wire.messages import Failure, Message

log = logging.getLogger("slurmctld.accounting")
MISSED_AT_ONCE = 200
DROP_RECORDS = 5000
"""So many that have arrived are dropped from the outbox at once, without waiting for more."""
FEW = 20
"""So many records do not wait for more."""


class Pace(NamedTuple):
    """Seconds."""

    gather: float = 0.05  # for which records wait for company before they are sent
    more: float = 0.75  # besides, when more than a few do
    answer: float = 300.0  # after which a slurmdbd that says nothing is connected anew
    drop: float = 1.0  # from one time to the next at which what has arrived is dropped from the outbox
    tell: float = 60.0  # from one time to the next at which slurmdbd is told that it has everything, while nothing happens
    pause: float = 1.0  # after the first failure; twice as long after each further one
    longest: float = 60.0


class Accounting:
    """The sender. It is the listener of its link, which its owner sets before `start`; `facts` says what registers: all but journal and
    `first`.

    It must be made before anything is recorded. `most` is MaxDBDMsgs: half as many records may wait before it is said.
    """

    link: Link

    def __init__(self, engine: Engine, journal: Journal, commit: GroupCommit, now: Callable[[], float],
            facts: Callable[[], d.RegisterCluster],
                 most: int, pace: Pace | None = None) -> None:
        self.most = most
        self._pace = pace or Pace()
        self._engine = engine
        self._journal = journal
        self._commit = commit
        self._now = now
        self._facts = facts
        # Nothing has been recorded yet in this process: what is numbered is on disk.
        self._taken = self._dropped = self._sent = engine.cluster.recording.sequence  # slurmdbd has it; it was dropped; it is on disk
        self._dropping = False
        self._complete = False  # whether slurmdbd was told at last that it has everything
        self._wake = asyncio.Event()
        self._answer: asyncio.Future[Message] | None = None
        self._registered = False
        self._task: asyncio.Task[None] | None = None
        self._dropper: asyncio.TimerHandle | None = None
        self._warned_at = 0
        self._told = ""
        self._unheard = "it was not reached since slurmctld began"  # why there is no connection
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(d.ToController).decode
        self._policy = PolicyFollower(engine, now, self._tell)
        engine.put_out = self._on_put_out

    @property
    def waiting(self) -> int:
        """Records that slurmdbd has not taken yet: sdiag's DBD Agent queue size."""
        return max(0, self._engine.cluster.recording.sequence - self._taken)

    def doing(self) -> str:
        """One plain sentence."""
        return f"slurmdbd is {'registered with' if self._registered else 'not connected'}, {self.waiting} records wait"

    @property
    def trouble(self) -> str:
        """What keeps records from the database, a sentence; "" when nothing does."""
        if self._told:
            return f"slurmdbd takes no records, {self.waiting} wait on disk and none is lost: {self._told}"
        if not self._registered and self._unheard:
            return f"slurmdbd does not answer, {self.waiting} records wait on disk and none is lost: {self._unheard}"
        return ""

    async def start(self) -> None:
        """Begin to connect and send; StoreError when the outbox cannot be read."""
        kept = await asyncio.to_thread(self._journal.outbox_kept)
        if kept.first:
            self._taken = self._dropped = kept.first - 1
        self._task = asyncio.get_running_loop().create_task(self._run())
        self.link.start()

    async def close(self) -> None:
        """Send no more; what has not arrived is sent after the next start."""
        self._engine.put_out = None
        if self._dropper is not None:
            self._dropper.cancel()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        await self._policy.close()
        await self.link.close()
        if self.waiting:
            log.info("%d records wait in the outbox for slurmdbd", self.waiting)

    def _on_put_out(self, sequence: int) -> None:
        """Records up to this number are on disk."""
        self._sent = sequence
        self._wake.set()
        if self.waiting >= max(1, self.most // 2, 2 * self._warned_at):
            self._warned_at = self.waiting
            log.warning(
                "%d records wait for slurmdbd (MaxDBDMsgs=%d): they are kept on disk and none is dropped; is slurmdbd running?",
                self.waiting, self.most)

    # --- the link --------------------------------------------------------------------------------------------------------

    def on_up(self) -> None:
        """Connected."""
        self._wake.set()

    def on_down(self, why: str) -> None:
        """Disconnected: whoever waits for an answer does so no longer."""
        self._registered = False
        self._unheard = why
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(ConnectionError(why))

    def on_message(self, codec: int, payload: bytes) -> None:
        """An answer; one that cannot be read breaks the connection (the link does it)."""
        message = self._decode(payload)
        if isinstance(message, d.TakePolicy):
            self._policy.on_policy(message)
            return
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(message)

    def _tell(self, message: Message) -> None:
        """Send what is not answered; a connection that broke asks for everything again."""
        self.link.send(frames.pack(frames.MSGPACK, self._encode(message)))

    async def _ask(self, message: Message | d.EncodedRecords) -> Message:
        """Send a message and wait for its answer; ConnectionError, TimeoutError."""
        self._answer = asyncio.get_running_loop().create_future()
        if not self.link.send(frames.pack(frames.MSGPACK, self._encode(message))):
            self._answer.cancel()
            raise ConnectionError("not connected")
        try:
            async with asyncio.timeout(self._pace.answer):
                return await self._answer
        except TimeoutError:
            self.link.reconnect(f"slurmdbd has not answered for {self._pace.answer:.0f} s")
            raise

    # --- sending ---------------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        pause = self._pace.pause
        while True:
            try:
                await self._turn()
                pause = self._pace.pause
                self._complain("")
            except ConnectionError:
                await self._rest(pause)
            except (SlurmError, TimeoutError) as error:
                self._complain("; ".join(error.lines()) if isinstance(error, SlurmError) else "slurmdbd does not answer")
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._pace.longest)
            except Exception:
                # Whatever is wrong here, the controller goes on; nothing is lost, and it is tried again.
                log.exception("sending records to slurmdbd failed")
                await asyncio.sleep(pause)
                pause = min(2 * pause, self._pace.longest)

    async def _turn(self) -> None:
        """One step: register, send a slice, or wait until there is something to do."""
        if not self.link.up:
            await self._rest(self._pace.longest)
        elif self._engine.stalled and not self._registered:
            await self._rest(self._pace.pause)  # what registration brings about could not be written
        elif not self._registered:
            await self._register()
        elif self._taken < self._sent or (self._behind and not self._engine.stalled):
            await self._gather()
            await self._send()
        else:
            await self._rest(self._pace.tell if self._complete else self._pace.drop)
            if self._registered and self._taken >= self._sent:
                await self._send()

    async def _gather(self) -> None:
        """Wait a little for company, longer when much comes: what is soon replaced by a later record is less work for the database then."""
        if self._sent - self._taken < d.SLICE_RECORDS:
            await asyncio.sleep(self._pace.gather)
        if FEW < self._sent - self._taken < d.SLICE_RECORDS:
            await asyncio.sleep(self._pace.more)

    async def _rest(self, seconds: float) -> None:
        """Wait for so long, or until something has changed."""
        self._wake.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    def _complain(self, what: str) -> None:
        if what and what != self._told:
            log.error("slurmdbd takes no records, they are kept: %s", what)
        elif self._told and not what:
            log.info("slurmdbd takes records again")
        self._told = what

    async def _register(self) -> None:
        kept = await asyncio.to_thread(self._journal.outbox_kept)
        sequence = self._engine.cluster.recording.sequence
        first = kept.first or self._taken + 1
        answer = await self._ask(msgspec.structs.replace(self._facts(), journal=self._journal.id, first=first))
        if isinstance(answer, Failure):
            raise SlurmError(message=answer.message, hints=answer.hints)
        assert isinstance(answer, d.ClusterRegistered)
        if answer.through > sequence:
            fresh = await asyncio.to_thread(self._journal.rename)
            log.warning(
                "slurmdbd has records up to %d of this state, which has come to %d: it was restored from a backup; from now on its "
                "records are those of "
                "journal %s", answer.through, sequence, fresh)
            self.link.reconnect("to register anew")
            raise ConnectionError("to register anew")
        self._registered = True
        self._unheard = ""
        self._policy.follow()
        log.info("registered with slurmdbd: it has records up to %d of %d", answer.through, sequence)
        self._taken = max(answer.through, first - 1)
        self._drop_soon()
        unknown = answer.going_on - sum(not job.state.finished for job in self._engine.cluster.jobs.values())
        if unknown > 0:
            log.warning("slurmctld began without the state of the one before it: %d jobs of that have not ended in the database, and "
                        "nobody "
                        "will tell of them: `sacctmgr show runawayjobs` lists and ends them", unknown)
        self._continue_above(answer)
        if answer.through < first - 1:
            await self._send_again(answer.through, first)

    def _continue_above(self, answer: d.ClusterRegistered) -> None:
        """Ids that jobs of an earlier state had are not given again."""
        cluster = self._engine.cluster
        if answer.through or answer.highest_job < cluster.next_job_id:
            return
        self._engine.record(NumberingContinued(at=self._now(), above=answer.highest_job))
        log.info("the database knows jobs up to %d: the next one here gets id %d", answer.highest_job, cluster.next_job_id)

    async def _send_again(self, through: int, first: int) -> None:
        """The database has lost what it had: what is still known here comes once more."""
        cluster = self._engine.cluster
        jobs = list(cluster.jobs)
        if through or jobs:
            log.warning("slurmdbd has not the records %d to %d, which had arrived: those of %d jobs that are still known are sent again",
                through + 1, first - 1, len(jobs))
        self._engine.record(RecordsMissed(at=self._now(), jobs=[], nodes=True))
        for place in range(0, len(jobs), MISSED_AT_ONCE):
            present: list[JobId] = [job for job in jobs[place:place + MISSED_AT_ONCE] if job in cluster.jobs]
            await self._engine.record(RecordsMissed(at=self._now(), jobs=present))

    @property
    def _behind(self) -> dict[JobId, None]:
        return self._engine.cluster.recording.behind

    async def _send(self) -> None:
        """Send what comes next; without any, that there is nothing more."""
        await self._tell_behind()
        moment, settled = self._now(), self._engine.is_settled and not self._behind
        last = self._sent
        parcels = await asyncio.to_thread(self._journal.outbox, self._taken, d.SLICE_RECORDS, d.SLICE_BYTES)
        complete = self._complete = settled and (parcels[-1].sequence if parcels else self._taken) >= last
        if parcels and parcels[0].sequence != self._taken + 1:
            raise StoreError(message=f"accounting record {self._taken + 1} is missing in the outbox")
        answer = await self._ask(d.EncodedRecords(records=[msgspec.Raw(parcel.body) for parcel in parcels],
            complete_until=moment if complete else 0.0))
        if isinstance(answer, Failure):
            raise SlurmError(message=answer.message, hints=answer.hints)
        assert isinstance(answer, d.RecordsTaken)
        self._taken = max(self._taken, min(answer.through, last if not parcels else parcels[-1].sequence))
        if self.waiting < self.most // 4 and self._warned_at:
            self._warned_at = 0
            log.info("slurmdbd has caught up: %d records wait", self.waiting)
        self._drop_soon()

    async def _tell_behind(self) -> None:
        """Arrays of which tasks have begun are recorded once for all of them; while the disk takes nothing, later."""
        if self._behind and not self._engine.stalled:
            late = list(self._behind)[:MISSED_AT_ONCE]
            durable = self._engine.record(RecordsMissed(at=self._now(), jobs=late))
            with suppress(StoreError):
                await self._engine.promised(durable)

    # --- what has arrived ------------------------------------------------------------------------------------------------

    def _drop_soon(self) -> None:
        if self._taken - self._dropped >= DROP_RECORDS:
            self._drop()
        elif self._taken > self._dropped and self._dropper is None:
            self._dropper = asyncio.get_running_loop().call_later(self._pace.drop, self._drop)

    def _drop(self) -> None:
        if self._dropper is not None:
            self._dropper.cancel()
            self._dropper = None
        if self._dropping or self._taken <= self._dropped:
            return
        self._dropping = True
        upto = self._taken

        def dropped(error: StoreError | None) -> None:
            self._dropping = False
            if error is None:
                self._dropped = max(self._dropped, upto)
                self._drop_soon()
            elif self._dropper is None:  # a disk that takes nothing now is asked again
                self._dropper = asyncio.get_running_loop().call_later(self._pace.drop, self._drop)

        self._commit.submit([], dropped, taken=upto)
