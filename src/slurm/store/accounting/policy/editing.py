"""What changes of policy have in common: rows found and written, whom they touch, how settings become columns, what is written down of who
did it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa

from slurm.model import limits
from slurm.model.errors import InvalidRequest
from slurm.model.policy import Limits, PolicyRecord, UsageReset
from slurm.model.policy_change import MINUS, PLUS, REPLACE, ChangeReport, ListChange, Place, PolicySettings
from slurm.store.accounting import schema_policy as policy
from slurm.store.accounting.policy import reading
from slurm.store.accounting.policy.checking import require_limits, require_qos_words

_sorted = msgspec.json.Encoder(order="sorted")
_limits = msgspec.json.Decoder(Limits).decode
ROOT = "root"


class Delta(NamedTuple):
    """What one change touched: of every cluster (`shared`), and of one (by name). `version` is the change's number."""

    version: int
    shared: list[PolicyRecord]
    own: dict[str, list[PolicyRecord]]
    resets: dict[str, list[UsageReset]]
    """By cluster; "": of every cluster."""

    def of(self, cluster: str) -> tuple[list[PolicyRecord], list[UsageReset]]:
        """What the controller of this cluster is to know."""
        return [*self.shared, *self.own.get(cluster, ())], [*self.resets.get("", ()), *self.resets.get(cluster, ())]


class Rules(NamedTuple):
    """What slurmdbd.conf says of changes: AllowNoDefAcct, DefaultQOS, AllResourcesAbsolute."""

    no_default_account: bool = False
    default_qos: str = ""
    all_absolute: bool = False


