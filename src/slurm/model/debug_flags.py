"""DebugFlags: which of a daemon's loggers tell everything, whatever its level is.

Not here: levels, and what a flag does to a logger (`daemon.logs`).
"""

from __future__ import annotations

from collections.abc import Iterable

LOGGERS: dict[str, tuple[str, ...]] = {
    "Accrue": ("slurmctld.policy",), "Agent": ("slurmctld.nodes", "slurmctld.relays"),
    "AuditRPCs": ("slurmctld.dispatch", "slurmdbd.dispatch"),
    "AuditTLS": ("slurm.net", "slurmctld.net", "slurmdbd.net"), "Backfill": ("slurmctld.planner",), "BackfillMap": ("slurmctld.planner",),
    "Cgroup": ("slurmd.steps",), "CPU_Bind": ("slurmd.steps",), "DBD_Agent": ("slurmctld.accounting", "slurmctld.past"),
    "DB_ARCHIVE": ("slurmdbd.maintenance",), "DB_ASSOC": ("slurmdbd.policy",), "DB_QOS": ("slurmdbd.policy",),
    "DB_QUERY": ("slurmdbd.database",),
    "DB_USAGE": ("slurmdbd.maintenance",), "Dependency": ("slurmctld.events",), "Gres": ("slurmd.gpus",),
    "JobAccountGather": ("slurmd.usage",), "JobComp": ("slurmctld.notices",),
    "Network": ("slurm.net", "slurmctld.net", "slurmdbd.net", "slurmd.relay"),
    "Priority": ("slurmctld.policy", "slurmctld.planner"), "Protocol": ("slurmctld.dispatch", "slurmd.relay"),
    "Reservation": ("slurmctld.events",),
    "Route": ("slurm.net",), "Script": ("slurmctld.scripts", "slurmd.scripts"), "SelectType": ("slurmctld.planner",),
    "Steps": ("slurmctld.events", "slurmd.steps", "slurmd.orders"), "TLS": ("slurm.net", "slurmctld.net", "slurmdbd.net"),
    "TraceJobs": ("slurmctld.events", "slurmctld.engine"), "Triggers": ("slurmctld.triggers",),
}
"""Flag as slurm.conf and slurmdbd.conf have it → the loggers of ours, of whichever daemon, that it has tell everything."""

SILENT = (
    "BurstBuffer", "ConMgr", "CpuFrequency", "Data", "DB_EVENT", "DB_JOB", "DB_RESERVATION", "DB_RESOURCE", "DB_STEP", "DB_TRES",
    "DB_WCKEY",
    "Elasticsearch", "Energy", "Federation", "Gang", "GLOB_SILENCE", "Hetjob", "JobContainer", "License", "Metrics", "Namespace",
    "NetworkRaw",
    "NodeFeatures", "NO_CONF_HASH", "Power", "Profile", "Switch")
"""Flags of Slurm for which our daemons have no lines that are not always there."""

_NAMES = {name.lower(): name for name in (*LOGGERS, *SILENT)}


class UnknownFlag(ValueError):
    """No DebugFlags word; its argument is the word."""


def canonical(word: str) -> str:
    """The flag as it is shown, however it was written; UnknownFlag."""
    found = _NAMES.get(word.lower())
    if found is None:
        raise UnknownFlag(word)
    return found


def known(words: Iterable[str]) -> tuple[str, ...]:
    """The flags among words of a configuration, which has warned of the others."""
    return tuple(sorted({_NAMES[word.lower()] for word in words if word.lower() in _NAMES}))


def changed(flags: Iterable[str], words: Iterable[str]) -> list[str]:
    """These flags with "+Backfill" added and "-Steps" taken away, in the order of the alphabet. A word without a sign is added.

    UnknownFlag.
    """
    found = set(flags)
    for word in words:
        flag = canonical(word.lstrip("+-"))
        if word.startswith("-"):
            found.discard(flag)
        else:
            found.add(flag)
    return sorted(found)
