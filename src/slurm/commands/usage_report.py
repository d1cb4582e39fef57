"""One report of sreport: its words read, the sums asked for, the table written."""

from __future__ import annotations

import pwd
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from slurm.client.accounting import ClusterAccounting
from slurm.commands.shell import Shell
from slurm.model.accounting import JobFilter, JobRow, ReservationFilter, UsageFilter
from slurm.model.errors import NotationError, Unsupported
from slurm.model.ids import NodeName
from slurm.notation import moment
from slurm.options.errors import OptionError
from slurm.options.resolve import Resolved
from slurm.render import accounting_table, usage_report
from slurm.render.accounting_table import Column
from slurm.render.fields import Field
from slurm.render.usage_report import AMOUNTS, REPORTS, Amounts, Cells, Report

_RULE = "-" * 80
_GROUPS = ("cluster", "job", "reservation", "user")
_FLAGS = ("tree", "group", "flatview", "printjobcount", "acctasparent", "all_clusters")
_KEYS = (
    "accounts", "clusters", "end", "format", "gid", "grouping", "jobs", "nodes", "partitions", "start", "topcount", "users", "wckeys",
    "names")
_UNSUPPORTED = {"gid": "jobs of groups are not told apart in reports",
    "acctasparent": "accounts are not put below one another in reports of sizes",
                "jobs": "single jobs are in sacct"}
HOUR, DAY = 3600, 86_400


class Asked(NamedTuple):
    """A report with its conditions: words behind it as key → values, flags among them, and the period in seconds since the epoch."""

    report: Report
    conditions: dict[str, list[str]]
    since: float
    until: float
    amounts: Amounts
    tres: list[str]

    @property
    def several(self) -> bool:
        """Whether TRES were named, and so get a column."""
        return bool(self.tres)

    def values(self, key: str) -> list[str]:
        """The values of a condition."""
        return self.conditions.get(key, [])

    def flag(self, key: str) -> bool:
        """Whether a flag stands among the words."""
        return key in self.conditions


def report(shell: Shell, resolved: Resolved, words: Sequence[str]) -> int:
    """Carries out one line of words, such as cluster utilization start=…; OptionError in Slurm's words."""
    asked = read(resolved, words, shell.now())
    channel = shell.accounting_channel()
    try:
        door = ClusterAccounting(channel)
        columns, rows = _MADE.get(asked.report.group, _sums)(door, resolved, asked)
    finally:
        channel.close()
    header = not resolved.flag("noheader")
    if header:
        for line in (_RULE, _title(asked), _subtitle(asked), _RULE):
            shell.stdout.write(f"{line}\n")
    if resolved.flag("parsable") or resolved.flag("parsable2"):
        lines = accounting_table.parsable(columns, rows, header=header, ending=not resolved.flag("parsable2"))
    else:
        lines = accounting_table.lines(columns, rows, header=header)
    for line in lines:
        shell.stdout.write(f"{line}\n")
    return 0


def read(resolved: Resolved, words: Sequence[str], now: float) -> Asked:
    """What a line of words asks for."""
    found = _report(words)
    conditions = _conditions(words[2:])
    since, until = _period(conditions, now)
    return Asked(found, conditions, since, until, _amounts(resolved.text("time", "minutes")),
        [name.lower() for name in resolved.texts("tres")])


def _report(words: Sequence[str]) -> Report:
    group = next((name for name in _GROUPS if words[0] and name.startswith(words[0].lower())), None)
    if group is None:
        raise OptionError(f"invalid keyword: {words[0]}", exit_code=1, bare=True, hints=[f"valid keywords: {', '.join(_GROUPS)}"])
    if len(words) < 2:
        raise OptionError(f"too few arguments for keyword:{group}", exit_code=1, bare=True, hints=_valid(group))
    name = words[1].lower()
    of_group = [one for one in REPORTS if one.group == group]
    found = next((one for one in of_group if one.name.lower() == name), None) or next(
        (one for one in of_group if one.name.lower().startswith(name)), None)
    if found is None:
        raise OptionError(f"Not valid report {words[1]}", exit_code=1, bare=True, hints=_valid(group))
    return found


