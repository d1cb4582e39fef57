"""The relay: how slurmd and sackd carry the commands of their machine to slurmctld, as numbered channels on their one connection
(MessagePack).

    relay → slurmctld    OpenChannel, ChannelData …, CloseChannel
    slurmctld → relay    ChannelData …, CloseChannel
    both ways            ChannelGrant: so many bytes were taken, so many more may come

The bytes of a channel are those of a command's own connection to slurmctld's socket. Each direction of a channel has a window: what was
sent and not granted anew may not exceed it, so that whoever does not read holds up nobody else and fills no memory. Numbers are the relay's
choice and are not used twice on one connection. Who is asking is what the relay's kernel said; whether the relay may speak for him is
slurmctld's.
"""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import COUNT_MAX, Name, Real, Text, UserId, Whole, Word
from slurm.wire.messages import Message

WINDOW = 256 * 1024
"""Bytes that may be under way on a channel in one direction."""
CHUNK = 32 * 1024
"""Longest data of one message: heartbeats and orders come between two of them."""

Number = Annotated[int, Whole(1, 2**53)]
Piece = Annotated[bytes, Text(CHUNK)]
Size = Annotated[int, Whole(1, WINDOW)]
Host = Annotated[str, Text(255)]


class RegisterSackd(Message):
    """First message of a sackd → SackdAccepted or Failure."""

    host: Host
    version: Word = ""


class SackdAccepted(Message):
    """slurmctld takes this sackd's commands. It says something every `heartbeat` seconds and is answered Alive."""

    heartbeat: Annotated[float, Real(0.01, 86_400)]
    cluster_name: Name = ""


class SackdAlive(Message):
    """sackd lives → Alive."""


class OpenChannel(Message):
    """A command has connected to the relay: who it is, as the relay's kernel says."""

    channel: Number
    uid: UserId
    gid: UserId
    pid: Annotated[int, Whole(0, COUNT_MAX)] = 0


class ChannelData(Message):
    """The next bytes of a channel."""

    channel: Number
    data: Piece


class ChannelGrant(Message):
    """So many bytes were taken: so many more may be sent."""

    channel: Number
    size: Size


class CloseChannel(Message):
    """Nothing more comes on this channel, and nothing more is taken."""

    channel: Number


FromRelay = RegisterSackd | SackdAlive | OpenChannel | ChannelData | ChannelGrant | CloseChannel
"""What slurmctld hears from a relay, besides what a slurmd has to say as a slurmd."""
OfChannel = ChannelData | ChannelGrant | CloseChannel
