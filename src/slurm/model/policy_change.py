"""Changes and selections of policy as a command asks for them: what is to be changed, which records are meant, what is to hold then.

Bounds of every field are here, since who writes them down is a client. What a change does is `store.accounting.policy`'s.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.bounds import COUNT_MAX, Many, Name, Note, Real, Text, Whole
from slurm.model.policy import ADMIN_LEVELS

ADD, MODIFY, REMOVE = "add", "modify", "remove"
ACCOUNT, USER, QOS, WCKEY, CLUSTER, COORDINATOR, ASSOCIATION, TRANSACTION, RESOURCE = (
    "account", "user", "qos", "wckey", "cluster", "coordinator", "association", "transaction", "resource")
PROBLEM = "problem"
"""What `show problem` lists: nothing that is kept."""
REPLACE, PLUS, MINUS = "=", "+=", "-="

PolicyName = Annotated[str, Text(255)]
"""A name of an account, a user, a QOS, a wckey or a cluster."""
Names = Annotated[list[PolicyName], Many(10_000)]
Clear = Annotated[int, Whole(-1, 2**62)]
"""A number; -1: nothing is set here any more."""
LimitValues = Annotated[dict[Name, Annotated[dict[Name, Clear], Many(1000)]], Many(100)]
Operation = Annotated[str, Text(words=(REPLACE, PLUS, MINUS))]
Entity = Annotated[str, Text(words=(ACCOUNT, USER, QOS, WCKEY, CLUSTER, COORDINATOR, ASSOCIATION, RESOURCE))]
Listed = Annotated[str, Text(words=(ACCOUNT, USER, QOS, WCKEY, CLUSTER, ASSOCIATION, TRANSACTION, RESOURCE))]
Verb = Annotated[str, Text(words=(ADD, MODIFY, REMOVE))]


class Which(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Which records are meant: of each list one must fit; an empty one says nothing. `names` are those of the entity itself.

    `partitions` with "" in it means associations of no partition. `since` and `until` (seconds since the epoch) are of transactions.
    """

    names: Names = []
    clusters: Names = []
    accounts: Names = []
    users: Names = []
    partitions: Names = []
    wckeys: Names = []
    servers: Names = []
    server_types: Names = []
    parents: Names = []
    qos: Names = []
    default_qos: Names = []
    default_accounts: Names = []
    default_wckeys: Names = []
    admin_levels: Names = []
    descriptions: Names = []
    organizations: Names = []
    actors: Names = []
    actions: Names = []
    types: Names = []
    ids: Annotated[list[Annotated[int, Whole(0, 2**62)]], Many(10_000)] = []
    with_deleted: bool = False
    since: Annotated[float, Real(0, 1e12)] = 0.0
    until: Annotated[float, Real(0, 1e12)] = 0.0


class ListChange(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A list in the place of the old one, more for it, or less. An empty one with `=` clears it."""

    operation: Operation = REPLACE
    names: Names = []


class PolicySettings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What is to hold; what is None stays as it is, and is as usual in something new. Numbers: -1 clears.

    Units as in `model.policy`: limits of time minutes, memory MB, times of a QOS seconds.
    """

    description: Note | None = None
    organization: Note | None = None
    parent: PolicyName | None = None
    new_name: PolicyName | None = None
    shares: Annotated[int, Whole(-1, COUNT_MAX)] | None = None  # -1: Fairshare=parent
    default_qos: PolicyName | None = None  # "": none
    qos: ListChange | None = None
    priority: Clear | None = None
    comment: Note | None = None
    limits: LimitValues = {}
    raw_usage: bool = False  # RawUsage=0
    admin_level: Annotated[str, Text(words=ADMIN_LEVELS)] | None = None
    default_account: PolicyName | None = None
    default_wckey: PolicyName | None = None
    flags: ListChange | None = None
    preempts: ListChange | None = None
    preempt_mode: PolicyName | None = None
    preempt_exempt_time: Clear | None = None
    grace_time: Annotated[int, Whole(0, COUNT_MAX)] | None = None
    usage_factor: Annotated[float, Real(-1, 1e9)] | None = None
    usage_threshold: Annotated[float, Real(-1, 1e9)] | None = None
    limit_factor: Annotated[float, Real(-1, 1e9)] | None = None
    count: Annotated[int, Whole(0, COUNT_MAX)] | None = None
    allowed: Annotated[int, Whole(0, COUNT_MAX)] | None = None
    last_consumed: Annotated[int, Whole(0, COUNT_MAX)] | None = None
    resource_type: PolicyName | None = None
    server_type: PolicyName | None = None


class Change(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One change: all of it holds, or nothing. `which` and `settings` as the verb and the entity have them.

    add: `which.names` are made; accounts and users are put into `which.clusters`, users into `which.accounts` (and `partitions`), and they
    get
    `which.wckeys`. A coordinator: users in `which.users`, accounts in `which.accounts`. A wckey: users in `which.users`.
    """

    verb: Verb
    entity: Entity
    which: Which = msgspec.field(default_factory=Which)
    settings: PolicySettings = msgspec.field(default_factory=PolicySettings)


class Place(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """An association by its names, as reports show it; `parent`: the account above an account."""

    cluster: str
    account: str
    user: str = ""
    partition: str = ""
    parent: str = ""


class WckeyPlace(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A wckey of a user in a cluster."""

    cluster: str
    user: str
    wckey: str


class ResourcePlace(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """A resource by its full name; in a cluster, and how many it may use there: percent, or where it is so a number."""

    resource: str
    cluster: str = ""
    allowed: int = 0
    is_percent: bool = True


class ChangeReport(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a change did, or would do.

    `names`: records of the entity that were added or changed, or removed; `places`: associations, `wckeys` and `resources`;
    `unknown_accounts`: (account, cluster) that are not there; `notes`: sentences for whoever asked.
    """

    names: list[str] = []
    places: list[Place] = []
    wckeys: list[WckeyPlace] = []
    resources: list[ResourcePlace] = []
    unknown_accounts: list[tuple[str, str]] = []
    notes: list[str] = []

    @property
    def is_empty(self) -> bool:
        """Whether nothing was changed."""
        return not self.names and not self.places and not self.wckeys and not self.resources
