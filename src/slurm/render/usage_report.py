"""The reports of sreport: which there are, their columns, and how sums of usage become rows of texts. What sums there are is slurmdbd's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from slurm.model.accounting import AssociationUsage, ClusterUsage, JobRow, ReservationRow, WckeyUsage
from slurm.notation import moment
from slurm.render.fields import Field, Table

ROOT = "root"
GROUPS = (50, 250, 500, 1000)
"""Where the sizes of jobs are parted unless somebody says otherwise."""
_AMOUNT, _AMOUNT_AND_SHARE = 8, 17

CLUSTER = Table(
    Field("Cluster", "", "Cluster", "Name of the cluster.", width=9),
    Field("TresName", "", "TRES Name", "What was used.", width=14),
    Field("TresCount", "", "TRES Count", "How much of it the cluster has, on average.", cut=False, width=10),
    Field("Allocated", "", "Allocated", "Held by jobs.", cut=False, width=_AMOUNT),
    Field("Down", "", "Down", "Of nodes that were down or drained.", cut=False, width=_AMOUNT),
    Field("PlannedDown", "", "PLND Down", "Of nodes that were put out of service on purpose.", cut=False, width=_AMOUNT),
    Field("Idle", "", "Idle", "Free, and nobody waited for it.", cut=False, width=_AMOUNT),
    Field("Planned", "", "Planned", "Free while jobs that could run waited for more.", cut=False, width=_AMOUNT),
    Field("Reported", "", "Reported", "All of it.", cut=False, width=_AMOUNT),
    Field("Energy", "", "Energy", "Joules.", cut=False, width=_AMOUNT),
)
"""Fields of `cluster Utilization`."""

USER = Table(
    Field("Cluster", "", "Cluster", "Name of the cluster.", width=9),
    Field("Account", "", "Account", "Account that was charged.", width=15),
    Field("Login", "", "Login", "User.", width=9),
    Field("Proper", "", "Proper Name", "The user's name in full, as this machine knows it.", width=15),
    Field("Wckey", "", "WCKey", "Workload characterization key.", width=15),
    Field("TresName", "", "TRES Name", "What was used.", width=14),
    Field("Used", "", "Used", "How much of it, times how long.", cut=False, width=_AMOUNT),
    Field("Energy", "", "Energy", "Joules.", cut=False, width=_AMOUNT),
)
"""Fields of reports about accounts, users and wckeys."""

RESERVATION = Table(
    Field("Allocated", "", "Allocated", "Held by jobs in it.", cut=False, width=20),
    Field("Associations", "", "Associations", "Users and accounts that may use it.", width=15),
    Field("Cluster", "", "Cluster", "Name of the cluster.", width=9),
    Field("End", "", "End", "When it ended, or will end.", width=19),
    Field("Flags", "", "Flags", "Its flags.", width=20),
    Field("Idle", "", "Idle", "Held by no job.", cut=False, width=20),
    Field("Name", "", "Name", "Name of the reservation.", width=9),
    Field("Nodes", "", "Nodes", "Its nodes.", width=15),
    Field("ReservationId", "", "Id", "Its number.", width=8),
    Field("Start", "", "Start", "When it began, or will begin.", width=19),
    Field("TotalTime", "", "TotalTime", "How long it lasted up to now, in the unit of the report.", cut=False, width=9),
    Field("TresCount", "", "TRES Count", "How much of it was reserved at last.", cut=False, width=10),
    Field("TresName", "", "TRES Name", "What was reserved.", width=14),
    Field("TresTime", "", "TRES Time", "How much of it was reserved, times how long.", cut=False, width=20),
)
"""Fields of `reservation Utilization`."""


class Report(NamedTuple):
    """One report: its group and name, the heading, and the fields it shows."""

    group: str
    name: str
    heading: str
    fields: str
    table: Table


ACCOUNT_BY_USER = Report("cluster", "AccountUtilizationByUser", "Cluster/Account/User Utilization",
    "cluster,account,login,proper,used,energy", USER)
USER_BY_ACCOUNT = Report("cluster", "UserUtilizationByAccount", "Cluster/User/Account Utilization",
    "cluster,login,proper,account,used,energy", USER)
USER_BY_WCKEY = Report("cluster", "UserUtilizationByWckey", "Cluster/User/WCKey Utilization", "cluster,login,proper,wckey,used", USER)
UTILIZATION = Report("cluster", "Utilization", "Cluster Utilization", "cluster,allocated,down,planneddown,idle,planned,reported", CLUSTER)
WCKEY_BY_USER = Report("cluster", "WCKeyUtilizationByUser", "Cluster/WCKey/User Utilization", "cluster,wckey,login,proper,used", USER)
SIZES_BY_ACCOUNT = Report("job", "SizesByAccount", "Job Sizes", "", USER)
SIZES_BY_BOTH = Report("job", "SizesByAccountAndWckey", "Job Sizes by Account and Wckey", "", USER)
SIZES_BY_WCKEY = Report("job", "SizesByWckey", "Job Sizes by Wckey", "", USER)
RESERVED = Report("reservation", "Utilization", "Reservation Utilization", "cluster,name,start,end,tresname,allocated,idle", RESERVATION)
TOP = Report("user", "TopUsage", "Top {} Users", "cluster,login,proper,account,used,energy", USER)
REPORTS = (
    ACCOUNT_BY_USER, USER_BY_ACCOUNT, USER_BY_WCKEY, UTILIZATION, WCKEY_BY_USER, SIZES_BY_ACCOUNT, SIZES_BY_BOTH, SIZES_BY_WCKEY, RESERVED,
    TOP)


class Amounts(NamedTuple):
    """How amounts of TRES-seconds are shown: divided by `unit` seconds (0: not at all), and with `share` as a part of all there was."""

    unit: int = 60
    share: bool = False
    word: str = "Minutes"

    @property
    def wide(self) -> bool:
        """Whether a cell holds both."""
        return bool(self.unit) and self.share

    def text(self, seconds: int, total: int) -> str:
        """An amount, of a total."""
        part = f"{100 * seconds / total if total else 0:.2f}%"
        if not self.unit:
            return part
        return f"{seconds // self.unit}({part})" if self.share else str(seconds // self.unit)


AMOUNTS = {
    "secper": Amounts(1, True, "Seconds/Percentage of Total"), "minper": Amounts(60, True, "Minutes/Percentage of Total"),
    "hourper": Amounts(3600, True, "Hours/Percentage of Total"), "seconds": Amounts(1, False, "Seconds"), "minutes": Amounts(),
    "hours": Amounts(3600, False, "Hours"), "percent": Amounts(0, True, "Percentage of Total"),
}
"""The words of -t."""
Cells = dict[str, str]
ProperName = Callable[[str], str]


def cluster_rows(sums: Iterable[ClusterUsage], amounts: Amounts, seconds: float) -> Iterator[Cells]:
    """`cluster Utilization`: one row a cluster and TRES, over a period of so many seconds."""
    for one in sums:
        found = {"Allocated": one.allocated, "Down": one.down, "PlannedDown": one.planned_down, "Idle": one.idle, "Planned": one.planned,
            "Reported": one.total}
        yield {
            "Cluster": one.cluster, "TresName": one.tres, "TresCount": str(round(one.total / seconds)) if seconds else "0", "Energy": "0",
            **{name: amounts.text(value, one.total) for name, value in found.items()}}


def reservation_rows(found: Iterable[ReservationRow], tres: Sequence[str], amounts: Amounts) -> Iterator[Cells]:
    """`reservation Utilization`: a row an occurrence and TRES ([]: all that it held)."""
    for one in found:
        for name in tres or one.tres:
            if name not in one.tres:
                continue
            reserved, allocated = one.reserved.get(name, 0), one.allocated.get(name, 0)
            yield {
                "Cluster": one.cluster, "Name": one.name, "ReservationId": str(one.id), "Start": moment.show(one.start),
                "End": moment.show(one.end), "Flags": ",".join(one.flags), "Nodes": one.nodes, "Associations": ",".join(
                    [*one.users, *one.accounts]), "TresName": name, "TresCount": str(one.tres[name]),
                "Allocated": amounts.text(allocated, reserved), "Idle": amounts.text(max(0, reserved - allocated), reserved),
                "TresTime": amounts.text(reserved, reserved), "TotalTime": str(one.seconds // (amounts.unit or 1))}


def totals(sums: Iterable[ClusterUsage]) -> dict[tuple[str, str], int]:
    """(cluster, TRES) → all TRES-seconds that there were."""
    return {(one.cluster, one.tres): one.total for one in sums}


class Used(NamedTuple):
    """What one user of one account used of each TRES, in TRES-seconds."""

    cluster: str
    account: str
    user: str
    amounts: Mapping[str, int]
    wckey: str = ""

    def of(self, tres: str) -> int:
        """Of one TRES."""
        return self.amounts.get(tres, 0)


def by_user(sums: Iterable[AssociationUsage]) -> list[Used]:
    """The sums of each user in each account, all TRES together."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for one in sums:
        place = found.setdefault((one.cluster, one.account, one.user), {})
        place[one.tres] = place.get(one.tres, 0) + one.seconds
    return [Used(*key, amounts) for key, amounts in sorted(found.items())]


