"""`slurm explain`: why jobs wait, what would start them and when."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence

import msgspec

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import wanted
from slurm.model.errors import InvalidRequest, NotationError
from slurm.notation import moment
from slurm.notation.printable import printable
from slurm.render import explanation
from slurm.sdk.backends.backend import Backend
from slurm.sdk.errors import BackendError
from slurm.sdk.following import explaining, inspection
from slurm.sdk.following.inspection import UnknownJob

SHOWN = 10
"""So many jobs are explained unless they are named."""
LAST, READ = 8, 8192
"""So many lines of the error file are shown, from so many bytes at its end."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm explain`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("--priority", action="store_true", help="tell also what the priority is made of, factor by factor")
    parser.add_argument("--at", metavar="TIME", default="", help="as it was then: 14:05, 2026-11-30T14:05, now-2hours")
    parser.add_argument("jobs", metavar="JOB_ID", nargs="*", help="12, or 12_3 for an element of an array (default: your waiting jobs)")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Explain the jobs; exit status, 1 when one of them is not known."""
    at = past_moment(options.at, time.time()) if options.at else 0.0
    if at and not options.jobs:
        raise InvalidRequest(message="--at is about jobs that are named", hints=["squeue --at TIME shows which there were"])
    with which_cluster.opened(options) as cluster:
        backend = cluster.backend
        ids = _named(options.jobs) if options.jobs else _waiting(backend)
        found, unknown = [], []
        for one in ids[:None if options.jobs else SHOWN]:
            try:
                found.append(explaining.explanation(backend, one, priority=options.priority, at=at))
            except UnknownJob:
                unknown.append(one)
        last = {one.job: [] if console.json else _last_lines(backend, one.error_file) for one in found}
    if console.json:
        console.answer({"jobs": [msgspec.to_builtins(one) for one in found], "unknown": unknown})
        return 1 if unknown else 0
    if not ids:
        console.line("No job of yours waits.")
    for number, explained in enumerate(found):
        if number:
            console.line()
        for line in (*explanation.lines(explained), *last[explained.job]):
            console.line(printable(line))
    if len(ids) > len(found) + len(unknown):
        console.note(f"{len(ids) - SHOWN} more of your jobs wait: name those that are to be explained")
    for one in unknown:
        console.error([f"the cluster knows no job {one}: it never was, or it ended too long ago"])
    return 1 if unknown else 0


def past_moment(text: str, now: float) -> float:
    """The moment of --at, in seconds since the epoch; InvalidRequest for a text that is none, or one that has not been."""
    try:
        found = moment.parse(text, now, past=True)
    except NotationError as error:
        raise InvalidRequest(message=f"{text} is no time", hints=[error.message]) from error
    if found > now:
        raise InvalidRequest(message=f"{text} has not been yet", hints=["--at asks about the past"])
    return found


def _last_lines(backend: Backend, path: str) -> list[str]:
    """The end of what a job that failed wrote to its standard error, where it can be read from here."""
    if not path or path == "/dev/null":
        return []
    try:
        with backend.read(path) as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - READ))
            lines = file.read().decode(errors="replace").splitlines()
    except FileNotFoundError:
        return [f"There is no {path}: it wrote nothing, or to a node's own disk"]
    except (OSError, BackendError):
        return [f"What it wrote is in {path}"]
    shown = [f"  {line}" for line in lines if line.strip()][-LAST:]
    return [f"The last lines of {path}:", *shown] if shown else [f"{path} is empty"]


def _named(texts: Sequence[str]) -> list[str]:
    """The ids that are meant, each element of an array singly where elements are named."""
    return [f"{ref.job}_{task}" if task is not None else ref.show() for ref in wanted.parse(texts) for task in ref.tasks or (None,)]


def _waiting(backend: Backend) -> list[str]:
    """The user's waiting jobs, each array once."""
    rows = inspection.queue(backend.ask, states=["pending"], mine=True)
    return list(dict.fromkeys(row.array_id if "[" in row.id else row.id for row in rows))
