"""sacctmgr show: asks for policy and lays it out, as a table, for programs, or as a tree."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from typing import cast

import msgspec

from slurm.client.policy import PolicyDoor
from slurm.commands import sacctmgr_words as words
from slurm.commands.sacctmgr_table import table
from slurm.commands.sacctmgr_words import Line
from slurm.commands.shell import Shell
from slurm.core.policy.book import Book
from slurm.model.policy import Account, Association, PolicyRecord, Qos, Resource, User, Wckey
from slurm.model.policy_change import ACCOUNT, ASSOCIATION, CLUSTER, PROBLEM, QOS, RESOURCE, TRANSACTION, USER, WCKEY, Which
from slurm.notation import moment
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import policy_columns
from slurm.render.policy_columns import Entry, Shown

_TREE_COLUMN = "Account"


def show(shell: Shell, resolved: Resolved, door: PolicyDoor, entity: str, line: Line) -> int:
    """Show what there is of an entity; the exit status."""
    gc.disable()  # a hundred thousand records come, none of them is garbage, and the command ends soon
    with_associations = entity in (ACCOUNT, USER) and (resolved.flag("associations") or "withassoc" in line.flags
        or _wants_associations(entity, line))
    entries = list(_ENTRIES[entity](door, line, with_associations))
    kind = f"{entity} with associations" if with_associations and f"{entity} with associations" in policy_columns.DEFAULT else entity
    default = policy_columns.DEFAULT[kind]
    if entity == USER and not line.formats and words.tracks_wckeys(shell):
        default = default.replace("defaultaccount,", "defaultaccount,defaultwckey,", 1)
    if entity == ASSOCIATION and "wolimits" in line.flags:
        default = "cluster,account,user,partition"
    if entity == CLUSTER and "withfed" in line.flags:
        default += ",federation,fedid,features,fedstate"
    if entity == RESOURCE and "withclusters" in line.flags:
        default += ",cluster,allowed"
    if "withcoordinators" in line.flags:
        default += ",coordinators"
    shown, widths = columns(entity, ",".join(line.formats) or default, tree="tree" in line.flags)
    laid = [policy_columns.column(one, width) for one, width in zip(shown, widths, strict=True)]
    rows = (_indented(shown, entry, texts) if "tree" in line.flags else texts for entry, texts in policy_columns.cells(shown, entries))
    return table(shell, resolved, laid, rows)


def structured(shell: Shell, door: PolicyDoor, entity: str, line: Line, style: str) -> int:
    """The records of the same entries as JSON or YAML."""
    from slurm.commands import caller
    from slurm.render import json_text

    found = []
    for entry in _ENTRIES[entity](door, line, entity == ASSOCIATION):
        one = (entry.account or entry.user or entry.qos or entry.cluster or entry.wckey or entry.resource or entry.transaction
            or entry.association)
        found.append(msgspec.to_builtins(one) if one is not None else dict(zip(("id", "type", "name"), entry.tres or (), strict=True)))
    end = json_text.closing(door.cluster, *caller.names(), ["sacctmgr", *shell.argv])
    key = entity if entity in (QOS, words.TRES) else f"{entity}s"
    shell.stdout.write(json_text.encode({key: cast("json_text.Value", found), **end}, style))
    return 0


def columns(entity: str, text: str, *, tree: bool) -> tuple[list[Shown], list[int]]:
    """The columns of a format and their widths; OptionError for one that is not there."""
    shown: list[Shown] = []
    widths: list[int] = []
    for piece in text.split(","):
        name, percent, digits = piece.strip().partition("%")
        if not name:
            continue
        found = policy_columns.find(entity, name)
        if found is None:
            from slurm.notation.nearest import nearest  # only when something is wrong

            valid = policy_columns.names(entity)
            meant = nearest(name, valid)
            raise OptionError(f" Unknown field '{name}'", exit_code=1, bare=True,
                hints=[f"did you mean {meant}?" if meant else f"valid: {', '.join(valid)}"])
        width = policy_columns.TREE_WIDTH if tree and found.title == _TREE_COLUMN else found.width
        if percent and digits.lstrip("-").isdigit():
            width = int(digits)
        shown.append(found)
        widths.append(width)
    return shown, widths


def _indented(shown: Sequence[Shown], entry: Entry, texts: Sequence[str]) -> list[str]:
    return [" " * entry.depth + text if one.title == _TREE_COLUMN else text for one, text in zip(shown, texts, strict=True)]


def _wants_associations(entity: str, line: Line) -> bool:
    """Whether the format names something that only associations have."""
    mine = {ACCOUNT: 4, USER: 5}[entity]
    first = policy_columns.COLUMNS[entity][:mine]
    for piece in ",".join(line.formats).split(","):
        found = policy_columns.find(entity, piece.partition("%")[0].strip()) if piece.strip() else None
        if found is not None and found not in first:
            return True
    return bool(line.which.clusters or line.which.partitions or line.which.parents or (entity == USER and line.which.accounts))


class Tree:
    """Associations with what holds at each, in the order of their trees."""

    def __init__(self, door: PolicyDoor, line: Line, which: Which) -> None:
        self._line = line
        wanted = Which(clusters=which.clusters, with_deleted=which.with_deleted)
        if which.users:  # theirs, and the accounts above them
            wanted.users = [*which.users, ""]
        self._records = cast("list[Association]", door.records(ASSOCIATION, wanted))
        self._book = Book()
        self._book.take(cast("list[PolicyRecord]", self._records))

    def entries(self, which: Which) -> list[Entry]:
        """Those that are meant."""
        if which == Which(with_deleted=which.with_deleted, clusters=which.clusters):
            return list(self._all())
        return [entry for entry in self._all() if _fits(entry, which)]

    def _all(self) -> Iterator[Entry]:
        known, inherits = self._book.associations, self._line.flags.isdisjoint({"wopinheritance", "woplimits"})
        for record in self._ordered():
            if record.id not in known:  # removed
                yield Entry(association=record, inherits=inherits, limits=record.limits)
                continue
            standing = self._book.standing(record.id)
            above = known.get(record.parent) if not record.user else None
            yield Entry(association=record, standing=standing, parent=above.account if above is not None else "",
                depth=len(standing.lineage) - 1, inherits=inherits,
                        limits=standing.limits if inherits else record.limits)

    def _ordered(self) -> list[Association]:
        """Under each account its users, then the accounts below it, by name; of each cluster."""
        accounts: dict[int, list[Association]] = {}
        for one in self._book.associations.values():
            if not one.user:
                accounts.setdefault(one.parent if one.parent in self._book.associations else 0, []).append(one)
        place: dict[int, int] = {}
        waiting = sorted(accounts.get(0, ()), key=lambda one: (one.cluster, one.account), reverse=True)
        while waiting:
            one = waiting.pop()
            place[one.id] = len(place)
            waiting += sorted(accounts.get(one.id, ()), key=lambda below: below.account, reverse=True)
        last = len(place)

        def key(record: Association) -> tuple[str, int, str, str]:
            own = place.get(record.id, last) if not record.user else place.get(record.parent, last)
            return record.cluster, own, record.user, record.partition

        return sorted(self._records, key=key)


def _fits(entry: Entry, which: Which) -> bool:
    one = entry.association
    assert one is not None
    return (
        _among(one.account, which.accounts) and _among(one.user, which.users) and _among(one.partition, which.partitions)
        and _among(entry.parent, which.parents) and _among(one.default_qos, which.default_qos) and (not which.ids or one.id in which.ids)
        and (not which.qos or not {name.lower() for name in which.qos}.isdisjoint(policy_columns.effective_qos(entry))))


def _among(text: str, names: Sequence[str]) -> bool:
    return not names or text.lower() in (name.lower() for name in names)


def _associations(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    entries = Tree(door, line, line.which).entries(line.which)
    if "onlydefaults" in line.flags:
        entries = [entry for entry in entries if entry.association is not None and entry.association.is_default]
    yield from entries


def _accounts(door: PolicyDoor, line: Line, with_associations: bool) -> Iterator[Entry]:
    wanted = Which(names=line.which.names, descriptions=line.which.descriptions, organizations=line.which.organizations,
        with_deleted=line.which.with_deleted)
    records = sorted(cast("list[Account]", door.records(ACCOUNT, wanted)), key=lambda one: one.name)
    if not with_associations:
        yield from (Entry(account=one) for one in records)
        return
    which = Which(clusters=line.which.clusters, users=line.which.users, parents=line.which.parents, qos=line.which.qos,
        with_deleted=line.which.with_deleted)
    below: dict[str, list[Entry]] = {}
    for entry in Tree(door, line, which).entries(which):
        assert entry.association is not None
        below.setdefault(entry.association.account, []).append(entry)
    for one in records:
        for entry in below.get(one.name, [Entry()] if not (which.clusters or which.users or which.parents) else []):
            yield entry._replace(account=one)


def _users(door: PolicyDoor, line: Line, with_associations: bool) -> Iterator[Entry]:
    wanted = Which(names=line.which.names, admin_levels=line.which.admin_levels, with_deleted=line.which.with_deleted)
    records = sorted(cast("list[User]", door.records(USER, wanted)), key=lambda one: one.name)
    which = Which(
        clusters=line.which.clusters, accounts=line.which.accounts, partitions=line.which.partitions, qos=line.which.qos,
        users=list(line.which.names),
        with_deleted=line.which.with_deleted)
    of: dict[str, list[Entry]] = {}
    defaults: dict[str, str] = {}
    for entry in Tree(door, line, which).entries(Which(users=which.users)):
        one = entry.association
        if one is not None and one.user:
            if one.is_default:
                defaults.setdefault(one.user, one.account)
            if _fits(entry, which):
                of.setdefault(one.user, []).append(entry)
    coordinated: dict[str, list[str]] = {}
    if "withcoordinators" in line.flags or "coord" in ",".join(line.formats).lower():
        for account in cast("list[Account]", door.records(ACCOUNT)):
            for name in account.coordinators:
                coordinated.setdefault(name, []).append(account.name)
    for user in records:
        default = defaults.get(user.name, "")
        if line.which.default_wckeys and not _among(user.default_wckey, line.which.default_wckeys):
            continue
        if line.which.default_accounts and not _among(default, line.which.default_accounts):
            continue
        own: list[Entry] = of.get(user.name, [] if which.accounts or which.clusters or which.partitions else [Entry()])
        for entry in own if with_associations else own[:1]:
            yield entry._replace(user=user, default_account=default, coordinated=tuple(coordinated.get(user.name, ())))


def _qos(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    yield from (Entry(qos=one, limits=one.limits) for one in cast("list[Qos]", door.records(QOS, line.which)))


def _clusters(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    roots = {one.cluster: one for one in cast("list[Association]", door.records(ASSOCIATION, Which(accounts=["root"], users=[""])))}
    for cluster in door.clusters(line.which)[0]:
        root = roots.get(cluster.name)
        yield Entry(cluster=cluster, association=root, limits=root.limits if root is not None else {})


def _transactions(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    for one in door.transactions(line.which):
        yield Entry(transaction=one, moment=moment.show(one.time))


def _tres(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    which = line.which
    for one in door.clusters()[1]:
        number, kind, name = one
        if _among(kind, which.types) and _among(name, which.names) and (not which.ids or number in which.ids):
            yield Entry(tres=one)


def _wckeys(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    yield from (Entry(wckey=one) for one in cast("list[Wckey]", door.records(WCKEY, line.which)))


def _resources(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    wanted = [name.lower() for name in line.which.clusters]
    for one in sorted(cast("list[Resource]", door.records(RESOURCE, line.which)), key=lambda one: (one.name, one.server)):
        if "withclusters" not in line.flags:
            if not wanted or not one.allowed.keys().isdisjoint(wanted):
                yield Entry(resource=one)
            continue
        for cluster in one.allowed:
            if not wanted or cluster in wanted:
                yield Entry(resource=one, parent=cluster)


def _problems(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    """What is amiss: accounts in which and below which nobody is, users whom this machine does not know, or who have no account."""
    entries = Tree(door, line, Which(clusters=line.which.clusters)).entries(Which())
    placed: dict[str, list[Association]] = {}
    above: set[tuple[str, str]] = set()
    for entry in entries:
        one = entry.association
        assert one is not None
        placed.setdefault(one.user, []).append(one)
        if one.user:
            above.add((one.cluster, one.account))
        elif entry.parent:
            above.add((one.cluster, entry.parent))
    for one in placed.get("", ()):
        if (one.cluster, one.account) not in above and _among(one.account, line.which.accounts):
            yield Entry(association=one, problem="Account has no users")
    for user in cast("list[User]", door.records(USER)):
        nobody = Association(id=0, cluster="", account="", user=user.name)
        if _among(user.name, line.which.users):
            if user.name not in placed:
                yield Entry(association=nobody, problem="User has no account")
            if not _has_uid(user.name):
                yield Entry(association=nobody, problem="User does not have a uid")


def _has_uid(name: str) -> bool:
    import pwd

    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _federations(door: PolicyDoor, line: Line, _: bool) -> Iterator[Entry]:
    """There are none."""
    return iter(())


_ENTRIES = {
    words.FEDERATION: _federations,
    ACCOUNT: _accounts, USER: _users, ASSOCIATION: _associations, QOS: _qos, CLUSTER: _clusters, TRANSACTION: _transactions,
    words.TRES: _tres, WCKEY: _wckeys,
    RESOURCE: _resources, PROBLEM: _problems}
SHOWN = frozenset(_ENTRIES)
"""What is shown as a table of policy."""
