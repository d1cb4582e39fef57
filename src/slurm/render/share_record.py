"""Fair shares as the REST API describes them. Keys and shapes are Slurm's (v0.0.44)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from slurm.model.policy import SHARES_OF_PARENT
from slurm.model.priority import ShareNow
from slurm.render.json_text import Value

Record = dict[str, Value]
_PARENT = 0x7FFFFFFF
"""What stands for the shares of an association that has those of its parent."""


def records(shares: Sequence[ShareNow], cluster: str, tres: Sequence[str]) -> list[Record]:
    """Every association, parents before those below them."""
    accounts = {one.id: one.account for one in shares}
    return [_record(one, cluster, accounts.get(one.parent, ""), tres) for one in shares]


def _record(one: ShareNow, cluster: str, parent: str, tres: Sequence[str]) -> Record:
    return {
        "id": one.id,
        "cluster": cluster,
        "name": one.user or one.account,
        "parent": one.account if one.user else parent,
        "partition": one.partition,
        "shares_normalized": _real(one.norm_shares),
        "shares": {"set": True, "infinite": False, "number": _PARENT if one.raw_shares == SHARES_OF_PARENT else one.raw_shares},
        "tres": {
            "run_seconds": _amounts(tres, {name: 60 * minutes for name, minutes in one.running.items()}),
            "group_minutes": _amounts(tres, one.limits),
            "usage": [{"name": name, "value": float(one.used.get(name, 0))} for name in tres],
        },
        "effective_usage": _real(one.effective_usage),
        "usage_normalized": _real(one.norm_usage),
        "usage": int(one.raw_usage),
        "fairshare": {"factor": _real(one.factor), "level": _real(one.level_fs, infinite=one.level_fs is None)},
        "type": ["USER" if one.user else "ASSOCIATION"],
    }


def _amounts(tres: Sequence[str], amounts: Mapping[str, int]) -> list[Value]:
    return [{"name": name, "value": {"set": name in amounts, "infinite": False, "number": amounts.get(name, 0)}} for name in tres]


def _real(value: float | None, *, infinite: bool = False) -> Record:
    return {"set": value is not None, "infinite": infinite, "number": float(value or 0.0)}