class Editing:
    """One change under way: the connection, who asked, and what was touched so far (ids of rows)."""

    def __init__(self, connection: sa.Connection, actor: str, now: float, rules: Rules) -> None:
        self.rules = rules
        self.connection = connection
        self.actor = actor
        self.now = now
        self.report = ChangeReport()
        self.clusters = reading.cluster_ids(connection)
        self.names = {identity: name for name, identity in self.clusters.items()}
        self.touched: dict[str, set[int]] = {}
        self.resets: dict[str, list[UsageReset]] = {}

    # --- finding ---------------------------------------------------------------------------------------------------------

    def cluster_of(self, names: Sequence[str]) -> list[str]:
        """The clusters of these names, all where there is none; InvalidRequest for one that is not there."""
        for name in names:
            if name.lower() not in self.clusters:
                raise InvalidRequest(message=f"The cluster {name} doesn't exist", hints=[
                    f"clusters: {', '.join(self.clusters) or 'none has registered yet'}"])
        return reading.lowered(names) or list(self.clusters)

    def row(self, table: sa.Table, name: str) -> Any:
        """The row of this name that is not removed, None without one."""
        return self.connection.execute(sa.select(table).where(table.c.name == name, table.c.deleted == 0)).first()

    def association(self, cluster: int, account: str, user: str = "", partition: str = "") -> Any:
        """The row of an association that is not removed, None without one."""
        columns = policy.associations.c
        return self.connection.execute(sa.select(policy.associations).where(
            columns.cluster_id == cluster, columns.account == account, columns.user_name == user, columns.partition == partition,
            columns.deleted == 0)).first()

    def associations(self, *conditions: sa.ColumnElement[bool]) -> list[Any]:
        """Rows of associations that are not removed, by id."""
        columns = policy.associations.c
        return list(self.connection.execute(sa.select(policy.associations).where(columns.deleted == 0, *conditions).order_by(columns.id)))

    def known_qos(self, names: Iterable[str]) -> None:
        """InvalidRequest where one of these QOS is not there."""
        wanted = [name.lstrip("+-") for name in names if name.lstrip("+-")]
        if not wanted:
            return
        columns = policy.qos.c
        there = list(self.connection.execute(sa.select(columns.name).where(columns.deleted == 0).order_by(columns.id)).scalars())
        for name in wanted:
            if name not in there:
                raise InvalidRequest("ESLURM_INVALID_QOS", f"You gave a bad qos '{name}'. Valid QOS's are {','.join(there)}")

    def allowed_qos(self, row: Any) -> list[str] | None:
        """The QOS that an association may use, those that come from above among them; None where nobody has said."""
        changes: list[ListChange] = []
        while row is not None:
            names = reading.qos_names(row.qos) or []
            if names and names[0][:1] not in "+-":
                for change in reversed(changes):
                    names = changed_list(names, change)
                return names
            changes += [ListChange(operation=PLUS if name[0] == "+" else MINUS, names=[name[1:]]) for name in reversed(names)]
            row = self.connection.execute(sa.select(policy.associations).where(policy.associations.c.id == row.parent_id)).first()
        return None

    def require_no_circle(self, name: str, preempts: Sequence[str]) -> None:
        """InvalidRequest where jobs of a QOS could make way for those that make way for them, by turns and for ever."""
        columns = policy.qos.c
        below = {row.name: row.preempt.split(",") if row.preempt else [] for row in self.connection.execute(
            sa.select(columns.name, columns.preempt).where(columns.deleted == 0))}
        open_, seen = [one for one in preempts if one != name], set[str]()
        while open_:
            one = open_.pop()
            if one == name:
                raise InvalidRequest("ESLURM_INVALID_QOS", "QOS preemption loop detected", hints=[
                    f"jobs of {name} would give way to those that give way to them: see preempt= of {', '.join(sorted(seen)) or name}"])
            if one not in seen:
                seen.add(one)
                open_ += below.get(one, ())

    def place(self, row: Any) -> Place:
        """An association's names for the report."""
        parent = ""
        if not row.user_name and row.parent_id:
            parent = str(self.connection.execute(sa.select(policy.associations.c.account).where(
                policy.associations.c.id == row.parent_id)).scalar() or "")
        return Place(cluster=self.names.get(row.cluster_id, ""), account=row.account, user=row.user_name, partition=row.partition,
            parent=parent)

    # --- writing ---------------------------------------------------------------------------------------------------------

    def insert(self, table: sa.Table, **values: object) -> int:
        """A new row; its id."""
        key = self.connection.execute(sa.insert(table).values(created=self.now, modified=self.now, **values)).inserted_primary_key
        assert key is not None
        self.touch(table, int(key[0]))
        return int(key[0])

    def update(self, table: sa.Table, identity: int, **values: object) -> None:
        """Columns of a row."""
        self.connection.execute(sa.update(table).where(table.c.id == identity).values(modified=self.now, **values))
        self.touch(table, identity)

    def remove(self, table: sa.Table, identities: Sequence[int]) -> None:
        """Rows are removed: they stay, and their names may come again."""
        for part in _parts(identities):
            self.connection.execute(sa.update(table).where(table.c.id.in_(part)).values(deleted=table.c.id, modified=self.now))
        for identity in identities:
            self.touch(table, identity)

    def touch(self, table: sa.Table, identity: int) -> None:
        """The record of this row has another content now."""
        self.touched.setdefault(table.name, set()).add(identity)

    def log(self, action: str, target: str, info: object = "", cluster: str = "") -> None:
        """Write down who did what."""
        self.connection.execute(sa.insert(policy.transactions).values(
            time=self.now, actor=self.actor, action=action, cluster=cluster, target=target,
            info=info if isinstance(info, str) else _sorted.encode(info).decode()))

    def delta(self) -> Delta:
        """What was touched, as records."""
        shared: list[PolicyRecord] = []
        own: dict[str, list[PolicyRecord]] = {}
        shared += reading.accounts_of(self.connection, self._rows(policy.accounts))
        shared += [reading.user_of(row) for row in self._rows(policy.users)]
        shared += [reading.qos_of(row) for row in self._rows(policy.qos)]
        shared += reading.resources_of(self.connection, self._rows(policy.resources), self.names)
        for row in self._rows(policy.associations):
            cluster = self.names.get(row.cluster_id, "")
            own.setdefault(cluster, []).append(reading.association_of(row, cluster))
        for row in self._rows(policy.wckeys):
            cluster = self.names.get(row.cluster_id, "")
            own.setdefault(cluster, []).append(reading.wckey_of(row, cluster))
        return Delta(reading.version(self.connection), shared, own, self.resets)

    def _rows(self, table: sa.Table) -> list[Any]:
        found: list[Any] = []
        for part in _parts(sorted(self.touched.get(table.name, ()))):
            found += self.connection.execute(sa.select(table).where(table.c.id.in_(part)).order_by(table.c.id)).all()
        return found


def _parts(identities: Sequence[int]) -> Iterable[Sequence[int]]:
    for start in range(0, len(identities), reading.MANY):
        yield identities[start:start + reading.MANY]


