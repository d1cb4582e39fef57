"""`slurm explain`: why jobs wait, what would start them and when."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence

import msgspec

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import wanted
from slurm.notation.printable import printable
from slurm.render import explanation
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following import explaining, inspection
from slurm.sdk.following.inspection import UnknownJob

SHOWN = 10
"""So many jobs are explained unless they are named."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm explain`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("jobs", metavar="JOB_ID", nargs="*", help="12, or 12_3 for an element of an array (default: your waiting jobs)")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Explain the jobs; exit status, 1 when one of them is not known."""
    with which_cluster.opened(options) as cluster:
        backend = cluster.backend
        ids = _named(options.jobs) if options.jobs else _waiting(backend)
        found, unknown = [], []
        for one in ids[:None if options.jobs else SHOWN]:
            try:
                found.append(explaining.explanation(backend, one))
            except UnknownJob:
                unknown.append(one)
    if console.json:
        console.answer({"jobs": [msgspec.to_builtins(one) for one in found], "unknown": unknown})
        return 1 if unknown else 0
    if not ids:
        console.line("No job of yours waits.")
    for number, explained in enumerate(found):
        if number:
            console.line()
        for line in explanation.lines(explained):
            console.line(printable(line))
    if len(ids) > len(found) + len(unknown):
        console.note(f"{len(ids) - SHOWN} more of your jobs wait: name those that are to be explained")
    for one in unknown:
        console.error([f"the cluster knows no job {one}: it never was, or it ended too long ago"])
    return 1 if unknown else 0


def _named(texts: Sequence[str]) -> list[str]:
    """The ids that are meant, each element of an array singly where elements are named."""
    return [f"{ref.job}_{task}" if task is not None else str(ref.job) for ref in wanted.parse(texts) for task in ref.tasks or (None,)]


def _waiting(backend: Backend) -> list[str]:
    """The user's waiting jobs, each array once."""
    rows = inspection.queue(backend.ask, states=["pending"], mine=True)
    return list(dict.fromkeys(row.array_id if "[" in row.id else row.id for row in rows))
