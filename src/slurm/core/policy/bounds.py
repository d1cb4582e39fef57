"""The limits that a job meets, in Slurm's order: partition QOS, the job's QOS, its user's association, the accounts above, the root.

Where one thing is limited at several of them the first counts; but what an account and those above it have in common (Grp…) is looked at on
every level. Worked out once for each association and pair of QOS, and remembered until the policy changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from slurm.core.policy.book import Book
from slurm.core.policy.tally import Key
from slurm.model import limits as rows
from slurm.model.limits import Limit
from slurm.model.policy import Qos

_ALIKE = {rows.OWN: rows.USER}
"""What an association says of its own jobs is what a QOS says of a user's."""
_NOT_AT_ROOT = frozenset({rows.TRES_MINUTES, rows.WALL})


class Bound(NamedTuple):
    """One number that counts for a job: the row, whose jobs it is about (`key`), of which TRES, and where it stands in words."""

    limit: Limit
    key: Key
    tres: str
    value: int
    where: str


def bounds(book: Book, association: int, account: str, user: str, qos: Qos | None, partition_qos: Qos | None) -> tuple[Bound, ...]:
    """All that count for the jobs of an association under these QOS."""
    found: list[Bound] = []
    set_before: set[tuple[str, str, str]] = set()
    order = (qos, partition_qos) if qos is not None and "OverPartQOS" in qos.flags else (partition_qos, qos)
    for one in {one.id: one for one in order if one is not None}.values():
        _add(found, set_before, [Bound(limit, key, tres, value, f"QOS {one.name}") for limit, key, tres,
            value in _of_qos(one, account, user)])
    if association in book.associations:
        _add_associations(book, association, 1.0 if qos is None or qos.limit_factor is None else qos.limit_factor, found, set_before)
    return tuple(found)


def absolute(qos: Qos | None, totals: Callable[[], dict[str, int]]) -> Qos | None:
    """A QOS whose limits on TRES are numbers; those of one with the flag Relative are percent of these totals."""
    if qos is None or "Relative" not in qos.flags:
        return qos
    has = totals()
    limits = {key: {name: value * has.get(name, 0) // 100 for name, value in values.items()} if _counts_tres(key) else values
              for key, values in qos.limits.items()}
    return msgspec.structs.replace(qos, limits=limits)


def _counts_tres(key: str) -> bool:
    row = rows.AT_QOS.get(key)
    return row is not None and row.quantity in (rows.TRES, rows.MIN_TRES)


def keys(book: Book, association: int, account: str, user: str, qos: str, partition_qos: str) -> tuple[Key, ...]:
    """Everything that such a job counts under."""
    lineage = book.standing(association).lineage if association in book.associations else ()
    names = dict.fromkeys(name for name in (qos, partition_qos) if name)
    return (*(("association", one, "") for one in lineage),
            *(key for name in names for key in (("qos", name, ""), ("user", name, user), ("account", name, account))))


def _of_qos(one: Qos, account: str, user: str) -> list[tuple[Limit, Key, str, int]]:
    name = one.name.lower()
    whose: dict[str, Key] = {rows.USER: ("user", name, user), rows.ACCOUNT: ("account", name, account)}
    return [(limit, whose.get(limit.span, ("qos", name, "")), tres, value)
            for key, values in one.limits.items() if (limit := rows.AT_QOS.get(key)) is not None for tres, value in values.items()]


def _add_associations(book: Book, association: int, factor: float, found: list[Bound], set_before: set[tuple[str, str, str]]) -> None:
    standing = book.standing(association)
    own: list[Bound] = []
    for key, values in standing.limits.items():
        limit = rows.AT_ASSOCIATION.get(key)
        if limit is None:  # a slurmdbd that is newer than this controller may know more limits
            continue
        own += [Bound(limit, ("association", association, ""), tres, _scaled(limit, value, factor), _place(book, association)) for tres,
            value in values.items()]
    for one in standing.lineage:
        for key, values in book.associations[one].limits.items():
            row = rows.AT_ASSOCIATION.get(key)
            if row is None or row.span != rows.GROUP or (row.quantity in _NOT_AT_ROOT and one == standing.lineage[-1]):
                continue
            own += [Bound(row, ("association", one, ""), tres, _scaled(row, value, factor), _place(book, one)) for tres,
                value in values.items()]
    found += [bound for bound in own if _kind(bound) not in set_before]


def _scaled(limit: Limit, value: int, factor: float) -> int:
    return int(value * factor) if limit.quantity == rows.TRES else value


def _place(book: Book, association: int) -> str:
    one = book.associations[association]
    return f"user {one.user} in account {one.account}" if one.user else f"account {one.account}"


def _add(found: list[Bound], set_before: set[tuple[str, str, str]], new: list[Bound]) -> None:
    found += [bound for bound in new if _kind(bound) not in set_before]
    set_before.update(map(_kind, new))


def _kind(bound: Bound) -> tuple[str, str, str]:
    span = bound.limit.span
    return bound.limit.quantity, _ALIKE.get(span, span), bound.tres
