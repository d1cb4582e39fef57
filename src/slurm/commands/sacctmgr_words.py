"""sacctmgr's line in its parts: entity, which records are meant, what is to hold, how it is shown.

The tables are in `options.policy_keys`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from slurm.client.policy import PolicyDoor
from slurm.commands.shell import Shell
from slurm.config.keys import find_conf, read_keys
from slurm.model.errors import ConfigError
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    ASSOCIATION,
    CLUSTER,
    COORDINATOR,
    PROBLEM,
    QOS,
    RESOURCE,
    TRANSACTION,
    USER,
    WCKEY,
    ListChange,
    PolicySettings,
    Which,
)
from slurm.options import policy_keys as keys
from slurm.options.errors import OptionError
from slurm.options.policy_keys import Word

TRES = keys.TRES
CONFIGURATION, EVENT, FEDERATION, RESERVATION, RUNAWAY, STATS = (
    "configuration", "event", "federation", "reservation", "runawayjobs", "stats")
ENTITIES = (
    ACCOUNT, ASSOCIATION, CLUSTER, CONFIGURATION, COORDINATOR, EVENT, FEDERATION, PROBLEM, QOS, RESOURCE, RESERVATION, RUNAWAY, STATS,
    TRANSACTION, TRES,
    USER, WCKEY)
_FLAGS = (
    "tree", "withassoc", "withdeleted", "withcoordinators", "wopinfo", "wopinheritance", "woplimits", "withsubaccounts", "onlydefaults",
    "withrawqoslevel", "withclusters", "withfed", "wolimits")
_SHORT = {"assoc": ASSOCIATION, "associations": ASSOCIATION, "coord": COORDINATOR, "config": CONFIGURATION, "txn": TRANSACTION}


class Line:
    """What one line asks for. `given`: what is to hold, as it was written, key → text."""

    def __init__(self) -> None:
        self.which = Which()
        self.settings = PolicySettings()
        self.flags: set[str] = set()
        self.formats: list[str] = []
        self.given: dict[str, str] = {}


def door(shell: Shell) -> PolicyDoor:
    """The way to the policy of the cluster."""
    return PolicyDoor(shell.accounting_channel())


def tracks_wckeys(shell: Shell) -> bool:
    """Whether the slurm.conf of this machine says TrackWCKey, or that wckeys are enforced: then lists of users have them."""
    path = find_conf(shell.environ)
    if path is None:
        return False
    try:
        keys_of = read_keys(path)
    except ConfigError:
        return False  # who has to read that file says what is wrong with it
    enforced = {word.lower() for word in keys_of.words("AccountingStorageEnforce")}
    return keys_of.flag("TrackWCKey") or not enforced.isdisjoint({"wckeys", "all"})


def entity_of(word: str) -> str:
    """The entity that a word means, in full, in the plural or its beginning; "" for none."""
    text = word.lower()
    if text in _SHORT:
        return _SHORT[text]
    exact = [one for one in ENTITIES if text in (one, one + "s")]
    found = exact or [one for one in ENTITIES if len(text) >= 3 and one.startswith(text.rstrip("s") if len(text) > 4 else text)]
    return found[0] if found else ""


def read(entity: str, words: Sequence[str], verb: str, now: float) -> Line:
    """The words behind the entity. OptionError for an unknown one names the valid ones."""
    line = Line()
    setting = False
    for text in words:
        if text.lower() == "set":
            setting = True
            continue
        if text.lower() == "where":
            setting = False
            continue
        word = keys.split(text)
        if word.name.lower() in ("format",):
            line.formats.append(word.value)
        elif not word.operation and not setting and verb != ADD and (flag := _flag(text)):
            line.flags.add(flag)
        elif setting:
            _set(line, entity, word, text)
        elif verb == ADD:
            _add(line, entity, word, text, now)
        else:
            _meant(line, entity, word, text, now)
    return line


def _flag(text: str) -> str:
    if text.lower() == "wopi":
        return "wopinheritance"
    found = [flag for flag in _FLAGS if len(text) >= 4 and flag.startswith(text.lower())]
    return found[0] if found else ""


def _meant(line: Line, entity: str, word: Word, text: str, now: float) -> None:
    """Which records: a word alone is a name."""
    if not word.operation:
        _names(line, entity, keys.listed(word.value))
        return
    key = keys.find(keys.WHERE, entity, word.name)
    if key is None:
        raise _unknown(f" Unknown condition: {text}\n Use keyword 'set' to modify value", word.name, keys.names(keys.WHERE, entity))
    value = keys.read(key, word, now)
    if key.kind == keys.LEVEL:
        value = [value]
    setattr(line.which, key.field, [*getattr(line.which, key.field), *value] if isinstance(value, list) else value)


def _names(line: Line, entity: str, names: list[str]) -> None:
    if entity == ASSOCIATION:
        raise OptionError(f" Unknown condition: {','.join(names)}", exit_code=1, bare=True, hints=[
            f"conditions of associations: {', '.join(keys.names(keys.WHERE, ASSOCIATION))}"])
    if entity == COORDINATOR:
        line.which.users += names
    else:
        line.which.names += names


def _add(line: Line, entity: str, word: Word, text: str, now: float) -> None:
    """In an addition names and settings stand together."""
    if not word.operation:
        _names(line, entity, keys.listed(word.value))
        return
    where = keys.find(keys.WHERE, entity, word.name)
    if where is not None and where.field in ("names", "clusters", "accounts", "users", "partitions", "wckeys", "servers"):
        line.which = msgspec.structs.replace(line.which, **{where.field: [*getattr(line.which, where.field), *keys.read(where, word, now)]})
        return
    _set(line, entity, word, text)


def _set(line: Line, entity: str, word: Word, text: str) -> None:
    try:
        _set_to(line, entity, word, text)
    except keys.BadValue as error:
        raise OptionError(
            _no_option(text), exit_code=1, bare=True, hints=error.hints, before=(f"sacctmgr: error: {error.message}",)) from error


def _no_option(text: str) -> str:
    return f" Unknown option: {text}\n Use keyword 'where' to modify condition"


def _set_to(line: Line, entity: str, word: Word, text: str) -> None:
    if not word.operation:
        raise OptionError(f" Bad format on {text}: End your option with an '=' sign", exit_code=1, bare=True)
    limit = keys.limit(entity, word.name)
    if limit is not None and entity in (ACCOUNT, USER, CLUSTER, QOS):
        key, one = limit
        values = line.settings.limits.setdefault(key, {})
        values.update(keys.read_limit(entity, key, one, word.value))
        line.given[key] = word.value
        return
    found = keys.find(keys.SET, entity, word.name)
    if found is None:
        raise _unknown(_no_option(text), word.name, [*keys.names(keys.SET, entity), *(keys.limit_names(entity)
            if entity in (ACCOUNT, USER, CLUSTER, QOS) else ())])
    value: Any = keys.read(found, word)
    if isinstance(value, dict):
        value = msgspec.convert(value, ListChange)
    setattr(line.settings, found.field, value)
    line.given[found.name] = word.value


def _unknown(message: str, name: str, valid: list[str]) -> OptionError:
    from slurm.notation.nearest import nearest  # only when something is wrong

    meant = nearest(name, valid)
    return OptionError(message, exit_code=1, bare=True, hints=[
        f"did you mean {meant}?" if meant else f"valid: {', '.join(valid)}"])
