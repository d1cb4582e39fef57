"""Policy, typed: what any door to it answers, and the door that asks the cluster by the protocol. Blocking; it needs msgspec."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol, TypeVar

import msgspec

from slurm.model.errors import ProtocolError
from slurm.model.policy_change import CLUSTER, TRANSACTION, Change, ChangeReport, Which
from slurm.wire.policy_messages import ClusterLine, PolicyChangeDone, PolicyListed, Transaction

_PART_SECONDS = 60.0
T = TypeVar("T")
Message = dict[str, object]
Record = object
"""One of model.policy.PolicyRecord."""


class Changed(NamedTuple):
    """What a change did, and the clusters whose controllers have not taken it yet, with why."""

    report: ChangeReport
    late: list[tuple[str, str]]


class Channel(Protocol):
    """What the door needs of a connection."""

    def call(self, message: Message) -> Mapping[str, object]:
        """Sends a request and waits for its reply."""
        ...

    def send(self, message: Message) -> None:
        """Sends a request whose reply is read with `receive`."""
        ...

    def receive(self, timeout: float | None = ...) -> Mapping[str, object]:
        """The next reply."""
        ...


class PolicyDoor:
    """Messages of `wire.policy_messages` over a connection. Every method raises the SlurmError that the other side answered."""

    def __init__(self, channel: Channel) -> None:
        self.cluster = ""
        self._channel = channel

    def records(self, entity: str, which: Which | None = None) -> list[Record]:
        """Records of `model.policy` that are meant, by id."""
        return [record for part in self._parts(entity, which) for record in part.records]

    def transactions(self, which: Which | None = None) -> list[Transaction]:
        """Who changed what, in order."""
        return [one for part in self._parts(TRANSACTION, which) for one in part.transactions]

    def clusters(self, which: Which | None = None) -> tuple[list[ClusterLine], list[tuple[int, str, str]]]:
        """The clusters, and the TRES (id, type, name)."""
        (part,) = self._parts(CLUSTER, which)
        return part.clusters, part.tres

    def change(self, change: Change, *, trial: bool = False) -> Changed:
        """Change something; with `trial` it is only told what would be done."""
        done = _read(self._channel.call({"type": "ChangePolicy", "change": msgspec.to_builtins(change), "trial": trial}), PolicyChangeDone)
        return Changed(done.report, done.late)

    def _parts(self, entity: str, which: Which | None) -> list[PolicyListed]:
        found: list[PolicyListed] = []
        asked = {"type": "ListPolicy", "entity": entity, "which": msgspec.to_builtins(which or Which())}
        reply = self._channel.call({**asked, "after": 0})
        while True:
            if following := reply.get("next", 0):
                self._channel.send({**asked, "after": following})  # the next part is made while this one is read
            part = _read(reply, PolicyListed)
            found.append(part)
            self.cluster = part.cluster
            if not following:
                return found
            reply = self._channel.receive(_PART_SECONDS)


def _read(reply: Mapping[str, object], kind: type[T]) -> T:
    try:
        return msgspec.convert(reply, kind)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error
