"""Nodes and partitions that are made and deleted, and nodes that are started anew; part of `wire.messages`."""

from __future__ import annotations

from typing import Annotated

from slurm.model.bounds import Hosts, Name, Text, Word
from slurm.wire.message import Changes, Message

Reason = Annotated[str, Text(4_096, plain=False)]


class CreateNodes(Message):
    """scontrol create nodename= → Done. Keys as on a NodeName line, NodeName too."""

    changes: Changes


class DeleteNodes(Message):
    """scontrol delete nodename= → Done."""

    nodes: Hosts


class CreatePartition(Message):
    """scontrol create partitionname= → Done. Keys as scontrol spells them."""

    name: Name
    changes: Changes


class DeletePartition(Message):
    """scontrol delete partitionname= → Done."""

    name: Name


class RebootNodes(Message):
    """scontrol reboot → Done. `next`: the state afterwards, "" | RESUME | DOWN; `cancel`: scontrol cancel_reboot."""

    nodes: Hosts
    asap: bool = False
    next: Word = ""
    reason: Reason = ""
    cancel: bool = False