def changed_list(old: Sequence[str], change: ListChange) -> list[str]:
    """A list after a change of it, in small letters, each name once."""
    names = reading.lowered(change.names)
    if change.operation == MINUS:
        return [name for name in old if name not in names]
    return list(dict.fromkeys([*(old if change.operation == PLUS else ()), *names]))


def merged_limits(old: Limits, new: Mapping[str, Mapping[str, int]]) -> Limits:
    """Limits after a change: a TRES of -1, and a whole limit of {"": -1}, are set no more."""
    found = {key: dict(values) for key, values in old.items()}
    for key, values in new.items():
        if values == {"": -1}:
            found.pop(key, None)
            continue
        kept = {name: value for name, value in {**found.get(key, {}), **values}.items() if value >= 0}
        found.pop(key, None)
        if kept:
            found[key] = kept
    return found


def association_columns(editing: Editing, settings: PolicySettings, row: Any = None) -> dict[str, object]:
    """The columns of an association that settings change; `row` is the one that is there. InvalidRequest for a QOS that is not."""
    values: dict[str, object] = {}
    if settings.shares is not None:
        values["shares"] = settings.shares
    if settings.priority is not None:
        values["priority"] = settings.priority if settings.priority >= 0 else None
    if settings.comment is not None:
        values["comment"] = settings.comment
    if settings.limits:
        require_limits(limits.AT_ASSOCIATION, settings.limits)
        values["limits"] = _sorted.encode(merged_limits(_limits(row.limits or "{}") if row is not None else {}, settings.limits)).decode()
    if settings.qos is not None:
        editing.known_qos(reading.lowered(settings.qos.names))
        values["qos"] = _qos_column(row, settings.qos)
    if settings.default_qos is not None:
        editing.known_qos([settings.default_qos.lower()])
        values["default_qos"] = settings.default_qos.lower()
    return values


def _qos_column(row: Any, change: ListChange) -> str:
    """What an association says of its QOS: names in the place of those from above, or changes of them (+name, -name)."""
    old = (reading.qos_names(row.qos) if row is not None else None) or []
    names = reading.lowered(change.names)
    if change.operation == REPLACE:
        return _sorted.encode(names).decode() if names else ""
    if old and old[0][:1] not in "+-":
        return _sorted.encode(changed_list(old, change)).decode()
    sign, other = ("+", "-") if change.operation == PLUS else ("-", "+")
    kept = [name for name in old if name not in {f"{sign}{one}" for one in names} | {f"{other}{one}" for one in names}]
    return _sorted.encode([*kept, *(f"{sign}{name}" for name in names)]).decode()


def qos_columns(editing: Editing, settings: PolicySettings, row: Any = None) -> dict[str, object]:
    """The columns of a QOS that settings change. InvalidRequest for limits, flags and modes that there are not."""
    require_limits(limits.AT_QOS, settings.limits)
    require_qos_words(settings)
    values: dict[str, object] = {
        name: value for name in ("description", "grace_time", "preempt_mode") if (value := getattr(settings, name)) is not None}
    if settings.priority is not None:
        values["priority"] = max(0, settings.priority)
    for name in ("preempt_exempt_time", "usage_threshold", "limit_factor"):
        value = getattr(settings, name)
        if value is not None:
            values[name] = value if value >= 0 else None
    if settings.usage_factor is not None:
        values["usage_factor"] = settings.usage_factor if settings.usage_factor >= 0 else 1.0
    if settings.limits:
        values["limits"] = _sorted.encode(merged_limits(_limits(row.limits or "{}") if row is not None else {}, settings.limits)).decode()
    if settings.preempts is not None:
        editing.known_qos(reading.lowered(settings.preempts.names))
        preempts = changed_list(row.preempt.split(",") if row is not None and row.preempt else [], settings.preempts)
        if row is not None:
            editing.require_no_circle(row.name, preempts)
        values["preempt"] = ",".join(preempts)
    if settings.flags is not None:
        values["flags"] = ",".join(changed_words(row.flags.split(",") if row is not None and row.flags else [], settings.flags))
    return values


def changed_words(old: Sequence[str], change: ListChange) -> list[str]:
    """A list after a change of it, in the letters in which it was written."""
    names = list(change.names)
    if change.operation == MINUS:
        return [name for name in old if name not in names]
    return list(dict.fromkeys([*(old if change.operation == PLUS else ()), *names]))
