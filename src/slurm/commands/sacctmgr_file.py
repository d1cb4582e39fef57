"""sacctmgr dump and load: the policy of a cluster as a file, and a file as intent: what differs is shown, then changed, and nothing
else."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from slurm.client.policy import PolicyDoor
from slurm.commands import sacctmgr_change, sacctmgr_words
from slurm.commands.sacctmgr_show import Tree
from slurm.commands.sacctmgr_words import Line
from slurm.commands.shell import Shell
from slurm.model.policy import Account, Association, Qos, User, Wckey
from slurm.model.policy_change import (
    ACCOUNT,
    ADD,
    CLUSTER,
    COORDINATOR,
    MODIFY,
    QOS,
    REMOVE,
    USER,
    WCKEY,
    Change,
    ListChange,
    PolicySettings,
    Which,
)
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import policy_file
from slurm.render.policy_columns import Entry, effective_qos
from slurm.render.policy_file import ROOT, FileLine


class Known:
    """What a cluster has: records by name, associations as entries, in the order of the tree."""

    def __init__(self, door: PolicyDoor, cluster: str) -> None:
        self.cluster = cluster
        self.accounts = {one.name: one for one in cast("list[Account]", door.records(ACCOUNT))}
        self.users = {one.name: one for one in cast("list[User]", door.records(USER))}
        self.qos = {one.name: one for one in cast("list[Qos]", door.records(QOS))}
        self.is_there = any(one.name == cluster for one in door.clusters()[0])
        which = Which(clusters=[cluster])
        self.entries = Tree(door, Line(), which).entries(which) if self.is_there else []
        self.wckeys: dict[str, list[Wckey]] = {}
        for key in cast("list[Wckey]", door.records(WCKEY, which)) if self.is_there else ():
            self.wckeys.setdefault(key.user, []).append(key)
        self.by_name = {(one.account, one.user, one.partition): entry for entry in self.entries if (one := _one(entry))}
        self.defaults = {one.user: one.account for entry in self.entries if (one := _one(entry)).is_default}

    def coordinated(self, user: str) -> list[str]:
        """The accounts of a coordinator."""
        return [name for name, account in self.accounts.items() if user in account.coordinators]


def _one(entry: Entry) -> Association:
    assert entry.association is not None
    return entry.association


def dump(shell: Shell, resolved: Resolved, door: PolicyDoor, words: Sequence[str]) -> int:
    """Write the policy of a cluster to a file."""
    options = dict(word.partition("=")[::2] for word in words if "=" in word)
    name = next((word for word in words if "=" not in word), options.get("cluster", options.get("Cluster", "")))
    if not name:
        raise OptionError(" We need a cluster to dump.", exit_code=1, bare=True)
    known = Known(door, name.lower())
    if not known.is_there:
        raise OptionError(f" No cluster named {name}", exit_code=1, bare=True,
            hints=[f"clusters: {', '.join(one.name for one in door.clusters()[0])}"])
    lines = list(dumped(known))
    path = options.get("file", options.get("File", f"./{name}.cfg"))
    with open(path, "w", encoding="utf-8") as file:
        file.write("".join(f"{line}\n" for line in (*policy_file.HEADER, *lines)))
    if not resolved.flag("quiet"):
        for place, line in enumerate(lines):
            if 0 < place <= len(known.qos):
                shell.raw(line)  # QOS and cluster are one paragraph
            else:
                shell.say(line)
    return 0


def dumped(known: Known) -> Iterator[str]:
    """The lines of a cluster."""
    yield from (policy_file.qos_line(one) for one in known.qos.values())
    yield policy_file.cluster_line(known.cluster, known.by_name[ROOT, "", ""])
    yield from _below(known, ROOT)


def _below(known: Known, account: str) -> Iterator[str]:
    users = [entry for entry in known.entries if _one(entry).account == account and _one(entry).user]
    children = [entry for entry in known.entries if entry.parent == account and not _one(entry).user]
    if users or children:
        yield f"Parent - '{account}'"
    for entry in users:
        name = _one(entry).user
        yield policy_file.user_line(known.users.get(name, User(name=name)), known.defaults.get(name, account), known.coordinated(name),
            known.wckeys.get(name, ()), entry)
    for entry in children:
        name = _one(entry).account
        yield policy_file.account_line(known.accounts.get(name, Account(name=name)), entry)
    for entry in children:
        yield from _below(known, _one(entry).account)


def load(shell: Shell, resolved: Resolved, door: PolicyDoor, words: Sequence[str]) -> int:
    """Make the policy of a cluster what a file says; what it does not name stays, or with `clean` goes."""
    options = {word.partition("=")[0].lower(): word.partition("=")[2] for word in words if "=" in word}
    bare = [word for word in words if "=" not in word]
    clean = "clean" in (word.lower() for word in bare)
    path = options.get("file") or next((word for word in bare if word.lower() != "clean"), "")
    if not path:
        raise OptionError(" No file specified to load.", exit_code=1, bare=True)
    if resolved.flag("readonly"):
        raise OptionError("Can't run this command in readonly mode.", exit_code=1, bare=True)
    try:
        with open(path, encoding="utf-8") as file:
            lines = policy_file.parse(file.read())
    except OSError as error:
        raise OptionError(f" Unable to read {path}: {os.strerror(error.errno or 0)}", exit_code=1, bare=True) from error
    cluster = options.get("cluster") or next((line.name for line in lines if line.kind == "Cluster"), "")
    if not cluster:
        raise OptionError(" You need to specify a cluster name first in your file.", exit_code=1, bare=True)
    changes = list(differing(Known(door, cluster.lower()), lines, shell.now(), clean=clean))
    if not changes:
        shell.out(" Nothing new added.")
        return 0
    for told, _ in changes:
        shell.out(told)
    if not resolved.flag("immediate") and not sacctmgr_change.committed(shell):
        shell.out(" Changes Discarded")
        return 0
    late: dict[str, str] = {}
    for _, change in changes:
        late.update(door.change(change).late)
    for name, why in sorted(late.items()):
        shell.say(f"warning: cluster {name}: {why}")
    return 0


def differing(known: Known, lines: Sequence[FileLine], now: float, *, clean: bool = False) -> Iterator[tuple[str, Change]]:
    """What must be changed, in order: a line for the reader, and the change.

    With `clean` accounts and users go that the file does not name.
    """
    parent = ROOT
    if not known.is_there:
        yield f" + Cluster {known.cluster}", Change(verb=ADD, entity=CLUSTER, which=Which(names=[known.cluster]))
    preempting: list[tuple[str, Change]] = []
    defaults: dict[str, str] = {}
    coordinators: list[tuple[str, str]] = []
    wckeys: dict[str, tuple[list[str], str]] = {}
    for line in lines:
        options = dict(line.options)
        if line.kind == "Parent":
            parent = line.name.lower()
            continue
        name = line.name.lower()
        if line.kind == "QOS":
            settings = _settings(QOS, options, now)
            later, settings.preempts = settings.preempts, None  # a QOS may come that is named before it
            yield from _qos(known, name, settings)
            if later is not None and (name not in known.qos or sorted(later.names) != sorted(known.qos[name].preempts)):
                preempting.append((f" ~ QOS {name}: Preempt={','.join(later.names)}", Change(
                    verb=MODIFY, entity=QOS, which=Which(names=[name]), settings=PolicySettings(preempts=later))))
            continue
        yield from preempting
        preempting = []
        if line.kind == "User":
            default = options.pop("DefaultAccount", "").lower()
            if default:
                defaults[name] = default
            keys, preferred = options.pop("WCKeys", "").lower(), options.pop("DefaultWCKey", "").lower()
            if keys or preferred:
                wckeys[name] = list(dict.fromkeys(one for one in [*keys.split(","), preferred] if one)), preferred
            coordinators += [(name, account) for account in options.pop("Coordinator", "").split(",") if account
                and account not in known.coordinated(name)]
        yield from _placed(known, line.kind, name, parent, options, now)
    yield from preempting
    for user, account in defaults.items():
        if known.defaults.get(user) not in (account, None) or (user not in known.defaults and account != _first(lines, user)):
            yield f" ~ User {user}: DefaultAccount={account}", Change(
                verb=MODIFY, entity=USER, which=Which(names=[user], clusters=[known.cluster]),
                settings=PolicySettings(default_account=account))
    yield from _wckeys(known, wckeys)
    for user, account in coordinators:
        yield f" + Coordinator {user} of {account}", Change(verb=ADD, entity=COORDINATOR, which=Which(users=[user], accounts=[account]))
    if clean:
        yield from _unnamed(known, lines)


def _unnamed(known: Known, lines: Sequence[FileLine]) -> Iterator[tuple[str, Change]]:
    """Accounts and users of the cluster that the file has not; root's own place stays.

    Users first, those whose default account it is last of each.
    """
    named = {(ROOT, "", ""), (ROOT, ROOT, "")}
    parent = ROOT
    for line in lines:
        name = line.name.lower()
        if line.kind == "Parent":
            parent = name
        elif line.kind == "Account":
            named.add((name, "", ""))
        elif line.kind == "User":
            named.add((parent, name, line.options.get("Partition", "")))
    gone = [one for entry in known.entries if (one := _one(entry)) and (one.account, one.user, one.partition) not in named]
    accounts = {one.account for one in gone if not one.user}
    for one in sorted((one for one in gone if one.user and one.account not in accounts), key=lambda one: one.is_default):
        where = Which(names=[one.user], accounts=[one.account], clusters=[known.cluster], partitions=[one.partition])
        yield f" - User {one.user} of {one.account}", Change(verb=REMOVE, entity=USER, which=where)
    below: set[str] = set()
    for entry in known.entries:  # an account stands before those below it, and goes with them
        one = _one(entry)
        if one.user or one.account not in accounts:
            continue
        if entry.parent in below:
            below.add(one.account)
            continue
        below.add(one.account)
        yield f" - Account {one.account}", Change(verb=REMOVE, entity=ACCOUNT, which=Which(names=[one.account], clusters=[known.cluster]))


def _wckeys(known: Known, wanted: dict[str, tuple[list[str], str]]) -> Iterator[tuple[str, Change]]:
    for user, (names, preferred) in wanted.items():
        has = known.wckeys.get(user, [])
        missing = [name for name in names if name not in {key.name for key in has}]
        default = next((key.name for key in has if key.is_default), missing[0] if missing else "")
        if missing:
            yield f" + WCKeys {','.join(missing)} of {user}", Change(
                verb=ADD, entity=WCKEY, which=Which(names=missing, users=[user], clusters=[known.cluster]))
        if preferred and preferred != default:
            yield f" ~ User {user}: DefaultWCKey={preferred}", Change(
                verb=MODIFY, entity=USER, which=Which(names=[user], clusters=[known.cluster]),
                settings=PolicySettings(default_wckey=preferred))


def _first(lines: Sequence[FileLine], user: str) -> str:
    """The account in which a file puts a user first, which becomes the default one."""
    parent = ROOT
    for line in lines:
        if line.kind == "Parent":
            parent = line.name.lower()
        elif line.kind == "User" and line.name.lower() == user:
            return parent
    return ""


def _settings(entity: str, options: dict[str, str], now: float) -> PolicySettings:
    return sacctmgr_words.read(entity, ["set", *(f"{key}={value}" for key, value in options.items())], MODIFY, now).settings


def _qos(known: Known, name: str, settings: PolicySettings) -> Iterator[tuple[str, Change]]:
    one = known.qos.get(name)
    if one is None:
        yield f" + QOS {name}{_told(settings)}", Change(verb=ADD, entity=QOS, which=Which(names=[name]), settings=settings)
        return
    changed = _changed(settings, {key: getattr(one, key) for key in ("description", "priority", "grace_time", "preempt_mode",
        "usage_factor", "flags")}, one.limits)
    if changed != PolicySettings():
        yield f" ~ QOS {name}{_told(changed)}", Change(verb=MODIFY, entity=QOS, which=Which(names=[name]), settings=changed)


def _placed(known: Known, kind: str, name: str, parent: str, options: dict[str, str], now: float) -> Iterator[tuple[str, Change]]:
    """A cluster, an account or a user of an account."""
    entity = {"Cluster": CLUSTER, "Account": ACCOUNT, "User": USER}[kind]
    partition = options.pop("Partition", "")
    settings = _settings(entity, options, now)
    place = (ROOT, "", "") if entity == CLUSTER else (name, "", "") if entity == ACCOUNT else (parent, name, partition)
    where = {
        CLUSTER: Which(names=[known.cluster]), ACCOUNT: Which(names=[name], clusters=[known.cluster]),
        USER: Which(names=[name], accounts=[parent], clusters=[known.cluster], partitions=[partition] if partition else [])}[entity]
    told = f"{kind} {name}" + (f" in {parent}" if entity == USER else "")
    entry = known.by_name.get(place)
    if entry is None and entity != CLUSTER:
        if entity == ACCOUNT:
            settings.parent = parent
        yield f" + {told}{_told(settings)}", Change(verb=ADD, entity=entity, which=where, settings=settings)
        return
    one = _one(entry) if entry is not None else Association(id=0, cluster=known.cluster, account=ROOT, qos=["normal"])
    now_is: dict[str, object] = {"shares": one.shares, "default_qos": one.default_qos, "priority": one.priority, "comment": one.comment}
    if entity == ACCOUNT:
        account = known.accounts.get(name, Account(name=name))
        now_is |= {"description": account.description, "organization": account.organization}
        if entry is not None and entry.parent != parent:
            settings.parent = parent
    if entity == USER:
        now_is["admin_level"] = known.users[name].admin_level if name in known.users else "None"
    changed = _changed(settings, now_is, one.limits)
    effective = effective_qos(entry) if entry is not None else ["normal"]
    if changed.qos is not None and sorted(one_name.lower() for one_name in changed.qos.names) == effective:
        changed.qos = None
    if changed != PolicySettings():
        yield f" ~ {told}{_told(changed)}", Change(verb=MODIFY, entity=entity, which=where, settings=changed)


def _changed(settings: PolicySettings, now_is: dict[str, object], limits: dict[str, dict[str, int]]) -> PolicySettings:
    """What of the settings is not so already."""
    changed = msgspec.structs.replace(settings, limits={key: values for key,
        values in settings.limits.items() if values != limits.get(key)})
    for key, value in now_is.items():
        wanted = getattr(changed, key)
        if isinstance(wanted, ListChange):
            wanted = list(wanted.names)
        if wanted == value:
            setattr(changed, key, None)
    return changed


def _told(settings: PolicySettings) -> str:
    """Settings in short, for the reader."""
    found = msgspec.to_builtins(settings)
    texts = []
    for key, value in found.items():
        if key == "limits":
            texts += [f"{name}={','.join(f'{one}={amount}' if one else str(amount) for one, amount in amounts.items())}" for name,
                amounts in value.items()]
        elif isinstance(value, dict):
            texts.append(f"{key}={','.join(value.get('names', []))}")
        else:
            texts.append(f"{key}={value}")
    return ": " + ", ".join(texts) if texts else ""
