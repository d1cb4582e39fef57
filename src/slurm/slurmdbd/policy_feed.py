"""The policy on its way to one slurmctld: whole, in parts, then every change, each in its order and none left out."""

from __future__ import annotations

import asyncio
import logging

import msgspec

from slurm.model.errors import SlurmError
from slurm.net.peer import Peer
from slurm.slurmdbd.daemon_state import DaemonState
from slurm.store.accounting.policy.editing import Delta
from slurm.wire import frames
from slurm.wire.dbd_messages import PART_RECORDS, TakePolicy

log = logging.getLogger("slurmdbd.policy")
AGAIN_SECONDS = 2.0
_encode = msgspec.msgpack.Encoder().encode


class PolicyFeed:
    """One slurmctld that follows the policy. `version` is the latest change that it has in its journal, -1 before the first answer."""

    def __init__(self, peer: Peer, cluster: str, state: DaemonState) -> None:
        self.cluster = cluster
        self.version = -1
        self._peer = peer
        self._state = state
        self._news = asyncio.Event()
        self._pending: list[Delta] | None = []  # while the whole is on its way: changes that came meanwhile
        self._task = asyncio.get_running_loop().create_task(self._begin())

    def close(self) -> None:
        """It has gone."""
        self._task.cancel()

    def tell(self, delta: Delta) -> None:
        """Something has changed."""
        if self._pending is not None:
            self._pending.append(delta)
            return
        records, resets = delta.of(self.cluster)
        if records or resets:
            self._send([_encode(TakePolicy(version=delta.version, records=records, resets=resets))])

    def taken(self, version: int) -> None:
        """The slurmctld has it."""
        self.version = max(self.version, version)
        self._news.set()
        self._news = asyncio.Event()

    async def has(self, version: int) -> None:
        """Wait until the slurmctld has this version."""
        while self.version < version:
            await self._news.wait()

    async def _begin(self) -> None:
        while True:
            try:
                version, messages = await self._state.work.ask(self._whole)
                break
            except SlurmError as error:
                self._state.seldom.warning(f"policy of {self.cluster}", f"it was not read: {'; '.join(error.lines())}")
                await asyncio.sleep(AGAIN_SECONDS)
        self._send(messages)
        pending, self._pending = self._pending or [], None
        for delta in pending:
            if delta.version > version:
                self.tell(delta)

    def _whole(self) -> tuple[int, list[bytes]]:
        """The messages that tell all of it; the last one is there even when there is nothing to tell."""
        version, records = self._state.database.policy.whole(self.cluster)
        parts = [records[start:start + PART_RECORDS] for start in range(0, len(records), PART_RECORDS)] or [[]]
        return version, [
            _encode(TakePolicy(version=version, records=part, part=True, last=number == len(parts))) for number,
            part in enumerate(parts, 1)]

    def _send(self, messages: list[bytes]) -> None:
        for message in messages:
            self._peer.send(frames.pack(frames.MSGPACK, message))
