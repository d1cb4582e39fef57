"""The policy of this cluster by name: associations, users, QOS, wckeys and resources, and what holds for an association after what it
inherits from above.

Here is what was decided; what is in use is counted in `tally`, what was used in `usage`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import NamedTuple, TypeVar

from slurm.model import limits as rows
from slurm.model.policy import Account, Association, Limits, PolicyRecord, Qos, Resource, User, Wckey

K = TypeVar("K")
R = TypeVar("R")


class Standing(NamedTuple):
    """What holds at an association.

    `lineage`: its own id and those above it, the root last; `limits`: of its jobs, one by one, set nearest to it.
    """

    lineage: tuple[int, ...]
    limits: Limits
    qos: frozenset[str]
    default_qos: str
    priority: int


_INHERITED = frozenset(limit.key for limit in rows.LIMITS if limit.at == rows.ASSOCIATION and limit.span != rows.GROUP)


_ACCRUING = frozenset(limit.key for limit in rows.LIMITS if limit.quantity == rows.ACCRUING)


class Book:
    """Records by id or name; names of accounts, users and QOS are compared in small letters, as the database keeps them."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.users: dict[str, User] = {}
        self.associations: dict[int, Association] = {}
        self.qos: dict[str, Qos] = {}
        self.wckeys: dict[int, Wckey] = {}
        self.resources: dict[int, Resource] = {}
        self.generation = 0
        """Another number whenever something changes."""
        self._names: set[str] = set()
        self._coordinated: dict[str, frozenset[str]] = {}
        self._limit_accrual: set[int] = set()  # associations that do
        self._wckeys: dict[str, dict[str, int]] = {}  # user → wckey → its id
        self._by_name: dict[tuple[str, str, str], int] = {}
        self._defaults: dict[str, str] = {}
        self._children: dict[int, list[int]] = {}
        self._standings: dict[int, Standing] = {}

    @property
    def limits_accrual(self) -> bool:
        """Whether some limit says how many waiting jobs may age."""
        return bool(self._limit_accrual) or any(not _ACCRUING.isdisjoint(one.limits) for one in self.qos.values())

    @property
    def relative(self) -> bool:
        """Whether some QOS has limits in percent."""
        return any("Relative" in one.flags for one in self.qos.values())

    def names(self) -> Set[str]:
        """What `name_of` calls each record; not to be changed."""
        return self._names

    def records(self) -> list[PolicyRecord]:
        """All of it."""
        return [*self.accounts.values(), *self.users.values(), *self.qos.values(), *self.wckeys.values(), *self.resources.values(),
            *self.associations.values()]

    def by_name(self, name: str) -> PolicyRecord | None:
        """The record that `name_of` names, None when there is none."""
        kind, _, key = name.partition(" ")
        if kind == "qos":
            return next((one for one in self.qos.values() if one.id == int(key)), None)
        if kind == "resource":
            return self.resources.get(int(key))
        if kind in ("association", "wckey"):
            return (self.associations if kind == "association" else self.wckeys).get(int(key))
        return (self.accounts if kind == "account" else self.users).get(key)

    def take(self, records: Iterable[PolicyRecord]) -> None:
        """Put records in the place of those of the same key; deleted ones go."""
        for record in records:
            (self._names.discard if record.deleted else self._names.add)(name_of(record))
            if isinstance(record, Association):
                self._put_association(record)
            elif isinstance(record, Wckey):
                self._put_wckey(record)
            elif isinstance(record, Resource):
                _put(self.resources, record.id, record, record.deleted)
            elif isinstance(record, Account):
                _put(self.accounts, record.name.lower(), record, record.deleted)
            elif isinstance(record, User):
                _put(self.users, record.name.lower(), record, record.deleted)
            else:
                self._put_qos(record)
        self.generation += 1
        self._standings.clear()
        self._coordinated.clear()

    def find(self, user: str, account: str, partition: str = "") -> Association | None:
        """The association a job of `user` counts under: the one of the partition, else the one of any; None where there is neither."""
        key = account.lower(), user.lower()
        found = self._by_name.get((*key, partition)) if partition else None
        found = found if found is not None else self._by_name.get((*key, ""))
        return self.associations[found] if found is not None else None

    def account(self, name: str) -> Association | None:
        """The association of an account itself."""
        found = self._by_name.get((name.lower(), "", ""))
        return self.associations[found] if found is not None else None

    def default_account(self, user: str) -> str:
        """The account of a user who names none, "" when there is none."""
        return self._defaults.get(user.lower(), "")

    def wckey(self, user: str, name: str) -> Wckey | None:
        """A wckey of a user; with a * before it, as a job has its user's default one, it is the same."""
        found = self._wckeys.get(user.lower(), {}).get(name.removeprefix("*").lower())
        return self.wckeys[found] if found is not None else None

    def wckeys_of(self, user: str) -> list[Wckey]:
        """The wckeys that a user may name, in order of their names."""
        return [self.wckeys[one] for _, one in sorted(self._wckeys.get(user.lower(), {}).items())]

    def accounts_of(self, user: str) -> list[str]:
        """The accounts that a user may name, in order."""
        return sorted({one.account for one in self.associations.values() if one.user.lower() == user.lower()})

    def coordinated(self, user: str) -> frozenset[str]:
        """The accounts that a user coordinates, with all that stand below them, in small letters."""
        found = self._coordinated.get(user.lower())
        if found is None:
            wanted = user.lower()
            names = {name for name, account in self.accounts.items() if any(one.lower() == wanted for one in account.coordinators)}
            waiting = [one for name in names if (one := self.account(name)) is not None]
            while waiting:
                below = [one for one in self.children(waiting.pop().id) if not one.user]
                names.update(one.account.lower() for one in below)
                waiting += below
            found = self._coordinated[wanted] = frozenset(names)
        return found

    def children(self, association: int) -> Iterator[Association]:
        """Those right below, in the order of their ids."""
        return (self.associations[one] for one in sorted(self._children.get(association, ())))

    def roots(self) -> list[Association]:
        """Associations with nobody above: one, in a whole book."""
        return [one for one in self.associations.values() if one.parent not in self.associations]

    def standing(self, association: int) -> Standing:
        """What holds at an association; KeyError when it is not known."""
        unknown: list[Association] = []
        while association not in self._standings:
            one = self.associations[association]
            unknown.append(one)
            if one.parent not in self.associations or len(unknown) > len(self.associations):
                break
            association = one.parent
        for one in reversed(unknown):
            self._standings[one.id] = _stand(one, self._standings.get(one.parent))
        return self._standings[unknown[0].id if unknown else association]

    def _put_association(self, record: Association) -> None:
        old = self.associations.pop(record.id, None)
        if old is not None:
            self._limit_accrual.discard(old.id)
            self._by_name.pop(_name_of(old), None)
            self._children[old.parent].remove(old.id)
            if old.is_default:
                self._defaults.pop(old.user.lower(), None)
        if record.deleted:
            return
        self.associations[record.id] = record
        if not _ACCRUING.isdisjoint(record.limits):
            self._limit_accrual.add(record.id)
        self._by_name[_name_of(record)] = record.id
        self._children.setdefault(record.parent, []).append(record.id)
        if record.is_default:
            self._defaults[record.user.lower()] = record.account

    def _put_wckey(self, record: Wckey) -> None:
        old = self.wckeys.pop(record.id, None)
        if old is not None:
            mine = self._wckeys[old.user.lower()]
            mine.pop(old.name.lower(), None)
            if not mine:
                del self._wckeys[old.user.lower()]
        if not record.deleted:
            self.wckeys[record.id] = record
            self._wckeys.setdefault(record.user.lower(), {})[record.name.lower()] = record.id

    def _put_qos(self, record: Qos) -> None:
        # Known by its id too: it may have got another name.
        for name in [name for name, qos in self.qos.items() if qos.id == record.id]:
            del self.qos[name]
        _put(self.qos, record.name.lower(), record, record.deleted)


