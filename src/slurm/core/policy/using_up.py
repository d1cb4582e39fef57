"""Running jobs whose group has used up its minutes: GrpTRESMins and GrpWall end them, as they keep others from starting (`meeting`).

With AccountingStorageEnforce=safe none is ended: what starts may run to its end. Usage grows by formula, so nothing happens when a group
meets its limit: the daemon looks, some of the limits at a time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from slurm.core import events as e
from slurm.core.policy import state as counting
from slurm.core.policy.book import Book
from slurm.core.policy.bounds import Bound
from slurm.core.policy.tally import Key
from slurm.core.policy.usage import WALL
from slurm.model import limits as rows

QUANTITIES = frozenset({rows.TRES_MINUTES, rows.WALL})


def limited(book: Book) -> list[Key]:
    """All that has a limit on minutes of a group."""
    found: list[Key] = [("association", one.id, "") for one in book.associations.values() if one.parent in book.associations
        and _has(one.limits, rows.AT_ASSOCIATION)]
    return found + [("qos", name, "") for name, one in book.qos.items() if _has(one.limits, rows.AT_QOS)]


def ended(state: counting.State, keys: Iterable[Key], now: float) -> Iterator[e.TimedOut]:
    """The ends of running jobs that count under these and whose limit is used up now."""
    settings = state.settings
    if not state.policy.known or "limits" not in settings.accounting_enforce or "safe" in settings.accounting_enforce:
        return
    spent = {key for key in keys if _spent(state, key, now)}
    if not spent:
        return
    for job in list(state.active.values()):
        if job.completing or job.holding is None or spent.isdisjoint(counting.keys_of(state, job)):
            continue
        for bound in counting.bounds_of(state, job):
            if bound.key in spent and _is_over(state, bound, now):
                yield e.TimedOut(at=now, job=job.id, attempt=job.attempt, why=rows.reason_of(bound.limit, bound.tres))
                break


def _has(limits: dict[str, dict[str, int]], table: dict[str, rows.Limit]) -> bool:
    return any((row := table.get(key)) is not None and row.span == rows.GROUP and row.quantity in QUANTITIES for key in limits)


def _spent(state: counting.State, key: Key, now: float) -> bool:
    book, kind = state.policy.book, key[0]
    record = book.associations.get(int(key[1])) if kind == "association" else book.qos.get(str(key[1]))
    if record is None:
        return False
    table = rows.AT_ASSOCIATION if kind == "association" else rows.AT_QOS
    used = state.policy.usage
    return any(used.of(key[1], name or WALL, now) / 60 >= value for limit, values in record.limits.items()
               if (row := table.get(limit)) is not None and row.span == rows.GROUP and row.quantity in QUANTITIES for name,
               value in values.items())


def _is_over(state: counting.State, bound: Bound, now: float) -> bool:
    limit = bound.limit
    if limit.span != rows.GROUP or limit.quantity not in QUANTITIES:
        return False
    return state.policy.usage.of(bound.key[1], bound.tres or WALL, now) / 60 >= bound.value
