"""Who may use how much: accounts and users with their shares, use and limits, and qualities of service."""

from __future__ import annotations

from collections import defaultdict
from typing import Any, NamedTuple

from slurm.model.errors import SlurmError
from slurm.model.policy import Association, Limits, Qos
from slurm.model.policy_change import ASSOCIATION, QOS, Which
from slurm.model.priority import ShareNow
from slurm.notation import duration
from slurm.slurmrestd.web.visit import Page, Visit

MOST = 2_000
_WALL = "Wall"


class Line(NamedTuple):
    """An account or a user in the tree: how deep, its share, and its own limits in words."""

    share: ShareNow
    depth: int
    limits: str

    @property
    def is_user(self) -> bool:
        """Whether it is a user's."""
        return bool(self.share.user)


def show(visit: Visit) -> Page:
    """GET /accounts; ?user= of one user, else of everybody."""
    user = visit.asked("user")
    listed = visit.doors.cluster.shares([user] if user else [])
    limits, why = _limits(visit, listed.cluster)
    lines = _tree(listed.shares, limits)
    return Page("accounts.html", {
        "title": "Accounts", "lines": lines[:MOST], "total": len(lines), "asked": user, "why": why, "qos": _qos(visit), "limits_of": words})


def _limits(visit: Visit, cluster: str) -> tuple[dict[int, str], str]:
    """What each association is limited to, by its id; and why that is not known, where it is not."""
    try:
        found = visit.doors.policy.records(ASSOCIATION, Which(clusters=[cluster]))
    except SlurmError as error:
        return {}, "; ".join([error.message, *error.hints])
    return {one.id: words(one.limits) for one in found if isinstance(one, Association) and not one.deleted}, ""


def _qos(visit: Visit) -> list[Qos]:
    try:
        found = visit.doors.policy.records(QOS)
    except SlurmError:  # the same as said of limits
        return []
    return [one for one in found if isinstance(one, Qos) and not one.deleted]


def words(limits: Limits) -> str:
    """Limits as sacctmgr takes them: GrpJobs=10 MaxTRESPerJob=cpu=16,gres/gpu=2."""
    return " ".join(f"{key}={_value(key, values)}" for key, values in limits.items())


def _value(key: str, values: dict[str, int]) -> str:
    if _WALL in key:
        return duration.show(values.get("", 0) * 60)
    return ",".join(f"{name}={number}" if name else str(number) for name, number in values.items())


def _tree(shares: list[ShareNow], limits: dict[int, str]) -> list[Line]:
    """Accounts, each with its users, then with the accounts below it."""
    below: dict[int, list[ShareNow]] = defaultdict(list)
    known = {one.id for one in shares}
    for one in shares:
        below[one.parent if one.parent in known else 0].append(one)
    lines: list[Line] = []
    waiting: list[tuple[ShareNow, int]] = [(one, 0) for one in reversed(below[0])]
    while waiting:
        one, depth = waiting.pop()
        lines.append(Line(one, depth, limits.get(one.id, "")))
        waiting += [(child, depth + 1) for child in reversed(sorted(below[one.id], key=_order))]
    return lines


def _order(one: ShareNow) -> tuple[Any, ...]:
    return not one.user, one.account, one.user, one.partition
