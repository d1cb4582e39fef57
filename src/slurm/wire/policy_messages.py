"""What sacctmgr asks of slurmdbd about policy, JSON frames as in `wire.messages`.

How policy gets to controllers is in `wire.dbd_messages`.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.bounds import Whole
from slurm.model.policy import Account, Association, Qos, Resource, User, Wckey
from slurm.model.policy_change import Change, ChangeReport, Listed, Which
from slurm.wire.messages import Message

PART_RECORDS = 5000
Number = Annotated[int, Whole(0, 2**62)]


class Transaction(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Who changed what; `time` in seconds since the epoch."""

    time: float
    actor: str
    action: str
    target: str
    info: str = ""
    cluster: str = ""


class ClusterLine(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A cluster as `sacctmgr show cluster` has it; `control_host` "" while its slurmctld is not connected."""

    name: str
    control_host: str = ""
    control_port: int = 0
    rpc_version: int = 0
    flags: str = ""


class ChangePolicy(Message):
    """Change accounts, users, QOS … → PolicyChangeDone or Failure. With `trial` it is only told what would be done."""

    change: Change
    trial: bool = False


class PolicyChangeDone(Message):
    """It is committed, and every controller has it but those of the clusters named in `late`: (cluster, why)."""

    report: ChangeReport
    late: list[tuple[str, str]] = []


class ListPolicy(Message):
    """Which there are → PolicyListed or Failure; `after`: the `next` of the answer before, 0 at first."""

    entity: Listed
    which: Which = msgspec.field(default_factory=Which)
    after: Number = 0


class PolicyListed(Message):
    """Records of one kind in the order of their ids; `next` asks for those behind them, 0: there are no more.

    `cluster`: the one that was asked.
    """

    cluster: str = ""
    records: list[Account | User | Association | Qos | Wckey | Resource] = []
    transactions: list[Transaction] = []
    clusters: list[ClusterLine] = []
    tres: list[tuple[int, str, str]] = []  # with clusters: (id, type, name)
    next: int = 0