def _valid(group: str) -> list[str]:
    return [f"valid {group} reports: {', '.join(one.name for one in REPORTS if one.group == group)}"]


def _conditions(words: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        name, equals, text = word.partition("=")
        known = _KEYS if equals else _FLAGS
        key = next((key for key in known if name and key.startswith(name.lower())), None)
        if key is None:
            raise OptionError(f" Unknown condition: {word}", exit_code=1, bare=True, hints=[
                f"conditions: {', '.join(f'{key}=' for key in _KEYS)}; flags: {', '.join(_FLAGS)}"])
        if key in _UNSUPPORTED:
            raise Unsupported(message=f"{word} is not supported by slurm-py yet: {_UNSUPPORTED[key]}")
        found.setdefault(key, []).extend(piece.strip() for piece in text.split(",") if piece.strip())
    return found


def _period(conditions: dict[str, list[str]], now: float) -> tuple[float, float]:
    """Whole hours: from yesterday's beginning to the end of this hour unless a start and an end are given."""
    since = _moment(conditions.get("start"), now)
    until = _moment(conditions.get("end"), now)
    begin = moment.parse("midnight", now - DAY, past=True) if since is None else since - since % HOUR
    end = now - now % HOUR + HOUR if until is None else until - until % HOUR
    if begin >= end:
        raise OptionError(f"Start time ({moment.show(begin)}) is not before end time ({moment.show(end)}).", exit_code=1)
    return begin, end


def _moment(texts: list[str] | None, now: float) -> float | None:
    if not texts:
        return None
    try:
        return moment.parse(texts[-1], now, past=True)
    except NotationError as error:
        first, _, rest = error.message.partition("; ")
        raise OptionError(first, exit_code=1, bare=True, hints=[rest] if rest else []) from error


def _amounts(word: str) -> Amounts:
    found = next((amounts for name, amounts in AMOUNTS.items() if word and name.startswith(word.lower())), None)
    if found is None:
        raise OptionError(f"unknown time format {word}", exit_code=1, bare=True, hints=[f"valid formats: {', '.join(AMOUNTS)}"])
    return found


def _title(asked: Asked) -> str:
    heading = asked.report.heading.format(_count(asked))
    length = "" if asked.report in (usage_report.UTILIZATION, usage_report.RESERVED) else f" ({int(asked.until - asked.since)} secs)"
    return f"{heading} {moment.show(asked.since)} - {moment.show(asked.until - 1)}{length}"


def _subtitle(asked: Asked) -> str:
    if asked.report.group == "job":
        return "Units are in number of jobs ran" if asked.flag("printjobcount") else f"Time reported in {asked.amounts.word}"
    if asked.amounts.unit:
        several = asked.several or asked.report is usage_report.RESERVED
        return f"Usage reported in {'TRES' if several else 'CPU'} {asked.amounts.word}"
    return f"Usage reported in {asked.amounts.word}"


def _count(asked: Asked) -> int:
    text = (asked.values("topcount") or ["10"])[-1]
    if not (text.isascii() and text.isdigit() and int(text[:9])):
        raise OptionError(f"Bad topcount {text}", exit_code=1, hints=["give a whole number from 1 on"])
    return int(text)


def _filter(resolved: Resolved, asked: Asked, tres: list[str]) -> UsageFilter:
    return UsageFilter(
        clusters=_clusters(resolved, asked), all_clusters=_everywhere(resolved, asked), accounts=asked.values("accounts"),
        users=asked.values("users"),
        wckeys=asked.values("wckeys"), tres=tres, since=asked.since, until=asked.until)


def _clusters(resolved: Resolved, asked: Asked) -> list[str]:
    return asked.values("clusters") or resolved.texts("cluster")


def _everywhere(resolved: Resolved, asked: Asked) -> bool:
    return resolved.flag("all_clusters") or resolved.flag("all") or asked.flag("all_clusters")


def _sums(door: ClusterAccounting, resolved: Resolved, asked: Asked) -> tuple[list[Column], Iterable[list[str]]]:
    every = "all" in asked.tres
    named = [name for name in asked.tres if name != "all"]
    wanted = [] if every else [*(named or ["cpu"]), "energy"]
    clusters = door.cluster_usage(_filter(resolved, asked, wanted))
    tres = named or ["cpu"]
    if every:
        tres = sorted({one.tres for one in clusters}, key=_order)
    elif named and clusters and not {one.tres for one in clusters} & set(named):
        known = sorted({one.tres for one in door.cluster_usage(_filter(resolved, asked, []))}, key=_order)
        raise OptionError("No valid TRES given", exit_code=1, fatal=True, hints=[f"TRES of this period: {', '.join(known)}"])
    columns = _columns(asked)
    if asked.report is usage_report.UTILIZATION:
        shown = sorted((one for one in clusters if one.tres in tres), key=lambda one: (one.cluster, _order(one.tres)))
        rows: Iterable[Cells] = usage_report.cluster_rows(shown, asked.amounts, asked.until - asked.since)
    else:
        used = _used(door, resolved, asked, wanted, tres[0] if tres else "cpu")
        rows = usage_report.user_rows(used, tres, asked.amounts, usage_report.totals(clusters), _ProperNames().__getitem__)
    return columns, ([cells[column.field.name] for column in columns] for cells in rows)


def _order(name: str) -> tuple[int, str]:
    first = ("cpu", "mem", "energy", "node", "billing", "fs/disk", "vmem", "pages")
    return (first.index(name) if name in first else len(first)), name


def _used(door: ClusterAccounting, resolved: Resolved, asked: Asked, wanted: list[str], first: str) -> list[usage_report.Used]:
    question = _filter(resolved, asked, wanted)
    if asked.report in (usage_report.USER_BY_WCKEY, usage_report.WCKEY_BY_USER):
        found = usage_report.by_wckey(door.wckey_usage(question))
        by_key = asked.report is usage_report.WCKEY_BY_USER
        return sorted(found, key=lambda one: (one.cluster, one.wckey, one.user)) if by_key else sorted(
            found, key=lambda one: (one.cluster, -one.of(first), one.user))
    found = usage_report.by_user(door.association_usage(question))
    if asked.report is usage_report.ACCOUNT_BY_USER:
        return usage_report.with_accounts(found, asked.flag("tree"))
    if asked.report is usage_report.TOP:
        return usage_report.top(found, first, _count(asked), asked.flag("group"))
    return sorted(found, key=lambda one: (one.cluster, -one.of(first), one.user, one.account))


class _ProperNames(dict[str, str]):
    """User → the first field of his GECOS on this machine, each looked up once."""

    def __missing__(self, user: str) -> str:
        try:
            self[user] = pwd.getpwnam(user).pw_gecos.partition(",")[0]
        except KeyError:
            self[user] = ""
        return self[user]


def _columns(asked: Asked) -> list[Column]:
    table = asked.report.table
    if asked.values("format"):
        columns = [_column(text, asked) for text in asked.values("format")]
    else:
        names = asked.report.fields.split(",")
        if asked.several and asked.report is not usage_report.RESERVED:
            names = [name for name in names if name != "energy"]
            names.insert(1 if asked.report is usage_report.UTILIZATION else names.index("used"), "tresname")
        columns = [Column(usage_report.widened(table.by_name[name], asked.amounts),
            usage_report.widened(table.by_name[name], asked.amounts).width) for name in names]
    if asked.flag("tree"):
        columns = [Column(column.field, -20) if column.field.name == "Account" else column for column in columns]
    return columns


def _column(text: str, asked: Asked) -> Column:
    try:
        return accounting_table.parse(text, asked.report.table)[0]
    except OptionError as error:
        name = text.partition("%")[0]
        valid = ", ".join(field.name for field in asked.report.table.fields)
        raise OptionError(f" Unknown field '{name}'", exit_code=1, bare=True, hints=[f"fields: {valid}"]) from error


def _sizes(door: ClusterAccounting, resolved: Resolved, asked: Asked) -> tuple[list[Column], Iterable[list[str]]]:
    """Reports of sizes are made from the jobs themselves: their records know how large each was."""
    from slurm.model.states import JobState

    jobs = list(door.jobs(JobFilter(
        clusters=_clusters(resolved, asked), all_clusters=_everywhere(resolved, asked), users=asked.values("users"),
        partitions=asked.values("partitions"),
        accounts=asked.values("accounts"), wckeys=asked.values("wckeys"), nodes=_hosts(asked), since=asked.since, until=asked.until,
        states=[JobState.RUNNING],
        duplicates=True, steps=False)))
    groups = _groups(asked, jobs)
    who = {usage_report.SIZES_BY_WCKEY: "Wckey", usage_report.SIZES_BY_BOTH: "Account:Wckey"}.get(asked.report, "Account")
    headers = usage_report.size_headers(groups)
    columns = [
        Column(Field("Cluster", "", "Cluster", "", width=9), 9), Column(Field(who, "", who, "", width=9),
        9 if who != "Account:Wckey" else 15),
        *(Column(Field(header, "", header, "", cut=False), _AMOUNT_WIDTH) for header in headers),
        Column(Field("Total", "", "Total Count", "", cut=False), 11), Column(Field("Part", "", "% of cluster", "", cut=False), 12)]
    return columns, usage_report.size_rows(
        jobs, groups, lambda row: _who(asked, row), asked.amounts, (asked.tres or ["cpu"])[0], asked.since, asked.until,
        asked.flag("printjobcount"))


def _reservations(door: ClusterAccounting, resolved: Resolved, asked: Asked) -> tuple[list[Column], Iterable[list[str]]]:
    """What reservations held in all, of those that were there at any moment of the period."""
    found = door.reservations(ReservationFilter(
        clusters=_clusters(resolved, asked), all_clusters=_everywhere(resolved, asked), names=asked.values("names"), nodes=_hosts(asked),
        since=asked.since, until=asked.until))
    columns = _columns(asked)
    tres = [] if "all" in asked.tres else asked.tres
    return columns, ([cells[column.field.name] for column in columns] for cells in usage_report.reservation_rows(found, tres,
        asked.amounts))


_MADE = {"job": _sizes, "reservation": _reservations}
_AMOUNT_WIDTH = 13


def _hosts(asked: Asked) -> list[NodeName]:
    from slurm.notation import hostlist

    return [NodeName(name) for name in hostlist.expand(",".join(asked.values("nodes")))] if asked.values("nodes") else []


def _who(asked: Asked, row: JobRow) -> str:
    """Whose line a job belongs to: without flatview and named accounts all are below the root account."""
    job = row.job
    if asked.report is usage_report.SIZES_BY_WCKEY:
        return job.wckey
    account = job.account if asked.flag("flatview") or asked.values("accounts") else usage_report.ROOT
    return f"{account}:{job.wckey}" if asked.report is usage_report.SIZES_BY_BOTH else account


def _groups(asked: Asked, jobs: Sequence[JobRow]) -> Sequence[int]:
    texts = asked.values("grouping")
    if not texts:
        return usage_report.GROUPS
    if texts == ["individual"]:
        sizes = sorted({row.job.allocated.get("cpu", 0) for row in jobs if row.job.allocated} - {0})
        return [*sizes, sizes[-1] + 1] if sizes else usage_report.GROUPS
    if not all(text.isascii() and text.isdigit() and int(text[:9]) for text in texts):
        raise OptionError(f"Bad grouping {','.join(texts)}", exit_code=1, hints=[
            "give rising numbers of CPUs, such as grouping=2,8,64, or individual"])
    return sorted({int(text) for text in texts})
