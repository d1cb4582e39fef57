"""The past, typed: what any door to accounting answers, and the door that asks the cluster by the protocol.

Blocking, and read only when something is asked: it needs msgspec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import msgspec

from slurm.model.accounting import JobFilter, JobRow
from slurm.model.errors import ProtocolError
from slurm.model.ids import Digest

Message = dict[str, object]


class Accounting(Protocol):
    """A door to what accounting knows. Every method raises the SlurmError that the other side answered, or Unreachable."""

    @property
    def cluster(self) -> str:
        """The cluster that is asked; "" before the first answer."""
        ...

    def jobs(self, wanted: JobFilter) -> Iterator[JobRow]:
        """Past and present jobs that the filter means, in the database's order, read as they come."""
        ...

    def payload(self, digest: Digest) -> str | None:
        """A script or an environment ("NAME=value" with NUL between) that is kept by content; None when it is not."""
        ...


class Channel(Protocol):
    """What the door needs of a connection, such as `net.client.Connection`."""

    def call(self, message: Message) -> Mapping[str, object]:
        """Sends a request and waits for its reply."""
        ...


class ClusterAccounting:
    """The door of a cluster: messages of `wire.accounting_messages` over a connection to it."""

    def __init__(self, channel: Channel) -> None:
        self.cluster = ""
        self._channel = channel

    def jobs(self, wanted: JobFilter) -> Iterator[JobRow]:
        """As Accounting.jobs, in parts."""
        question: Message = {"type": "FindJobs", "wanted": msgspec.to_builtins(wanted)}
        while True:
            reply = self._channel.call(question)
            self.cluster = str(reply.get("cluster", ""))
            yield from _rows(reply)
            after = reply.get("next", "")
            if not after:
                return
            question["after"] = after

    def payload(self, digest: Digest) -> str | None:
        """As Accounting.payload."""
        content = self._channel.call({"type": "FetchPayload", "digest": digest}).get("content")
        return content if isinstance(content, str) else None


def _rows(reply: Mapping[str, object]) -> list[JobRow]:
    try:
        return msgspec.convert(reply.get("jobs", []), list[JobRow])
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply holds no jobs of ours: {error}"]) from error
