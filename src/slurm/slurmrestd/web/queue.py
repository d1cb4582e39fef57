"""The queue: which jobs, in which order and columns, a part at a time; and what is done to several of them at once."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlencode

from slurm.model.errors import InvalidRequest, NotationError, NotFound, SlurmError
from slurm.model.states import STATE_NAMES
from slurm.notation import jobref
from slurm.render import fields
from slurm.slurmrestd.web.visit import Moved, Page, Paging, Visit, local
from slurm.wire.messages import JobFilter

DEFAULT_COLUMNS = ("JobArrayId", "Name", "UserName", "Partition", "State", "TimeUsed", "TimeLimit", "NumNodes", "NumCPUs", "ReasonList")
SIZE, MOST = 100, 500
MOST_COLUMNS = 20
NAMES_SECONDS = 60.0
"""How long the names of partitions are taken to be the same: with many nodes it takes a while to find them."""


class Column(NamedTuple):
    """A column: its field of `render.fields`, and where a click on its head leads; `order` "" ascending descending."""

    field: fields.Field
    place: str
    order: str


def show(visit: Visit) -> Page:
    """GET /queue."""
    columns = [name for name in dict.fromkeys(visit.query.get("columns", [])) if name.lower() in fields.JOB.by_name][:MOST_COLUMNS]
    chosen = [fields.JOB.by_name[name.lower()] for name in columns or DEFAULT_COLUMNS]
    sort, first, size = visit.asked("sort"), visit.number("from", 0, 10_000_000), max(1, visit.number("rows", SIZE, MOST))
    which = wanted(visit)
    try:
        found = visit.doors.cluster.jobs(
            ["JobArrayIdBare", "State", *(one.name for one in chosen)], which, sort=sort, first=first, most=size)
        rows, total = found.rows, found.total
    except NotFound:
        rows, total = [], 0
    paging = Paging(first, size, total, {
        "before": _place(visit, **{"from": str(max(0, first - size))}) if first else "",
        "after": _place(visit, **{"from": str(first + size)}) if first + size < total else ""})
    return Page("queue.html", {
        "title": "Queue", "rows": rows, "columns": [_column(visit, one, sort) for one in chosen], "paging": paging,
        "filtered": any(visit.asked(name) for name in ("q", "user", "account", "partition", "state", "node")) or bool(visit.asked("mine")),
        "asked": {name: visit.asked(name) for name in ("q", "user", "account", "partition", "state", "mine", "sort", "node")},
        "states": STATE_NAMES, "partitions": partitions(visit), "known": [one for one in fields.JOB.fields if one.listed],
        "picked": [one.name for one in chosen], "own_columns": bool(columns)})


def _column(visit: Visit, one: fields.Field, sort: str) -> Column:
    letter = one.letter or ("i" if one.name.startswith("JobArrayId") else "")
    order = "ascending" if letter and sort == letter else "descending" if letter and sort == f"-{letter}" else ""
    turned = f"-{letter}" if order == "ascending" else letter
    return Column(one, _place(visit, sort=turned, **{"from": ""}) if letter else "", order)


def _place(visit: Visit, **changed: str) -> str:
    """This queue with some fields of its query changed; "" takes one away."""
    kept = [(name, value) for name, values in visit.query.items() if name not in changed for value in values if value]
    return "/queue?" + urlencode([*kept, *((name, value) for name, value in changed.items() if value)])


def partitions(visit: Visit) -> list[str]:
    """The names of the partitions that the user may see."""
    asked, names = visit.session.partitions
    if visit.now - asked > NAMES_SECONDS:
        names = list(dict.fromkeys(row[0] for row in visit.doors.cluster.nodes(["PartitionName"], summarize=True) if row[0]))
        visit.session.partitions = (visit.now, names)
    return names


def wanted(visit: Visit) -> JobFilter:
    """What the query's filter means: `q` are job ids, or the name of jobs."""
    which = JobFilter(mine=bool(visit.asked("mine")))
    text = visit.asked("q")
    if text:
        try:
            which.ids = [one.show() for one in jobref.parse_list(text)]
        except NotationError:
            which.names = [text]
    for name, field in (("user", "users"), ("account", "accounts"), ("partition", "partitions"), ("node", "nodes")):
        if visit.asked(name):
            setattr(which, field, [visit.asked(name)])
    if visit.asked("state"):
        which.states = [visit.asked("state").lower()]
    return which


ACTIONS = {"cancel": "Cancelled", "hold": "Held", "release": "Released", "requeue": "Requeued"}


def act(visit: Visit) -> Moved:
    """POST /queue: cancel, hold, release or requeue the jobs that are ticked; each one's refusal is told."""
    jobs, action = visit.form.get("job", []), visit.given("action")
    back = Moved(local(visit.given("next"), "/queue"))
    if action not in ACTIONS:
        raise InvalidRequest(message=f"There is nothing called {action[:32]!r} to do to jobs", hints=[f"valid: {', '.join(ACTIONS)}"])
    if not jobs:
        raise InvalidRequest(message="No job is ticked", hints=["tick the jobs that are meant, then press the button again"])
    done, refused = _acted(visit, action, jobs[:MOST])
    if done:
        shown = ", ".join(done[:5]) + (f" and {len(done) - 5} more" if len(done) > 5 else "")
        visit.session.tell("done", f"{ACTIONS[action]}: job {shown}" if len(done) == 1 else f"{ACTIONS[action]}: jobs {shown}")
    for line in refused[:5]:
        visit.session.tell("failed", line)
    if len(refused) > 5:
        visit.session.tell("failed", f"{len(refused) - 5} more were refused")
    return back


def _acted(visit: Visit, action: str, jobs: list[str]) -> tuple[list[str], list[str]]:
    """Those to which it was done, and why not to the others."""
    cluster = visit.doors.cluster
    if action == "cancel":
        outcome = cluster.cancel(JobFilter(ids=jobs))
        return outcome.done, [*(f"Job {job}: {message}" for job, _, message in outcome.refused),
            *(f"There is no job {job}" for job in outcome.unknown)]
    verb = {"hold": cluster.hold, "release": cluster.release, "requeue": cluster.requeue}[action]
    done, refused = [], []
    for job in jobs:
        try:
            verb(job)
            done.append(job)
        except SlurmError as error:
            refused.append(f"Job {job}: {'; '.join([error.message, *error.hints])}")
    return done, refused
