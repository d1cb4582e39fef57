"""Reservations: which nodes are kept for whom, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from slurm.slurmrestd.web import charts
from slurm.slurmrestd.web.rendering import moment
from slurm.slurmrestd.web.visit import Page, Visit

DAY = 86_400
LONGEST = 28
"""Days that the calendar shows at most."""
Record = Mapping[str, Any]


def show(visit: Visit) -> Page:
    """GET /reservations."""
    found: list[Record] = visit.doors.cluster.report("reservation")["reservations"]
    found = sorted(found, key=lambda one: (one["start_time"]["number"], one["name"]))
    return Page("reservations.html", {
        "title": "Reservations", "reservations": found, "now": visit.now, "picture": calendar(found, visit.now) if found else ""})


def calendar(found: Sequence[Record], now: float) -> object:
    """A row for each, from a little before now to the last end, four weeks at most."""
    spans = [charts.Span(one["name"], one["start_time"]["number"], one["end_time"]["number"],
        "good" if one["start_time"]["number"] <= now else "wait", one["node_list"],
        f"{one['name']}: {moment(one['start_time']['number'])} to {moment(one['end_time']['number'])}, {one['node_list'] or 'no nodes'}")
        for one in found]
    since = max(now - DAY / 2, min(span.start for span in spans)) // 3600 * 3600
    until = min(max(max(span.end for span in spans), since + DAY), since + LONGEST * DAY)
    step = max(3600, (until - since) / 8 // 3600 * 3600)
    marks = {since + number * step: moment(since + number * step)[5:16] for number in range(int((until - since) / step) + 1)}
    return charts.rows_in_time([span for span in spans if span.end > since and span.start < until], since, until, marks, "Reservations",
        now=now)
