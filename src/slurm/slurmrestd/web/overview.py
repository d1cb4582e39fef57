"""The first page: what runs, what waits and why, and what the nodes do."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from slurm.model.accounting import ClusterUsage, UsageFilter
from slurm.model.errors import SlurmError
from slurm.slurmrestd.web import charts
from slurm.slurmrestd.web.node_list import NodeLine, nodes
from slurm.slurmrestd.web.rendering import moment
from slurm.slurmrestd.web.visit import Page, Visit
from slurm.wire.messages import JobFilter

SHOWN = 8
HOUR = 3600
DAY = 24 * HOUR
RUNNING = ("JobArrayIdBare", "State", "Name", "UserName", "TimeUsed", "TimeLimit", "NumCPUs", "NodeList")
WAITING = ("JobArrayIdBare", "Name", "UserName", "NumCPUs", "Reason")


class Totals(NamedTuple):
    """CPUs, memory (MB) and GPUs of all nodes, held and in all; nodes by the word of their state."""

    cpus: tuple[int, int]
    memory: tuple[int, int]
    gpus: tuple[int, int]
    states: Counter[str]


def totals(found: list[NodeLine]) -> Totals:
    """Sums over nodes."""
    return Totals(
        (sum(one.cpus_used for one in found), sum(one.cpus for one in found)),
        (sum(one.memory_used for one in found), sum(one.memory for one in found)),
        (sum(one.gpus_used for one in found), sum(one.gpus for one in found)), Counter(one.word for one in found))


def show(visit: Visit) -> Page:
    """GET /."""
    cluster, found = visit.doors.cluster, nodes(visit)
    running = cluster.jobs(RUNNING, JobFilter(states=["running", "suspended", "completing"]), sort="-S", most=SHOWN)
    waiting = cluster.jobs(WAITING, JobFilter(states=["pending"]), sort="-Q", most=SHOWN)
    return Page("overview.html", {
        "title": "Overview", "nodes": found, "totals": totals(found), "running": running, "waiting": waiting})


def reasons(visit: Visit) -> Page:
    """GET /overview/reasons: why jobs wait, by the reasons' count; loaded after the page, since it looks at every job."""
    found = visit.doors.cluster.jobs(["Reason"], JobFilter(states=["pending"]))
    return Page("reasons.html", {"reasons": Counter(row[0] for row in found.rows).most_common(8), "total": found.total})


def utilisation(visit: Visit) -> Page:
    """GET /overview/usage: how full the cluster was in each hour of the last day, and how full it is now."""
    last = int(visit.now // HOUR) * HOUR
    sums: dict[int, ClusterUsage] = {}
    trouble = ""
    try:
        for hour in range(last - DAY, last, HOUR):
            for one in visit.doors.accounting.cluster_usage(UsageFilter(since=float(hour), until=float(hour + HOUR), tres=["cpu"])):
                sums[hour] = one
    except SlurmError as error:
        trouble = error.message
    bars = [_bar(hour, sums.get(hour)) for hour in range(last - DAY, last, HOUR)]
    used, total = totals(nodes(visit)).cpus
    bars.append(charts.Bar("now", f"now: {used} of {total} CPUs allocated", [("allocated", used)]))
    most = max([1.0, float(total), *(one.total / HOUR for one in sums.values())])
    picture = charts.bars(bars, most, "CPUs", "Allocated CPUs in each hour of the last day")
    return Page("usage.html", {"picture": picture, "trouble": trouble, "short": not sums})


def _bar(hour: int, found: ClusterUsage | None) -> charts.Bar:
    label = moment(hour)[11:16]
    if found is None:
        return charts.Bar(label, f"{moment(hour)[:16]}: not known", [])
    allocated, down, total = found.allocated / HOUR, (found.down + found.planned_down) / HOUR, found.total / HOUR
    return charts.Bar(label, f"{moment(hour)[:16]}: {allocated:.1f} of {total:.0f} CPUs allocated, {down:.1f} out of service",
        [("allocated", allocated), ("down", down)])
