"""slurmdbd itself, typed: whether it answers, and how busy it is. Blocking; it needs msgspec."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from slurm.client.accounting import Channel
from slurm.model.errors import ProtocolError
from slurm.wire.sacctmgr_messages import DatabasePinged, DatabaseStats, JobChanges, JobsModified

T = TypeVar("T")


class DatabaseDaemon:
    """Messages of `wire.sacctmgr_messages`, asked by way of slurmctld. Every method raises the SlurmError that the other side answered."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def ping(self) -> DatabasePinged:
        """Does it answer, and has it its database?"""
        return self._asked("PingDatabase", DatabasePinged)

    def statistics(self) -> DatabaseStats:
        """What it did since it started; for operators."""
        return self._asked("ShowDatabaseStats", DatabaseStats)

    def modify_jobs(self, cluster: str, jobs: Sequence[tuple[int, int]], changes: JobChanges) -> int:
        """Write over what is said of jobs (id, restarts) that have ended; how many are as they shall be."""
        reply = self._channel.call({
            "type": "ModifyJobs", "cluster": cluster, "jobs": [list(one) for one in jobs], "changes": msgspec.to_builtins(changes)})
        try:
            return msgspec.convert(reply, JobsModified).jobs
        except msgspec.ValidationError as error:
            raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error

    def _asked(self, question: str, kind: type[T]) -> T:
        try:
            return msgspec.convert(self._channel.call({"type": question}), kind)
        except msgspec.ValidationError as error:
            raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