def name_of(record: PolicyRecord) -> str:
    """A text by which a record is known: "association 12", "user bob"."""
    if isinstance(record, Account | User):
        return f"{'account' if isinstance(record, Account) else 'user'} {record.name.lower()}"
    return f"{_KINDS[type(record)]} {record.id}"


_KINDS: dict[type, str] = {Qos: "qos", Wckey: "wckey", Resource: "resource", Association: "association"}


def _stand(one: Association, above: Standing | None) -> Standing:
    qos: Set[str] = frozenset(one.qos) if one.qos is not None else above.qos if above is not None else frozenset()
    if one.qos_changes:
        qos = set(qos)
        for change in one.qos_changes:
            (qos.discard if change.startswith("-") else qos.add)(change.lstrip("+-"))
    inherited = above.limits if above is not None else {}  # shared where nothing is added: most have nothing of their own
    if not inherited.keys() <= _INHERITED:
        inherited = {key: values for key, values in inherited.items() if key in _INHERITED}
    limits = inherited | {key: inherited.get(key, {}) | values for key, values in one.limits.items()} if one.limits else inherited
    return Standing(
        (one.id, *(above.lineage if above is not None else ())), limits, frozenset(qos),
        one.default_qos or (above.default_qos if above is not None else ""),
        one.priority if one.priority is not None else above.priority if above is not None else 0)


def _name_of(one: Association) -> tuple[str, str, str]:
    return one.account.lower(), one.user.lower(), one.partition


def _put(records: dict[K, R], key: K, record: R, deleted: bool) -> None:
    if deleted:
        records.pop(key, None)
    else:
        records[key] = record
