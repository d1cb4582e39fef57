"""Policy as it comes from slurmdbd: recorded as events, so that it holds after a restart without slurmdbd, and acknowledged once it is on
disk.

A whole policy is compared with what is known here, some records at a time between other work: only what differs is recorded, mostly
nothing. Not here: what policy means (`core.policy`), the connection (`sender`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from slurm.core.events import PolicyChanged
from slurm.core.policy.book import Book, name_of
from slurm.model.errors import SlurmError
from slurm.model.policy import Account, Association, PolicyRecord, Qos, Resource, User, Wckey
from slurm.slurmctld.engine import Engine
from slurm.wire.dbd_messages import FollowPolicy, PolicyTaken, TakePolicy
from slurm.wire.messages import Message

log = logging.getLogger("slurmctld.policy")
AT_ONCE = 500
"""Records that are compared, or recorded, in one turn of the loop."""


class PolicyFollower:
    """Takes what slurmdbd tells of the policy; `send` sends a message to it."""

    def __init__(self, engine: Engine, now: Callable[[], float], send: Callable[[Message], object]) -> None:
        self._engine = engine
        self._now = now
        self._send = send
        self._parts: list[PolicyRecord] = []
        self._waiting: asyncio.Queue[TakePolicy] = asyncio.Queue()
        self._task: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """A connection was made: ask for the policy."""
        self._parts = []
        while not self._waiting.empty():  # of an earlier connection: the whole comes again
            self._waiting.get_nowait()
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run())
        self._send(FollowPolicy())

    async def close(self) -> None:
        """Take nothing more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def on_policy(self, message: TakePolicy) -> None:
        """slurmdbd told something."""
        self._waiting.put_nowait(message)

    async def _run(self) -> None:
        while True:
            message = await self._waiting.get()
            try:
                await self._take(message)
            except SlurmError as error:
                log.error("a change of the policy was not taken: %s", "; ".join(error.lines()))
            except Exception:
                # What comes next, or the whole after the next connection, may be taken.
                log.exception("a change of the policy was not taken")

    async def _take(self, message: TakePolicy) -> None:
        if message.part:
            self._parts += message.records
            if not message.last:
                return
            parts, self._parts = self._parts, []
            await self._take_whole(parts)
        elif message.records or message.resets:
            await self._engine.record(PolicyChanged(at=self._now(), records=list(message.records), resets=message.resets))
        self._send(PolicyTaken(version=message.version))

    async def _take_whole(self, records: list[PolicyRecord]) -> None:
        """Make the policy these records, all at once."""
        policy = self._engine.cluster.policy
        known, changed, seen = policy.book, list[PolicyRecord](), set[str]()
        for start in range(0, len(records), AT_ONCE):
            for record in records[start:start + AT_ONCE]:
                name = name_of(record)
                seen.add(name)
                if known.by_name(name) != record:
                    changed.append(record)
            await asyncio.sleep(0)
        gone = await self._gone(known, seen)
        if not changed and not gone and policy.known:
            return
        log.info("the policy has %d records; %d are new or changed, %d are gone", len(records), len(changed), len(gone))
        if policy.known and len(changed) + len(gone) <= AT_ONCE:
            await self._engine.record(PolicyChanged(at=self._now(), records=[*gone, *changed]))
            return
        for start in range(0, len(records), AT_ONCE):
            await self._engine.record(PolicyChanged(at=self._now(), records=records[start:start + AT_ONCE], staged=True))
        await self._engine.record(PolicyChanged(at=self._now(), records=[], whole=True))

    async def _gone(self, known: Book, seen: set[str]) -> list[PolicyRecord]:
        """What is known here and was not told, as removed."""
        found = []
        records = known.records()
        for start in range(0, len(records), AT_ONCE):
            found += [_removed(record) for record in records[start:start + AT_ONCE] if name_of(record) not in seen]
            await asyncio.sleep(0)
        return found


def _removed(record: PolicyRecord) -> PolicyRecord:
    """A record of the same key that says that it is no more."""
    match record:
        case Account():
            return Account(name=record.name, deleted=True)
        case User():
            return User(name=record.name, deleted=True)
        case Association():
            return Association(id=record.id, cluster=record.cluster, account=record.account, user=record.user, parent=record.parent,
                deleted=True)
        case Qos():
            return Qos(id=record.id, name=record.name, deleted=True)
        case Wckey():
            return Wckey(id=record.id, name=record.name, user=record.user, cluster=record.cluster, deleted=True)
        case Resource():
            return Resource(id=record.id, name=record.name, server=record.server, deleted=True)
