"""Following a cluster: the connection on which slurmctld tells everything once, and then what changes. It needs msgspec."""

from __future__ import annotations

from typing import Any

import msgspec

from slurm.model.errors import ProtocolError, SlurmError, revive
from slurm.net.client import Connection
from slurm.wire import frames
from slurm.wire.follow_messages import Feed, RightsRead
from slurm.wire.messages import Done, Failure

_decode = msgspec.json.Decoder(Feed | Failure | Done).decode


def rights(connection: Connection) -> RightsRead:
    """What the caller may see and do, as slurmctld says. SlurmError."""
    try:
        return msgspec.convert(connection.call({"type": "ReadRights"}), RightsRead)
    except msgspec.ValidationError as error:
        raise ProtocolError(hints=[f"the reply is none of ours: {error}"]) from error


def begin(connection: Connection) -> None:
    """Ask for Feeds; `took` reads them."""
    connection.send({"type": "Follow"})


def took(connection: Connection) -> list[Feed]:
    """What has come since the last time, without waiting.

    `connection.closed` once the other side has gone; the SlurmError that ended it.
    """
    found = []
    for codec, payload in connection.ready():
        if codec != frames.JSON:
            raise ProtocolError(hints=[f"{connection.endpoint} answered in another codec"])
        try:
            message: Any = _decode(payload)
        except msgspec.DecodeError as error:
            raise ProtocolError(hints=[f"what came is none of ours: {error}"]) from error
        if isinstance(message, Failure):
            raise _revived(message)
        if isinstance(message, Feed):
            found.append(message)
    return found


def _revived(message: Failure) -> SlurmError:
    return revive(message.kind, message.name, message.message, message.hints, message.preface)
