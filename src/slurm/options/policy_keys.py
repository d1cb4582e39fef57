"""THE table of what sacctmgr's words `name=value` mean: which records are meant, and what is to hold. Names in any case, in full or their
beginning.

Limits are not written down here: their names come from `model.limits`. What the words between them mean (add, where, set) is the command's.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from slurm.model import limits as rows
from slurm.model.errors import SlurmError, Unsupported
from slurm.model.policy import ADMIN_LEVELS, PREEMPT_MODES, QOS_FLAGS, RESOURCE_FLAGS, SHARES_OF_PARENT
from slurm.model.policy_change import (
    ACCOUNT,
    ASSOCIATION,
    CLUSTER,
    COORDINATOR,
    MINUS,
    PLUS,
    PROBLEM,
    QOS,
    REPLACE,
    RESOURCE,
    TRANSACTION,
    USER,
    WCKEY,
)
from slurm.notation import duration, tres
from slurm.options.errors import OptionError

TRES = "tres"
NAMES, NAME, TEXT, SHARES, NUMBER, LIST, LEVEL, FLAGS, MODE, SECONDS, FACTOR, RAW, IDS, MOMENT = (
    "names", "name", "text", "shares", "number", "list", "level", "flags", "mode", "seconds", "factor", "raw", "ids", "moment")


class Key(NamedTuple):
    """One word. `field` of Which or PolicySettings; `kind` how its value is read; `refused`: known, not carried out yet, and why."""

    name: str
    kind: str
    field: str
    of: tuple[str, ...]
    also: tuple[str, ...] = ()
    refused: str = ""


WHERE: tuple[Key, ...] = (
    Key("Names", NAMES, "names", (ACCOUNT, USER, CLUSTER, QOS, WCKEY, COORDINATOR, RESOURCE, TRES), ("Name",)),
    Key("Accounts", NAMES, "names", (ACCOUNT,), ("Acct", "Account", "Accts")),
    Key("Users", NAMES, "names", (USER,), ("User",)),
    Key("Clusters", NAMES, "names", (CLUSTER,), ("Cluster",)),
    Key("QOS", NAMES, "names", (QOS,), ("QOSLevel",)),
    Key("WCKeys", NAMES, "names", (WCKEY,), ("WCKey",)),
    Key("Accounts", NAMES, "accounts", (USER, ASSOCIATION, COORDINATOR, TRANSACTION, PROBLEM), ("Acct", "Account", "Accts")),
    Key("WCKeys", NAMES, "wckeys", (USER,), ("WCKey",)),
    Key("Users", NAMES, "users", (ACCOUNT, ASSOCIATION, COORDINATOR, WCKEY, TRANSACTION, PROBLEM), ("User",)),
    Key("Clusters", NAMES, "clusters", (ACCOUNT, USER, ASSOCIATION, COORDINATOR, WCKEY, TRANSACTION, RESOURCE, PROBLEM), ("Cluster",)),
    Key("Partitions", NAMES, "partitions", (USER, ASSOCIATION), ("Partition",)),
    Key("Parents", NAMES, "parents", (ACCOUNT, ASSOCIATION), ("Parent",)),
    Key("DefaultAccount", NAMES, "default_accounts", (USER,)),
    Key("DefaultWCKey", NAMES, "default_wckeys", (USER,)),
    Key("DefaultQOS", NAMES, "default_qos", (ACCOUNT, USER, ASSOCIATION)),
    Key("QOSLevel", NAMES, "qos", (ACCOUNT, USER, ASSOCIATION), ("QOS",)),
    Key("AdminLevel", LEVEL, "admin_levels", (USER,)),
    Key("Server", NAMES, "servers", (RESOURCE,)),
    Key("ServerType", NAMES, "server_types", (RESOURCE,)),
    Key("Description", NAMES, "descriptions", (ACCOUNT, QOS, RESOURCE)),
    Key("Organization", NAMES, "organizations", (ACCOUNT,)),
    Key("Type", NAMES, "types", (TRES,)),
    Key("Ids", IDS, "ids", (QOS, ASSOCIATION, WCKEY, TRANSACTION, RESOURCE, TRES), ("Id",)),
    Key("Actors", NAMES, "actors", (TRANSACTION,), ("Actor",)),
    Key("Actions", NAMES, "actions", (TRANSACTION,), ("Action",)),
    Key("Start", MOMENT, "since", (TRANSACTION,)),
    Key("End", MOMENT, "until", (TRANSACTION,)),
)
"""Which records are meant."""
_ASSOCIATED = (ACCOUNT, USER, CLUSTER)
SET: tuple[Key, ...] = (
    Key("Description", TEXT, "description", (ACCOUNT, QOS, RESOURCE)),
    Key("Allowed", NUMBER, "allowed", (RESOURCE,), ("PercentAllowed",)),
    Key("Count", NUMBER, "count", (RESOURCE,)),
    Key("LastConsumed", NUMBER, "last_consumed", (RESOURCE,)),
    Key("ServerType", NAME, "server_type", (RESOURCE,)),
    Key("Type", NAME, "resource_type", (RESOURCE,)),
    Key("Flags", FLAGS, "flags", (RESOURCE,)),
    Key("Organization", TEXT, "organization", (ACCOUNT,)),
    Key("Parent", NAME, "parent", (ACCOUNT,)),
    Key("NewName", NAME, "new_name", (USER, QOS)),
    Key("Fairshare", SHARES, "shares", _ASSOCIATED, ("Shares",)),
    Key("DefaultQOS", NAME, "default_qos", _ASSOCIATED),
    Key("QOSLevel", LIST, "qos", _ASSOCIATED, ("QOS",)),
    Key("Priority", NUMBER, "priority", (*_ASSOCIATED, QOS)),
    Key("Comment", TEXT, "comment", _ASSOCIATED),
    Key("RawUsage", RAW, "raw_usage", (ACCOUNT, USER, QOS)),
    Key("AdminLevel", LEVEL, "admin_level", (USER,)),
    Key("DefaultAccount", NAME, "default_account", (USER,)),
    Key("DefaultWCKey", NAME, "default_wckey", (USER, WCKEY)),
    Key("Flags", FLAGS, "flags", (QOS,)),
    Key("Preempt", LIST, "preempts", (QOS,)),
    Key("PreemptMode", MODE, "preempt_mode", (QOS,)),
    Key("PreemptExemptTime", SECONDS, "preempt_exempt_time", (QOS,)),
    Key("GraceTime", SECONDS, "grace_time", (QOS,)),
    Key("UsageFactor", FACTOR, "usage_factor", (QOS,)),
    Key("UsageThreshold", FACTOR, "usage_threshold", (QOS,)),
    Key("LimitFactor", FACTOR, "limit_factor", (QOS,)),
    Key("Classification", TEXT, "classification", (CLUSTER,), refused="clusters have no classes"),
    Key("Features", TEXT, "features", (CLUSTER,), refused="there is no federation"),
    Key("Federation", TEXT, "federation", (CLUSTER,), refused="there is no federation"),
    Key("Flags", TEXT, "flags", (ACCOUNT, CLUSTER), refused="accounts and clusters have no flags here"),
)
"""What is to hold, limits aside."""
_ONE_TRES: dict[str, tuple[str, str]] = {
    "grpcpus": ("GrpTRES", "cpu"), "grpmemory": ("GrpTRES", "mem"), "grpmem": ("GrpTRES", "mem"), "grpnodes": ("GrpTRES", "node"),
    "grpcpumins": ("GrpTRESMins", "cpu"), "grpcpurunmins": ("GrpTRESRunMins", "cpu"), "maxcpus": ("MaxTRESPerJob", "cpu"),
    "maxcpusperjob": ("MaxTRESPerJob", "cpu"), "maxnodes": ("MaxTRESPerJob", "node"), "maxnodesperjob": ("MaxTRESPerJob", "node"),
    "maxcpumins": ("MaxTRESMinsPerJob", "cpu"), "maxcpuminsperjob": ("MaxTRESMinsPerJob", "cpu"),
    "maxcpusperuser": ("MaxTRESPerUser", "cpu"),
    "maxnodesperuser": ("MaxTRESPerUser", "node"), "mincpus": ("MinTRESPerJob", "cpu"), "mincpusperjob": ("MinTRESPerJob", "cpu")}
"""Names of limits from before there were TRES."""


class Word(NamedTuple):
    """`name+=value` in its parts; without an operation (operation "") the whole word is the value."""

    name: str
    operation: str
    value: str


def split(text: str) -> Word:
    """A word of the command line in its parts."""
    name, equals, value = text.partition("=")
    if not equals:
        return Word("", "", text)
    if name[-1:] in ("+", "-"):
        return Word(name[:-1], PLUS if name[-1] == "+" else MINUS, value)
    return Word(name, REPLACE, value)


def names(keys: Iterable[Key], entity: str) -> list[str]:
    """What there is of an entity."""
    return list(dict.fromkeys(key.name for key in keys if entity in key.of))


def find(keys: Iterable[Key], entity: str, name: str) -> Key | None:
    """The key of this name, or the only one that begins so."""
    wanted = name.lower()
    mine = [key for key in keys if entity in key.of]
    for key in mine:
        if wanted in (one.lower() for one in (key.name, *key.also)):
            return key
    found = {key.name: key for key in mine if len(wanted) >= 3 and any(one.lower().startswith(wanted) for one in (key.name, *key.also))}
    return next(iter(found.values())) if len(found) == 1 else None


def limit(entity: str, name: str) -> tuple[str, str] | None:
    """The key of a limit in `model.limits`, and a TRES where the name means one alone ("" otherwise); None for no limit."""
    table = rows.AT_QOS if entity == QOS else rows.AT_ASSOCIATION
    wanted = name.lower()
    if wanted in _ONE_TRES and _ONE_TRES[wanted][0] in table:
        return _ONE_TRES[wanted]
    for one in table.values():
        if wanted in (word.lower() for word in (one.key, *one.also)):
            return one.key, ""
    return None


def limit_names(entity: str) -> list[str]:
    """The limits that an entity may have."""
    return [one.key for one in rows.LIMITS if one.at == (rows.QOS if entity == QOS else rows.ASSOCIATION)]


class BadValue(OptionError):
    """A value that its key does not take."""


_TRES = ("cpu", "mem", "energy", "node", "billing", "vmem", "pages")
_TRES_KINDS = ("gres", "license", "fs", "bb", "ic")


def read_limit(entity: str, key: str, one_tres: str, text: str) -> dict[str, int]:
    """Values of a limit by TRES ("": one number), -1 for what is set no more. OptionError, Unsupported."""
    row = (rows.AT_QOS if entity == QOS else rows.AT_ASSOCIATION)[key]
    if one_tres:
        return {one_tres: _whole(key, text, memory=one_tres == "mem")}
    if row.quantity == rows.WALL:
        seconds = _duration(key, text)
        return {"": seconds // 60 if seconds > 0 else seconds}
    if row.quantity in (rows.JOBS, rows.SUBMITTED, rows.ACCRUING, rows.MIN_PRIORITY):
        return {"": _whole(key, text)}
    if text in ("", "-1"):
        return {"": -1}
    found: dict[str, int] = {}
    for item in text.split(","):
        name, equals, amount = item.strip().partition("=")
        if equals and amount in ("", "-1"):
            found[name.lower()] = -1
            continue
        try:
            found |= tres.parse(item)
        except SlurmError as error:
            raise BadValue(f"Invalid value for {key} ({text})", exit_code=1,
                hints=[error.message, 'valid: "cpu=4,mem=2000,node=1,gres/gpu=2"; -1 clears']) from error
    for name in found:
        kind = name.partition("/")[0]
        if name not in _TRES and kind not in _TRES_KINDS:
            raise BadValue(f"slurmdb_format_tres_str: no TRES known by type {name}", exit_code=1, hints=[
                f"valid: {', '.join(_TRES)}, and names such as {', '.join(f'{one}/NAME' for one in _TRES_KINDS)}"])
    return found


def read(key: Key, word: Word, now: float = 0.0) -> Any:
    """The value of a word; OptionError says what is wrong, and what would be valid."""
    if key.refused:
        raise Unsupported(message=f"{key.name} is not supported by slurm-py yet: {key.refused}")
    text = word.value
    if key.kind == NAMES:
        return listed(text)
    if key.kind == LIST:
        return {"operation": word.operation or REPLACE, "names": listed(text)}
    if key.kind == FLAGS:
        return {"operation": word.operation or REPLACE, "names": _flags(text,
            *((RESOURCE_FLAGS, "resource") if RESOURCE in key.of else (QOS_FLAGS, "QOS")))}
    if key.kind == LEVEL:
        return _level(text)
    if key.kind == SHARES:
        return SHARES_OF_PARENT if text.lower() == "parent" else 1 if text == "-1" else _whole(key.name, text)
    if key.kind == NUMBER:
        return _whole(key.name, text)
    if key.kind == RAW:
        if text.strip("0."):
            raise OptionError(f" Invalid value for RawUsage: {text}", exit_code=1, bare=True, hints=["usage can be set to 0 only"])
        return True
    if key.kind == IDS:
        return [_whole(key.name, one) for one in listed(text)]
    if key.kind == SECONDS:
        if key.field == "grace_time" and text.isdecimal():  # of seconds, where other times are of minutes
            return _whole(key.name, text)
        return max(0 if key.field == "grace_time" else -1, _duration(key.name, text))
    if key.kind == FACTOR:
        return _factor(key.name, text)
    if key.kind == MODE:
        return _mode(text)
    if key.kind == MOMENT:
        from slurm.notation import moment

        return moment.parse(text, now, past=True)
    return text


def listed(text: str) -> list[str]:
    """A list of names."""
    return [one.strip() for one in text.split(",") if one.strip()]


def _whole(name: str, text: str, *, memory: bool = False) -> int:
    if text in ("", "-1"):
        return -1
    if memory:
        return tres.parse(f"mem={text}")["mem"]
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise BadValue(f"Invalid value for {name} ({text})", exit_code=1, hints=["a whole number; -1 clears"])
    return int(text)


def _duration(name: str, text: str) -> int:
    try:
        return duration.parse(text) if text else -1
    except SlurmError as error:
        raise OptionError(f" Bad {name} time format: {text}", exit_code=1, bare=True, hints=[error.message]) from error


def _factor(name: str, text: str) -> float:
    try:
        value = float(text or "-1")
    except ValueError:
        value = -2.0
    if not (value == -1 or 0 <= value < 1e9):
        raise BadValue(f"Invalid value for {name} ({text})", exit_code=1, hints=["a number of 0 or more; -1 clears"])
    return value


def _level(text: str) -> str:
    for level in ADMIN_LEVELS:
        if text and level.lower().startswith(text.lower()):
            return level
    raise OptionError(f" Unknown admin level: {text}", exit_code=1, bare=True, hints=[f"valid: {', '.join(ADMIN_LEVELS)}"])


def _mode(text: str) -> str:
    for word in text.lower().split(","):
        if word not in PREEMPT_MODES:
            raise OptionError(f" Bad Preempt Mode given: {text}", exit_code=1, bare=True, hints=[f"valid: {', '.join(PREEMPT_MODES)}"])
    return text.lower()


def _flags(text: str, known: tuple[str, ...], kind: str) -> list[str]:
    found = []
    for name in listed(text):
        if name == "-1":
            continue
        flag = next((one for one in known if one.lower() == name.lower()), "")
        if not flag:
            raise OptionError(f" Invalid {kind} flag: {name}", exit_code=1, bare=True, hints=[f"valid: {', '.join(known)}"])
        found.append(flag)
    return found
