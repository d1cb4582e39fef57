"""The past: which jobs ran, how full the cluster was day by day, and who used it, as slurmdbd keeps it."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple
from urllib.parse import urlencode

from slurm.model.accounting import ClusterUsage, JobFilter, JobRow, UsageFilter
from slurm.model.errors import InvalidRequest
from slurm.model.states import JobState
from slurm.render import accounting_entry, usage_report
from slurm.render.usage_report import Used
from slurm.slurmrestd.web import charts
from slurm.slurmrestd.web.rendering import moment
from slurm.slurmrestd.web.visit import Page, Visit

SHOWN, MOST = 200, 20_000
"""So many jobs are listed, the last ones, of so many that are read."""
DAY = 86_400
DAYS = (1, 7, 30, 90)
TOP = 10


class PastJob(NamedTuple):
    """A line of the list."""

    id: str
    row: JobRow
    seconds: float


def show(visit: Visit) -> Page:
    """GET /history."""
    days = visit.number("days", 7, DAYS[-1]) or 1
    midnight = _midnight(visit.now)
    asked = {name: visit.asked(name) for name in ("user", "account", "state")}
    return Page("history.html", {
        "title": "History", "days": days, "choices": DAYS, "list": urlencode({"days": days, **asked}), "asked": asked,
        "all_states": [state.name for state in JobState], "used": _used(visit, visit.now - days * DAY),
        "picture": _days(visit, [_midnight(midnight - back * DAY + DAY / 2) for back in reversed(range(days + 1))])})


def jobs(visit: Visit) -> Page:
    """GET /history/jobs: the list of jobs, loaded after the page, since all that fit are read."""
    days = visit.number("days", 7, DAYS[-1]) or 1
    found, states, read = _jobs(visit, visit.now - days * DAY)
    return Page("past_jobs.html", {
        "jobs": found, "states": states.most_common(), "read": read, "most": MOST, "longest": DAYS[-1]})


def _midnight(moment_: float) -> float:
    """The beginning of the day, in this machine's time."""
    found = time.localtime(moment_)
    return time.mktime((found.tm_year, found.tm_mon, found.tm_mday, 0, 0, 0, 0, 0, -1))


def _jobs(visit: Visit, since: float) -> tuple[list[PastJob], Counter[str], int]:
    """The last jobs that fit, how many there are of each state, and how many were read."""
    wanted = JobFilter(
        since=since, until=visit.now, steps=False, states=_states(visit.asked("state")), users=_one(visit.asked("user")),
        accounts=_one(visit.asked("account")))
    states: Counter[str] = Counter()
    last: list[tuple[float, int, JobRow]] = []
    read = 0
    for row in visit.doors.accounting.jobs(wanted):
        read += 1
        states[row.job.state.name] += 1
        entry = (row.job.submit_time, row.index, row)
        if len(last) < SHOWN:
            heapq.heappush(last, entry)
        else:
            heapq.heappushpop(last, entry)
        if read >= MOST:
            break
    return [_line(row, visit.now) for _, _, row in sorted(last, key=lambda one: one[:2], reverse=True)], states, read


def _one(name: str) -> list[str]:
    return [name] if name else []


def _states(word: str) -> list[JobState]:
    if not word:
        return []
    try:
        return [JobState[word.upper()]]
    except KeyError as error:
        raise InvalidRequest(message=f"Invalid job state: {word[:64]}", hints=[
            f"valid: {', '.join(state.name for state in JobState)}"]) from error


def _line(row: JobRow, now: float) -> PastJob:
    job = row.job
    return PastJob(accounting_entry.job_id(job), row, max(0.0, (job.end_time or now) - job.start_time) if job.start_time else 0.0)


def _days(visit: Visit, days: list[float]) -> object:
    """CPU time of each day, allocated and out of service."""
    found: list[tuple[float, ClusterUsage | None]] = []
    for begin in days:
        until = min(begin + DAY, visit.now // 3600 * 3600)
        sums = visit.doors.accounting.cluster_usage(UsageFilter(since=begin, until=until, tres=["cpu"])) if until > begin else []
        found.append((begin, next((one for one in sums if one.tres == "cpu"), None)))
    if not any(one for _, one in found):
        return ""
    most = max(one.total / 3600 for _, one in found if one)
    return charts.bars([_bar(begin, one) for begin, one in found], most, "CPU hours", "CPU hours of each day")


def _bar(begin: float, one: ClusterUsage | None) -> charts.Bar:
    day = moment(begin)[:10]
    if one is None:
        return charts.Bar(day[5:], f"{day}: not known", [])
    allocated, down = one.allocated / 3600, (one.down + one.planned_down) / 3600
    return charts.Bar(day[5:], f"{day}: {allocated:,.0f} of {one.total / 3600:,.0f} CPU hours allocated, {down:,.0f} out of service",
        [("allocated", allocated), ("down", down)])


def _used(visit: Visit, since: float) -> list[tuple[Used, float, float]]:
    """(user, CPU hours, GPU hours) of those who used most."""
    sums = visit.doors.accounting.association_usage(
        UsageFilter(since=since // 3600 * 3600, until=visit.now // 3600 * 3600, tres=["cpu", "gres/gpu"]))
    return [(one, one.of("cpu") / 3600, one.of("gres/gpu") / 3600) for one in _top(usage_report.by_user(sums))]


def _top(found: Iterable[Used]) -> list[Used]:
    return heapq.nlargest(TOP, found, key=lambda one: one.of("cpu"))
