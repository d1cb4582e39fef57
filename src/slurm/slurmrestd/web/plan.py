"""The planned schedule: what runs until when, and what is expected to start when and where."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote

from slurm.slurmrestd.web import charts
from slurm.slurmrestd.web.rendering import moment
from slurm.slurmrestd.web.visit import Page, Visit
from slurm.wire.messages import JobFilter

SHOWN = 40
MARKS = 7
HOUR = 3600.0
LONGEST = 14 * 24 * HOUR
"""What the chart shows at most."""
_FIELDS = ("JobArrayIdBare", "Name", "UserName", "StartTime", "EndTime", "NodeList", "SchedNodes", "NumCPUs", "TimeLimit")
_EPOCH = "%s"


class Planned(NamedTuple):
    """A job with its place in time; `start` and `end` 0: not known."""

    id: str
    name: str
    user: str
    start: float
    end: float
    nodes: str
    cpus: str


def show(visit: Visit) -> Page:
    """GET /plan."""
    which = [visit.asked("partition")] if visit.asked("partition") else []
    running, running_total = _jobs(visit, JobFilter(states=["running", "suspended", "completing"], partitions=which), "e")
    waiting, waiting_total = _jobs(visit, JobFilter(states=["pending"], partitions=which), "S")
    planned = [one for one in waiting if one.start]
    return Page("plan.html", {
        "title": "Plan", "picture": gantt(running, planned, visit.now), "planned": planned, "running": len(running), "asked": which,
        "left_out": running_total + waiting_total - len(running) - len(planned), "shown": SHOWN})


def _jobs(visit: Visit, which: JobFilter, sort: str) -> tuple[list[Planned], int]:
    found = visit.doors.cluster.jobs(_FIELDS, which, sort=sort, most=SHOWN, time_format=_EPOCH)
    return [_read(row) for row in found.rows], found.total


def _read(row: list[str]) -> Planned:
    job, name, user, start, end, nodes, expected, cpus, limit = row
    until = 0.0 if limit == "UNLIMITED" else _number(end)
    return Planned(job, name, user, _number(start), until, nodes or expected.removeprefix("(null)"), cpus)


def _number(text: str) -> float:
    return float(text) if text.isdecimal() else 0.0


def gantt(running: list[Planned], planned: list[Planned], now: float) -> object:
    """A row for each job: those that run, then those that are expected to start, the first first."""
    known = [one.end for one in (*running, *planned) if one.end] + [one.start for one in planned]
    if not running and not planned:
        return ""
    until = min(max([now + HOUR, *known]), now + LONGEST)
    since = now - (until - now) / 8
    spans = [_span(one, "good", since, until) for one in running]
    spans += [_span(one, "wait", since, until) for one in planned if one.start < until]
    step = (until - now) / MARKS
    marks = {now + number * step: moment(now + number * step)[5:16] for number in range(MARKS)}
    return charts.rows_in_time(spans, since, until, marks, "What runs and what is planned", now=now)


def _span(one: Planned, kind: str, since: float, until: float) -> charts.Span:
    start, end = max(one.start, since), one.end or until
    what = "runs since" if kind == "good" else "is expected at"
    limit = f"until {moment(one.end)}" if one.end else "without a time limit"
    words = (f"job {one.id} {one.name} of {one.user} {what} {moment(one.start)}, {limit}, {one.cpus} CPUs on "
             f"{one.nodes or 'nodes not chosen yet'}")
    return charts.Span(f"{one.id} {one.name}", start, end, kind, one.nodes, words, f"/job/{quote(one.id.partition('_[')[0])}")
