"""The past, typed: what any door to accounting answers, and the door that asks the cluster by the protocol.

Blocking, and read only when something is asked: it needs msgspec.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol

import msgspec

from slurm.model.accounting import (
    AssociationUsage,
    ClusterUsage,
    EventFilter,
    EventRow,
    JobFilter,
    JobRow,
    ReservationFilter,
    ReservationRow,
    UsageFilter,
    WckeyUsage,
)
from slurm.model.errors import ProtocolError, Unsupported
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

    def cluster_usage(self, wanted: UsageFilter) -> list[ClusterUsage]:
        """What became of the clusters' TRES, in whole hours as far as they are summed up."""
        ...

    def association_usage(self, wanted: UsageFilter) -> list[AssociationUsage]:
        """What each user had in each account."""
        ...

    def wckey_usage(self, wanted: UsageFilter) -> list[WckeyUsage]:
        """What each user had with each wckey."""
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
            reply = self._asked(question)
            self.cluster = str(reply.get("cluster", ""))
            with _readable("jobs"):
                rows = msgspec.convert(reply.get("jobs", []), list[JobRow])
            yield from rows
            after = reply.get("next", "")
            if not after:
                return
            question["after"] = after

    def cluster_usage(self, wanted: UsageFilter) -> list[ClusterUsage]:
        """As Accounting.cluster_usage."""
        with _readable("sums"):
            return msgspec.convert(self._used("cluster", wanted).get("clusters", []), list[ClusterUsage])

    def association_usage(self, wanted: UsageFilter) -> list[AssociationUsage]:
        """As Accounting.association_usage."""
        with _readable("sums"):
            return msgspec.convert(self._used("association", wanted).get("associations", []), list[AssociationUsage])

    def wckey_usage(self, wanted: UsageFilter) -> list[WckeyUsage]:
        """As Accounting.wckey_usage."""
        with _readable("sums"):
            return msgspec.convert(self._used("wckey", wanted).get("wckeys", []), list[WckeyUsage])

    def _used(self, kind: str, wanted: UsageFilter) -> Mapping[str, object]:
        return self._asked({"type": "SumUsage", "kind": kind, "wanted": msgspec.to_builtins(wanted)})

    def _asked(self, question: Message) -> Mapping[str, object]:
        """The reply; Unsupported in Slurm's words from a controller that does not know such a question."""
        try:
            return self._channel.call(question)
        except ProtocolError as error:
            if str(question["type"]) not in "; ".join(error.hints):
                raise
            raise Unsupported(message="Slurm accounting storage is disabled",
                hints=["this slurmctld knows nothing of accounting, it is older than the command"]) from error

    def events(self, wanted: EventFilter) -> list[EventRow]:
        """What befell clusters and their nodes; of each cluster its own events first, then those of nodes by name."""
        question: Message = {"type": "FindEvents", "wanted": msgspec.to_builtins(wanted)}
        found: list[EventRow] = []
        while True:
            reply = self._asked(question)
            with _readable("events"):
                found += msgspec.convert(reply.get("events", []), list[EventRow])
            if not reply.get("next"):
                return sorted(found, key=lambda event: (event.cluster, event.node, event.start))
            question["after"] = reply["next"]

    def reservations(self, wanted: ReservationFilter) -> list[ReservationRow]:
        """Reservations that were there, and how they were used, by cluster, name and start."""
        reply = self._asked({"type": "FindReservations", "wanted": msgspec.to_builtins(wanted)})
        with _readable("reservations"):
            return msgspec.convert(reply.get("reservations", []), list[ReservationRow])

    def payload(self, digest: Digest) -> str | None:
        """As Accounting.payload."""
        content = self._channel.call({"type": "FetchPayload", "digest": digest}).get("content")
        return content if isinstance(content, str) else None


@contextmanager
def _readable(what: str) -> Iterator[None]:
    """ProtocolError where what is read in it is not what we would write."""
    try:
        yield
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply holds no {what} of ours: {error}"]) from error
