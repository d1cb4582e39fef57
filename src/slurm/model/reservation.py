"""Reservation: nodes, or CPUs of them, that are kept for some people for a time; and the table of its flags."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from slurm.model.cpu_set import CpuSet
from slurm.model.ids import NodeName


class Flag(NamedTuple):
    """One flag: the words that ask for it, how it is shown, whether -= takes it away, what it does."""

    shown: str
    words: tuple[str, ...]
    sentence: str
    removable: bool = True
    asked: bool = True  # False: only shown


FLAGS: tuple[Flag, ...] = (
    Flag("MAINT", ("MAINT",), "Maintenance: its nodes show as such, and it may take nodes of other reservations."),
    Flag("FLEX", ("FLEX",), "Its jobs may begin before it, end after it and use other nodes too."),
    Flag("OVERLAP", ("OVERLAP",), "It may take nodes of other reservations.", removable=False),
    Flag("IGNORE_JOBS", ("IGNORE_JOBS", "IGNORE_RUNNING"), "Jobs that run on its nodes when it is made do not matter."),
    Flag("HOURLY", ("HOURLY",), "It repeats every hour."),
    Flag("DAILY", ("DAILY",), "It repeats every day."),
    Flag("WEEKDAY", ("WEEKDAY",), "It repeats from Monday to Friday."),
    Flag("WEEKEND", ("WEEKEND",), "It repeats on Saturdays and Sundays."),
    Flag("WEEKLY", ("WEEKLY",), "It repeats every week."),
    Flag("SPEC_NODES", ("SPEC_NODES",), "Its nodes were named.", removable=False, asked=False),
    Flag("ALL_NODES", ("ALL_NODES",), "It has all nodes of the cluster.", removable=False, asked=False),
    Flag("ANY_NODES", ("ANY_NODES", "LICENSE_ONLY"), "It has no nodes; its jobs run anywhere."),
    Flag("STATIC", ("STATIC_ALLOC", "STATIC"), "Chosen nodes stay, whatever becomes of them."),
    Flag("PART_NODES", ("PART_NODES",), "It has the nodes of its partition, whichever these are.", removable=True),
    Flag("FIRST_CORES", ("FIRST_CORES",), "The first cores of each node.", removable=False),
    Flag("TIME_FLOAT", ("TIME_FLOAT",), "Its start moves on with time.", removable=False),
    Flag("REPLACE", ("REPLACE",), "Chosen nodes that are down, drained or in use are replaced by idle ones.", removable=False),
    Flag("REPLACE_DOWN", ("REPLACE_DOWN",), "Chosen nodes that are down or drained are replaced.", removable=False),
    Flag("PURGE_COMP", ("PURGE_COMP",), "It goes when no job of it was there for some time, 5 minutes unless PURGE_COMP=TIME says "
                                        "another."),
    Flag("NO_HOLD_JOBS_AFTER_END", ("NO_HOLD_JOBS_AFTER", "NO_HOLD_JOBS_AFTER_END"), "Jobs that wait for it run elsewhere when it is "
        "over.", removable=False),
    Flag("MAGNETIC", ("MAGNETIC",), "Jobs of those who may use it are drawn in without asking for it."),
    Flag("USER_DELETE", ("USER_DELETE",), "Whoever may use it may delete it."),
    Flag("FORCE_START", ("FORCE_START",), "It may be made with a start in the past.", removable=False),
)
"""In the order in which they are shown."""

SHOWN: tuple[str, ...] = tuple(flag.shown for flag in FLAGS)
REPEATS: tuple[str, ...] = ("HOURLY", "DAILY", "WEEKDAY", "WEEKEND", "WEEKLY")
PURGE_SECONDS = 300
"""What PURGE_COMP means without a time."""


class Reservation(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A reservation; of one that repeats the occurrence that runs now, or comes next. Moments are seconds since the epoch, durations
    seconds.

    With TIME_FLOAT `start` and `end` are seconds after any present (`core.reserving.windows`). `nodes` in configuration order; `cpus` names
    the reserved CPUs of each node where not whole nodes are. `node_count` and `core_count` are what was asked for by number, 0: nothing
    was.
    """

    id: int
    name: str
    start: float
    end: float
    nodes: list[NodeName] = msgspec.field(default_factory=list)
    cpus: dict[NodeName, CpuSet] = msgspec.field(default_factory=dict)
    cores: int = 0  # reserved in all, for show
    node_count: int = 0
    core_count: int = 0
    partition: str = ""
    features: str = ""
    users: list[str] = msgspec.field(default_factory=list)
    groups: list[str] = msgspec.field(default_factory=list)
    members: list[str] = msgspec.field(default_factory=list)  # users of the groups
    accounts: list[str] = msgspec.field(default_factory=list)
    qos: list[str] = msgspec.field(default_factory=list)
    denied: list[str] = msgspec.field(default_factory=list)  # of "users", "accounts" and "qos" those lists that say who may not
    flags: list[str] = msgspec.field(default_factory=list)  # Flag.shown, in that order
    purge_after: int = 0
    max_start_delay: int = 0
    comment: str = ""
    begun: bool = False  # the start of this occurrence was noted
    idle_since: float = 0.0  # since when no job of it runs, 0: one does, or it has not begun

    @property
    def repeats(self) -> str:
        """The flag by which it repeats, "" when it happens once."""
        return next((flag for flag in REPEATS if flag in self.flags), "")

    @property
    def replaces(self) -> bool:
        """Whether nodes that fail it are replaced by others: they were chosen by number, and not for good."""
        return bool(self.node_count or self.core_count) and "SPEC_NODES" not in self.flags and "STATIC" not in self.flags

    @property
    def rank(self) -> int:
        """Of reservations that share a node the one of the highest rank has it: maintenance, then those that may overlap others."""
        return 2 if "MAINT" in self.flags else int("OVERLAP" in self.flags)
