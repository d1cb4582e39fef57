"""`scontrol show config`: the configuration as Slurm prints it, key by key in its order, with its units and its "(null)".

Not here: the table it walks (`schema_slurm.SHOWN`), the values of the running controller, which are passed in.
Source: the output of Slurm 26.11.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime

from slurm.config.config import Config
from slurm.config.keys import mode_of
from slurm.config.schema import Row, section
from slurm.config.values import INFINITE
from slurm.model.version import SLURM_VERSION
from slurm.notation.duration import show_clock

TRACKED = ("cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages")
"""The TRES that Slurm always tracks, in its order."""

LIVE = ("AS_OF", "BOOT_TIME", "HASH_VAL", "NEXT_JOB_ID", "SLURM_VERSION", "CONTROLLERS")
"""What only the running controller knows. AS_OF is the time in the first line, as shown; BOOT_TIME so, or in seconds since 1970;
CONTROLLERS are the last lines, made here from the configuration where left out. Any other key may be there too, as shown: it was changed
while the controller runs."""

SCRIPTS = {"EnforcePartLimits": ("Epilog",), "EpilogMsgTime": ("EpilogSlurmctld",), "ProctrackType": ("Prolog", "PrologSlurmctld")}
"""Key → repeatable keys that are shown, numbered, behind it where they are written."""

_EMPTY = {"PriorityFlags": "", "TaskPluginParam": "(null type)"}
_WHEN_SET = {"DefMemPerCPU": ("DefMemPerCPU", "DefMemPerNode"), "MaxMemPerNode": ("MaxMemPerCPU", "MaxMemPerNode")}


def show(conf: Config, live: Mapping[str, str], uid_of: Callable[[str], int | None] | None = None) -> str:
    """The whole output of `scontrol show config`, ending in a line end. `live` has the keys LIVE as text, of which AS_OF, HASH_VAL,
    SLURM_VERSION and CONTROLLERS may be left out; `uid_of` finds a user's uid (default: pwd)."""
    as_of = live.get("AS_OF") or _moment(str(int(datetime.now().timestamp())))
    lines = [f"Configuration data as of {as_of}"]
    lines.extend(f"{name:<23} = {value}" for name, value in pairs(conf, live, uid_of or _uid_of))
    closing = live.get("CONTROLLERS") or "\n".join(
        f"Slurmctld({mode_of(rank, len(conf.controllers))}) at {each.host} is {'UP' if rank == 0 else 'DOWN'}" for rank,
        each in enumerate(conf.controllers))
    return "\n".join([*lines, "", closing, ""])


def pairs(conf: Config, live: Mapping[str, str], uid_of: Callable[[str], int | None]) -> list[tuple[str, str]]:
    """(key, value as shown) of everything shown, in Slurm's order."""
    shown: list[tuple[str, str]] = []
    for row in section("slurm.conf"):
        if not row.shown:
            continue
        if row.name == "JobDefaults":
            shown.append((row.name, conf.job_defaults or "(null)"))
        elif row.name in _WHEN_SET:
            shown.append(_memory(conf, row.name))
        elif row.kind == "host":
            shown.extend((f"{row.name}[{rank}]", f"{each.host}({each.addr})" if each.addr != each.host else each.host)
                         for rank, each in enumerate(conf.controllers))
        else:
            shown.append((row.name, _value(conf, row, live, uid_of)))
        for name in SCRIPTS.get(row.name, ()):
            shown.extend((f"{name}[{place}]", text) for place, text in enumerate(conf.all_of(name)))
    return shown


def _value(conf: Config, row: Row, live: Mapping[str, str], uid_of: Callable[[str], int | None]) -> str:
    if row.name in live and row.kind != "live":
        return live[row.name]
    if row.kind == "live":
        known = {"SLURM_CONF": conf.path, "MULTIPLE_SLURMD": "yes", "HASH_VAL": "Match", "SLURM_VERSION": SLURM_VERSION, **live}
        return _moment(known[row.name]) if row.name == "BOOT_TIME" and row.name in known else known.get(row.name, "(null)")
    if row.name in _COMPUTED and conf.written(row.name) is None:
        return str(_COMPUTED[row.name](conf))
    value = conf[row.name]
    if row.kind == "tres":
        return ",".join(_tracked(conf))
    if row.kind == "user":
        uid = uid_of(str(value))
        return f"{value}({'nobody' if uid is None else uid})"
    return show_value(row, value)


def show_value(row: Row, value: int | str | bool | list[str] | None) -> str:
    """One value as shown: with its unit, yes or no by its kind, "(null)" where there is none."""
    if value is None or value == []:
        return "NONE" if row.kind == "span" else _EMPTY.get(row.name, "(null)")
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, bool):
        return str(int(value)) if row.kind == "bit" else "yes" if value else "no"
    if isinstance(value, str):
        return value
    if row.kind == "span":
        return show_clock(value)
    if value == INFINITE:
        return "INFINITE" if row.kind == "bare" else "UNLIMITED"
    unit = "sec" if row.kind == "bare" else row.unit
    return f"{value} {unit}" if unit else str(value)


def _memory(conf: Config, name: str) -> tuple[str, str]:
    """A default or greatest memory: for each CPU or for each node, whichever is written."""
    per_cpu, per_node = _WHEN_SET[name]
    for key in (per_cpu, per_node):
        if conf.number(key):
            return key, str(conf.number(key))
    return per_node, "UNLIMITED"


def _tracked(conf: Config) -> list[str]:
    """The TRES that are tracked: Slurm's own, then those asked for; GPUs bring their memory and load with them."""
    names = list(TRACKED)
    for name in conf.words("AccountingStorageTRES"):
        extra = [name, "gres/gpumem", "gres/gpuutil"] if name == "gres/gpu" else [name]
        names.extend(each for each in extra if each not in names)
    return names


_COMPUTED: dict[str, Callable[[Config], int]] = {
    "MaxDBDMsgs": lambda conf: max(10000, conf.number("MaxJobCount") * 2 + len(conf.nodes) * 4),
    "MaxNodeCount": lambda conf: len(conf.nodes),
}
"""Keys whose default follows from the rest of the file."""


def _moment(text: str) -> str:
    """Seconds since 1970 as the local time, any other text as it is."""
    return datetime.fromtimestamp(int(text)).isoformat() if text.isdecimal() else text


def _uid_of(name: str) -> int | None:
    import pwd  # here: only the daemon that shows a configuration looks users up
    try:
        return int(name) if name.isdecimal() else pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
