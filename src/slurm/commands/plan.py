"""`slurm plan`: what runs until when and what is planned to start, as a chart; also as it would be under another slurm.conf."""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Mapping

import msgspec

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.model.errors import ConfigError, InvalidRequest, NotationError
from slurm.model.schedule import Bar, Schedule, Waiting
from slurm.notation import moment
from slurm.render import gantt_svg, gantt_text
from slurm.sdk.following import planning

SHOWN = 40
"""So many jobs are drawn in a terminal unless all are asked for."""
WIDTH = 120
"""Letters of a line where there is no terminal."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm plan`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("--conf", metavar="SLURM.CONF", help="plan the present queue as if this were the configuration (administrators)")
    parser.add_argument("-o", "--output", metavar="FILE.svg", help="write a drawing, a row a node")
    parser.add_argument("-u", "--user", metavar="NAMES", default="", help="jobs of these users only, with commas between")
    parser.add_argument("-p", "--partition", metavar="NAMES", default="", help="jobs in these partitions only")
    parser.add_argument("--until", metavar="TIME", default="", help="where the chart ends: now+1day, 18:00 (default: with the last job)")
    parser.add_argument("--shadow", action="store_true",
        help="compare the waits of jobs that ran with those that our planner would give them")
    parser.add_argument("--since", metavar="TIME", default="now-1days", help="jobs since then, with --shadow (default: now-1days)")
    parser.add_argument("-a", "--all", action="store_true", help=f"all jobs, not only the first {SHOWN}")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Draw the plan; exit status."""
    now = time.time()
    until = _moment(options.until, now) if options.until else 0.0
    if options.shadow:
        return _shadow(options, now, console)
    with which_cluster.opened(options) as cluster:
        found = _chosen(planning.schedule(cluster.backend, options.conf or ""), options.user, options.partition)
    if options.output:
        _write(options.output, gantt_svg.drawing(found, until))
    if console.json:
        console.answer(msgspec.to_builtins(found))
    elif not options.output:
        width = shutil.get_terminal_size((WIDTH, 24)).columns if console.fancy else WIDTH
        encoding = (getattr(console.out, "encoding", "") or "").lower().replace("-", "")
        marks = gantt_text.BLOCKS if encoding == "utf8" else gantt_text.ASCII
        for line in gantt_text.lines(found, until=until, width=width, marks=marks, most=0 if options.all else SHOWN):
            console.line(line)
    return 0


def _shadow(options: argparse.Namespace, now: float, console: Console) -> int:
    from slurm.commands import shadow  # the simulator with it

    with which_cluster.opened(options) as cluster:
        found = shadow.of(cluster.backend.ask, options.since, now, options.conf or "")
    if console.json:
        console.answer(found.facts())
    for line in shadow.lines(found):
        console.line(line)
    return 0


def _chosen(found: Schedule, users: str, partitions: str) -> Schedule:
    """The part of it that is asked for."""
    wanted_users, wanted = set(filter(None, users.split(","))), set(filter(None, partitions.split(",")))
    if not wanted_users and not wanted:
        return found

    def meant(one: Bar | Waiting) -> bool:
        return (not wanted_users or one.user in wanted_users) and (not wanted or not wanted.isdisjoint(one.partition.split(",")))

    return msgspec.structs.replace(
        found, bars=[bar for bar in found.bars if meant(bar)], waiting=[one for one in found.waiting if meant(one)])


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise ConfigError(message=f"cannot write {path}: {error.strerror}") from error


def _moment(text: str, now: float) -> float:
    try:
        found = moment.parse(text, now)
    except NotationError as error:
        raise InvalidRequest(message=f"{text} is no time", hints=[error.message]) from error
    if found <= now:
        raise InvalidRequest(message=f"--until={text} is over", hints=["the chart begins now: name a later time, such as now+1day"])
    return found