def by_wckey(sums: Iterable[WckeyUsage]) -> list[Used]:
    """The sums of each user with each wckey."""
    found: dict[tuple[str, str, str], dict[str, int]] = {}
    for one in sums:
        place = found.setdefault((one.cluster, one.user, one.wckey), {})
        place[one.tres] = place.get(one.tres, 0) + one.seconds
    return [Used(cluster, "", user, amounts, wckey) for (cluster, user, wckey), amounts in sorted(found.items())]


def with_accounts(found: Sequence[Used], tree: bool) -> list[Used]:
    """Before the users of an account the account with the sum of them; first of all the root account with everything.

    `tree`: shown by blanks.
    """
    result: list[Used] = []
    for cluster in dict.fromkeys(one.cluster for one in found):
        members = [one for one in found if one.cluster == cluster]
        result.append(Used(cluster, ROOT, "", _sum(members)))
        result += [one._replace(account=f" {ROOT}" if tree else ROOT) for one in members if one.account == ROOT]
        for account in sorted({one.account for one in members} - {ROOT}):
            own = [one for one in members if one.account == account]
            result.append(Used(cluster, f" {account}" if tree else account, "", _sum(own)))
            result += [one._replace(account=f"  {account}" if tree else account) for one in own]
    return result


def _sum(found: Iterable[Used]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in found:
        for tres, seconds in one.amounts.items():
            total[tres] = total.get(tres, 0) + seconds
    return total


def top(found: Sequence[Used], tres: str, count: int, group: bool) -> list[Used]:
    """Of each cluster the so many users with the most; `group` puts the accounts of a user together."""
    if group:
        together: dict[tuple[str, str], list[Used]] = {}
        for one in found:
            together.setdefault((one.cluster, one.user), []).append(one)
        found = [Used(cluster, ",".join(one.account for one in members), user, _sum(members)) for (cluster, user),
            members in together.items()]
    result: list[Used] = []
    for cluster in dict.fromkeys(one.cluster for one in found):
        result += sorted((one for one in found if one.cluster == cluster), key=lambda one: (-one.of(tres), one.user))[:count]
    return result


def user_rows(found: Iterable[Used], tres: Sequence[str], amounts: Amounts, all_of_it: Mapping[tuple[str, str], int],
        proper: ProperName) -> Iterator[Cells]:
    """One row a user and TRES."""
    for one in found:
        for name in tres:
            yield {
                "Cluster": one.cluster, "Account": one.account, "Login": one.user, "Proper": proper(one.user) if one.user else "",
                "Wckey": one.wckey,
                "TresName": name, "Used": amounts.text(one.of(name), all_of_it.get((one.cluster, name), 0)),
                "Energy": amounts.text(one.of("energy"), all_of_it.get((one.cluster, "energy"), 0))}


def size_headers(groups: Sequence[int]) -> list[str]:
    """ "0-49 CPUs", …, ">= 1000 CPUs"."""
    edges = [0, *groups]
    return [*(f"{low}-{high - 1} CPUs" for low, high in zip(edges, edges[1:], strict=False)), f">= {edges[-1]} CPUs"]


def size_rows(
    rows: Iterable[JobRow], groups: Sequence[int], key: Callable[[JobRow], str], amounts: Amounts, tres: str, since: float, until: float,
    count: bool,
) -> Iterator[list[str]]:
    """Cells of the sizes report: cluster, who, one sum a group (of `count` jobs, else of TRES-seconds within the period), total, part of
    the cluster."""
    found: dict[tuple[str, str], list[int]] = {}
    for row in rows:
        job = row.job
        if not job.start_time or not job.allocated:
            continue
        seconds = max(0.0, min(job.end_time or until, until) - max(job.start_time, since))
        place = sum(job.allocated.get("cpu", 0) >= edge for edge in groups)
        found.setdefault((row.cluster, key(row)), [0] * (len(groups) + 1))[place] += 1 if count else int(
            seconds * job.allocated.get(tres, 0))
    for (cluster, who), sums in sorted(found.items()):
        whole = sum(sum(others) for (name, _), others in found.items() if name == cluster)
        part = f"{100 * sum(sums) / whole:.2f}%" if whole else "0.00%"
        shown = [str(each) if count else amounts.text(each, whole) for each in (*sums, sum(sums))]
        yield [cluster, who, *shown, part]


def widened(field: Field, amounts: Amounts) -> Field:
    """A field of an amount, as wide as an amount and its share need."""
    if field.width != _AMOUNT or not amounts.wide:
        return field
    return Field(field.name, "", field.header, field.doc, cut=field.cut, width=_AMOUNT_AND_SHARE)
