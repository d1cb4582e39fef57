"""Policy: who may use what, how much, and who comes first. Clusters, accounts, users, associations, QOS, work load keys and resources, as
slurmdbd keeps them.

What a limit means, and Slurm's word for a job that meets it, is a row of `model.limits`. Ids are the database's and never used again.
"""

from __future__ import annotations

import msgspec

Limits = dict[str, dict[str, int]]
"""Key of `model.limits` → TRES name ("" where the limit is one number) → value; what is not in it is not limited here.

Times are minutes and memory is MB, as sacctmgr shows them.
"""

SHARES_OF_PARENT = -1
"""Fairshare=parent: those below stand in for it."""
NO_ADMIN, OPERATOR, ADMINISTRATOR = "None", "Operator", "Administrator"
ADMIN_LEVELS = (NO_ADMIN, OPERATOR, ADMINISTRATOR)

PREEMPT_MODES = ("off", "cancel", "cluster", "requeue", "suspend", "gang", "within")
QOS_FLAGS = (
    "DenyOnLimit", "EnforceUsageThreshold", "NoDecay", "NoReserve", "OverPartQOS", "PartitionMaxNodes", "PartitionMinNodes",
    "PartitionTimeLimit", "Relative", "RequiresReservation", "UsageFactorSafe")


ABSOLUTE = "Absolute"
RESOURCE_FLAGS = (ABSOLUTE,)
LICENSE = "License"


class Account(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="account"):
    """A bank account; its place in the tree of a cluster is an association without a user."""

    name: str
    description: str = ""
    organization: str = ""
    coordinators: list[str] = []
    deleted: bool = False


class User(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="user"):
    """A login name, and what it may administrate."""

    name: str
    admin_level: str = NO_ADMIN
    default_wckey: str = ""
    deleted: bool = False


class Association(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="association"):
    """A place in the tree of a cluster: an account (`user` ""), or a user of it, perhaps in one partition only.

    `parent` is the id of the account's association above it (0: it is the root of its cluster). `qos`, `default_qos`, `priority` and
    limits: only what is set here; the rest comes from above. `qos_changes` are names with + or - before them, applied to what comes from
    above.
    """

    id: int
    cluster: str
    account: str
    user: str = ""
    partition: str = ""
    parent: int = 0
    shares: int = 1
    is_default: bool = False  # the user's default account in this cluster
    default_qos: str = ""
    qos: list[str] | None = None
    qos_changes: list[str] = []
    priority: int | None = None
    comment: str = ""
    limits: Limits = {}
    created: float = 0.0
    deleted: bool = False


class Qos(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="qos"):
    """A quality of service. Times seconds; `preempts` names the QOS whose jobs it may preempt."""

    id: int
    name: str
    description: str = ""
    priority: int = 0
    grace_time: int = 0
    preempts: list[str] = []
    preempt_mode: str = "cluster"
    preempt_exempt_time: int | None = None
    flags: list[str] = []
    usage_threshold: float | None = None
    usage_factor: float = 1.0
    limit_factor: float | None = None
    limits: Limits = {}
    deleted: bool = False


class Wckey(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="wckey"):
    """A work load characterisation key that a user may give jobs in a cluster."""

    id: int
    name: str
    user: str
    cluster: str
    is_default: bool = False
    deleted: bool = False


class Resource(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="resource"):
    """Licences that a server outside keeps, and how many of them each cluster may use: percent of `count`, or with the flag Absolute a
    number.

    `last_consumed`: how many were in use at the server when somebody said so last, at `last_update`.
    """

    id: int
    name: str
    server: str
    kind: str = LICENSE
    count: int = 0
    description: str = ""
    server_type: str = ""
    flags: list[str] = []
    last_consumed: int = 0
    last_update: float = 0.0
    allowed: dict[str, int] = {}  # by cluster
    deleted: bool = False

    @property
    def full_name(self) -> str:
        """As jobs name it: matlab@flex_host."""
        return f"{self.name}@{self.server}"

    @property
    def is_absolute(self) -> bool:
        """Whether clusters are allowed numbers, not percents."""
        return ABSOLUTE in self.flags

    def share(self, cluster: str) -> int:
        """How many a cluster may use; whole ones."""
        allowed = self.allowed.get(cluster, 0)
        return allowed if self.is_absolute else self.count * allowed // 100


PolicyRecord = Account | User | Association | Qos | Wckey | Resource


class UsageReset(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="reset"):
    """RawUsage=0 was set on an association or a QOS (the other is 0)."""

    association: int = 0
    qos: int = 0
