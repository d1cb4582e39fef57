"""What may stand behind an option or a word, for the shells: fixed words of the tables, and what the cluster is asked for.

A place takes a kind: one of `ASKED`, for which the cluster is asked; GROUPS, FILES, FOLDERS or COMMANDS of the machine; or a list of words.
Before the last comma of what is typed anything may stand: whatever is a list may be given so.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from slurm.commands import sacctmgr, sacctmgr_words, scontrol, scontrol_show
from slurm.core import node_update
from slurm.manual import flags
from slurm.manual.flags import Flag
from slurm.manual.pages import policy_entities, updatable
from slurm.model.debug_flags import LOGGERS
from slurm.model.states import STATE_NAMES
from slurm.options import policy_keys, tables
from slurm.render import fields, fields_accounting, usage_report
from slurm.render.node_state import STATE_WORDS

JOBS, STEPS, PARTITIONS, NODES, USERS, ACCOUNTS, QOS, RESERVATIONS, LICENSES, FEATURES, CLUSTERS, WCKEYS, GROUPS, PAST_JOBS = (
    "jobs", "steps", "partitions", "nodes", "users", "accounts", "qos", "reservations", "licenses", "features", "clusters", "wckeys",
    "groups",
    "past_jobs")
FILES, FOLDERS, COMMANDS = "files", "folders", "commands"
ASKED = {
    JOBS: "squeue -h -o %i", STEPS: "squeue -h -s -o %i", PARTITIONS: "sinfo -h -o %R", NODES: "sinfo -h -N -o %N",
    USERS: "sacctmgr -nP show user format=user", ACCOUNTS: "sacctmgr -nP show account format=account",
    QOS: "sacctmgr -nP show qos format=name",
    RESERVATIONS: "scontrol -o show reservation", LICENSES: "scontrol -o show license", FEATURES: "sinfo -h -o %f",
    CLUSTERS: "sacctmgr -nP show cluster format=cluster", WCKEYS: "sacctmgr -nP show wckey format=wckey", PAST_JOBS: "sacct -nXP -o jobid",
}
"""Kind → the command that prints what there is."""

SIGNALS = ("HUP", "INT", "QUIT", "KILL", "USR1", "USR2", "TERM", "CONT", "STOP", "TSTP")
_STATES = tuple(name.upper() for name in STATE_NAMES)
_LEVELS = ("quiet", "fatal", "error", "info", "verbose", "debug", "debug2", "debug3", "debug4", "debug5")

_BY_NAME: dict[str, str | tuple[str, ...]] = {
    "account": ACCOUNTS, "accounts": ACCOUNTS, "partition": PARTITIONS, "qos": QOS, "reservation": RESERVATIONS, "licenses": LICENSES,
    "wckey": WCKEYS, "wckeys": WCKEYS, "nodelist": NODES, "exclude": NODES, "node": NODES, "constraint": FEATURES, "constraints": FEATURES,
    "prefer": FEATURES, "clusters": CLUSTERS, "cluster": CLUSTERS, "user": USERS, "users": USERS, "uid": USERS, "gid": GROUPS,
    "group": GROUPS,
    "jobs": JOBS, "job": JOBS, "jobid": JOBS, "steps": STEPS, "step": STEPS, "dependency": JOBS,
    "output": FILES, "error": FILES, "input": FILES, "nodefile": FILES, "export-file": FILES, "file": FILES, "program": FILES,
    "bcast": FILES,
    "epilog": FILES, "prolog": FILES, "task-epilog": FILES, "task-prolog": FILES, "container-image": FILES, "container-save": FILES,
    "chdir": FOLDERS, "container-workdir": FOLDERS,
    "states": _STATES, "state": _STATES, "signal": SIGNALS, "kill-command": SIGNALS, "export": ("ALL", "NONE"),
    "propagate": ("ALL", "NONE"),
    "mail-type": ("NONE", "BEGIN", "END", "FAIL", "REQUEUE", "ALL", "STAGE_OUT", "TIME_LIMIT", "TIME_LIMIT_90", "TIME_LIMIT_80",
    "TIME_LIMIT_50",
        "ARRAY_TASKS", "INVALID_DEPEND"),
    "hint": ("multithread", "nomultithread", "compute_bound", "memory_bound"), "distribution": ("block", "cyclic", "plane="),
    "exclusive": ("user",), "gres": ("gpu:",), "gpu-bind": ("single:", "per_task:", "none"), "mpi": ("none", "list", "pmi2", "pmix"),
    "acctg-freq": ("task=",), "slurmd-debug": _LEVELS, "units": ("K", "M", "G", "T", "P"),
    "begin": ("now+1hour", "midnight", "noon", "tomorrow"), "requeue": (), "open-mode": ("append", "truncate"), "flags": (),
    "profile": ("none", "all"), "get-user-env": (), "mem-bind": ("none",), "cpu-bind": ("none", "cores", "sockets", "threads"),
}
"""Name of an option → what it takes, whichever command has it; `_AT` has what differs from command to command."""

_AT: dict[tuple[str, str], str | tuple[str, ...]] = {
    ("sinfo", "nodes"): NODES, ("sinfo", "states"): tuple(STATE_WORDS),
    ("sacct", "nodelist"): NODES, ("sacct", "jobs"): PAST_JOBS, ("sacct", "flags"): ("SchedSubmit", "SchedMain", "SchedBackfill"),
    ("squeue", "Format"): tuple(one.name for one in fields.JOB.fields if one.listed),
    ("sinfo", "Format"): tuple(one.name for one in fields.NODE.fields if one.listed),
    ("sacct", "format"): tuple(one.name for one in fields_accounting.JOB.fields),
    ("sstat", "format"): tuple(one.name for one in fields_accounting.RUNNING_STEP.fields),
    ("sstat", "fields"): tuple(one.name for one in fields_accounting.RUNNING_STEP.fields),
    ("scancel", "state"): ("PENDING", "RUNNING", "SUSPENDED"),
    ("sreport", "time"): ("Seconds", "Minutes", "Hours", "Percent", "SecPer", "MinPer", "HourPer"),
    ("sreport", "tres"): ("all", "cpu", "mem", "node", "energy", "billing", "gres/gpu"),
    ("strigger", "flags"): ("PERM",), ("sstat", "jobs"): JOBS,
}

def of_option(command: str, flag: Flag) -> str | tuple[str, ...]:
    """What an option takes: a kind, words, or () for what nobody can know or for nothing."""
    if not flag.metavar:
        return ()
    found = _AT.get((command, flag.key))
    if found is None:
        found = _BY_NAME.get(flag.key)
    return flag.choices if found is None else found


class Place(NamedTuple):
    """What may stand behind `before`, the words that stand before it and are no options; `many`: however many more of the same."""

    command: str
    before: tuple[str, ...]
    takes: str | tuple[str, ...]
    many: bool = False


_JOB_KEYWORDS = ("hold", "uhold", "release", "requeue", "requeuehold", "suspend", "resume", "top", "wait_job", "listpids")


@cache
def places() -> tuple[Place, ...]:
    """Every place for a word that is no option, in the order in which they are tried: longer beginnings first."""
    found = [
        Place("sbatch", (), FILES, many=True), Place("srun", (), COMMANDS, many=True), Place("salloc", (), COMMANDS, many=True),
        Place("scancel", (), JOBS, many=True), Place("seff", (), PAST_JOBS, many=True), Place("sstat", (), JOBS, many=True),
        Place("sattach", (), STEPS), Place("sbcast", (), FILES, many=True), Place("sgather", (), FILES, many=True),
        Place("scrontab", (), FILES),
        *_of_scontrol(), *_of_sacctmgr(), *_of_sreport(), *_of_slurm()]
    return tuple(sorted(found, key=lambda place: -len(place.before)))


def _of_scontrol() -> list[Place]:
    names: dict[str, str] = {"job": JOBS, "step": STEPS, "node": NODES, "partition": PARTITIONS, "reservation": RESERVATIONS,
        "licenses": LICENSES}
    keys = updatable()
    return [
        Place("scontrol", (), tuple(sorted(scontrol.KEYWORDS))),
        Place("scontrol", ("show",), scontrol_show.SHOWN),
        *(Place("scontrol", ("show", entity), kind, many=True) for entity, kind in names.items()),
        *(Place("scontrol", (word,), JOBS, many=True) for word in _JOB_KEYWORDS),
        Place("scontrol", ("reboot",), NODES, many=True), Place("scontrol", ("cancel_reboot",), NODES),
        Place("scontrol", ("setdebug",), _LEVELS),
        Place("scontrol", ("setdebugflags",), tuple(f"+{flag}" for flag in sorted(LOGGERS))),
        Place("scontrol", ("create",), ("NodeName=", "PartitionName=", "ReservationName=")),
        Place("scontrol", ("delete",), ("NodeName=", "PartitionName=", "ReservationName=")),
        Place("scontrol", ("update",), ("JobId=", "NodeName=", "PartitionName=", "ReservationName=")),
        *(Place("scontrol", ("update", f"{name}=*"), tuple(f"{key}=" for key in there), many=True)
            for entity, there in keys.items() for name in (entity, entity.removesuffix("Id").removesuffix("Name"))),
    ]


VALUES: dict[str, str | tuple[str, ...]] = {
    "JobId": JOBS, "NodeName": NODES, "PartitionName": PARTITIONS, "ReservationName": RESERVATIONS, "Partition": PARTITIONS,
    "Account": ACCOUNTS,
    "QOS": QOS, "Nodes": NODES, "Reservation": RESERVATIONS, "User": USERS, "Users": USERS, "Accounts": ACCOUNTS, "Cluster": CLUSTERS,
    "Clusters": CLUSTERS,
    "QOSLevel": QOS, "DefaultQOS": QOS, "DefaultAccount": ACCOUNTS, "Parent": ACCOUNTS, "Partitions": PARTITIONS,
    "State": node_update.STATES,
    "AdminLevel": ("None", "Operator", "Admin"), "ReqNodeList": NODES, "ExcNodeList": NODES,
}
"""Key of `KEY=value` words of scontrol and sacctmgr → what its value is."""


def _of_sacctmgr() -> list[Place]:
    entities = policy_entities()
    changing = {"add": policy_keys.SET, "create": policy_keys.SET, "modify": policy_keys.SET, "delete": (), "remove": (), "show": (),
        "list": (), "update": policy_keys.SET}
    found = [Place("sacctmgr", (), tuple(sacctmgr.KEYWORDS))]
    shown = sacctmgr_words.ENTITIES
    for verb, keys in changing.items():
        found.append(Place("sacctmgr", (verb,), shown if verb in ("show", "list") else entities))
        for entity in entities:
            words = [f"{key}=" for key in policy_keys.names(policy_keys.WHERE, entity)]
            words += [f"{key}=" for key in policy_keys.names([one for one in keys if not one.refused], entity)]
            if keys and entity in ("account", "user", "cluster", "qos"):
                words += [f"{key}=" for key in policy_keys.limit_names(entity)]
            words += ["where", "set"] if verb in ("modify", "update") else ["format="] if verb in ("show", "list") else []
            found.append(Place("sacctmgr", (verb, entity), tuple(dict.fromkeys(words)), many=True))
    return found


def _of_sreport() -> list[Place]:
    kinds = dict.fromkeys(report.group for report in usage_report.REPORTS)
    return [
        Place("sreport", (), tuple(kinds)),
        *(Place("sreport", (kind,), tuple(report.name for report in usage_report.REPORTS if report.group == kind)) for kind in kinds),
    ]


def _of_slurm() -> list[Place]:
    found = [Place("slurm", (), tuple(row.name for row in flags.of_slurm()))]
    for row in flags.of_slurm():
        if row.below:
            found.append(Place("slurm", (row.name,), tuple(one.name for one in row.below)))
        for one, words in ((row, (row.name,)), *((below, (row.name, below.name)) for below in row.below)):
            if one.operands and not one.below:
                operand = one.operands[0][0]
                takes: str | tuple[str, ...] = JOBS if "JOB_ID" in operand else tuple(
                    operand.split("|")) if "|" in operand and operand.islower() else FILES if operand == "FILE" else ()
                if takes:
                    found.append(Place("slurm", words, takes, many=True))
    return found


def commands() -> dict[str, tuple[Flag, ...]]:
    """Every command that is completed, with its options; of `slurm` those of all its subcommands are in `subcommands`."""
    return {**{name: tuple(flag for flag in flags.of_command(name) if not flag.missing) for name in tables.COMMANDS},
        **{name: flags.of_daemon(name) for name in flags.DAEMONS}}


def subcommands() -> dict[tuple[str, ...], tuple[Flag, ...]]:
    """Words behind `slurm` → the options that stand behind them."""
    found: dict[tuple[str, ...], tuple[Flag, ...]] = {}
    for row in flags.of_slurm():
        found[row.name,] = row.flags
        for one in row.below:
            found[row.name, one.name] = one.flags
    return found
