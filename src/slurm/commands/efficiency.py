"""`slurm report`: how much of what jobs held they used."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping

from slurm.client.accounting import ClusterAccounting
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import wanted
from slurm.model.accounting import JobFilter
from slurm.model.errors import InvalidRequest, NotationError
from slurm.model.ids import JobId, StepId, Uid
from slurm.net import database_client
from slurm.notation import moment
from slurm.render import efficiency_report
from slurm.render.efficiency_report import KEYS, Line


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm report`."""
    parser.add_argument("jobs", metavar="JOB_ID", nargs="*",
        help="12, or 12_3 for an element of an array (default: your jobs of the last week)")
    parser.add_argument("--by", choices=list(KEYS), default="job",
        help="put jobs together by job, array, user or day of their end (default: job)")
    parser.add_argument("--since", metavar="TIME", default="", help="jobs that ran after this: now-1day, 2026-11-01 (default: now-1week)")
    parser.add_argument("--until", metavar="TIME", default="", help="jobs that ran before this (default: now)")
    parser.add_argument("-u", "--user", metavar="USER", help="this user's jobs; several with commas")
    parser.add_argument("-a", "--all", action="store_true", help="everybody's jobs")
    parser.add_argument("--plot", metavar="FILE", help="draw it: FILE.svg a picture, FILE.html a page with picture and table")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Report; exit status 0, also when nothing ran."""
    now = time.time()
    asked = _filter(options, now)
    if options.plot and not options.plot.endswith((".svg", ".html")):
        raise InvalidRequest(message=f"--plot {options.plot}: it takes the name of a file that ends in .svg or .html")
    with database_client.connect_accounting({**environ, **({"SLURM_PY_INSTANCE": options.name} if options.name else {})}) as connection:
        found = efficiency_report.lines(ClusterAccounting(connection).jobs(asked), options.by, now)
    if options.plot:
        _draw(options, found, console)
    if console.json:
        console.answer({"by": options.by, "lines": [line.facts() for line in found]})
        return 0
    if not found:
        console.line("No job ran in that time." if not options.jobs else "None of these jobs has run.")
        return 0
    console.table([options.by.upper(), *efficiency_report.HEADER], [[line.key, *line.cells()] for line in found], free=[options.by.upper()])
    return 0


def _draw(options: argparse.Namespace, found: list[Line], console: Console) -> None:
    from slurm.render import efficiency_plot  # few ask for it

    title = f"What jobs used, by {options.by}"
    text = efficiency_plot.svg(found, title) if options.plot.endswith(".svg") else efficiency_plot.html(found, options.by, title)
    try:
        with open(options.plot, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise InvalidRequest(message=f"cannot write {options.plot}: {error.strerror}") from error
    if not console.json:
        console.line(f"Drawn: {options.plot}")


def _filter(options: argparse.Namespace, now: float) -> JobFilter:
    until = _moment(options.until, now) if options.until else 0.0
    if options.jobs:
        refs = wanted.parse(options.jobs)
        jobs: list[tuple[JobId, int | None, StepId | None]] = [(JobId(ref.job), task, None) for ref in refs
            for task in (ref.tasks or (None,))]
        return JobFilter(jobs=jobs, since=_moment(options.since, now) if options.since else 0.0, until=until)
    users = [name for name in (options.user or "").split(",") if name]
    own = [] if users or options.all else [Uid(os.getuid())]
    return JobFilter(users=users, uids=own, since=_moment(options.since or "now-1week", now), until=until)


def _moment(text: str, now: float) -> float:
    try:
        return moment.parse(text, now, past=True)
    except NotationError as error:
        raise InvalidRequest(message=f"{text} is no time", hints=[error.message.partition("; ")[2] or error.message]) from error
