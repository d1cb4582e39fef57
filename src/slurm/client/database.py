"""slurmdbd itself, typed: whether it answers, and how busy it is. Blocking; it needs msgspec."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from slurm.client.accounting import Channel
from slurm.model.errors import ProtocolError
from slurm.wire.sacctmgr_messages import DatabasePinged, DatabaseStats

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

    def _asked(self, question: str, kind: type[T]) -> T:
        try:
            return msgspec.convert(self._channel.call({"type": question}), kind)
        except msgspec.ValidationError as error:
            raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
