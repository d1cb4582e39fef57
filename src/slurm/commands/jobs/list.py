"""`slurm jobs list`: the queue, yours unless told otherwise."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.jobs import told
from slurm.sdk.following import inspection


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs list`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("-a", "--all", action="store_true", help="everybody's jobs")
    parser.add_argument("-u", "--user", metavar="USER", help="this user's jobs; several with commas")
    parser.add_argument("-t", "--state", metavar="STATE", help="jobs in this state, such as pending, failed or all; several with commas")
    parser.add_argument("-p", "--partition", metavar="NAME", help="jobs in this partition; several with commas")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """List the jobs; exit status 0, also when there are none."""
    with which_cluster.opened(options) as cluster:
        rows = inspection.queue(
            cluster.backend.ask, mine=not (options.all or options.user), users=_words(options.user), states=_words(options.state),
            partitions=_words(options.partition))
    if console.json:
        console.answer({"jobs": [told.facts(row) for row in rows], "counts": inspection.counts(rows)})
        return 0
    if not rows:
        console.line(f"No jobs in queue{_condition(options)}.")
        return 0
    console.table(told.HEADER, [told.line(row) for row in rows], free=told.FREE)
    console.line(told.counted(inspection.counts(rows)))
    return 0


def _words(text: str | None) -> list[str]:
    return [word for word in (text or "").split(",") if word]


def _condition(options: argparse.Namespace) -> str:
    """What the list was narrowed to, for an answer that there is none."""
    parts = [f"of {options.user}" if options.user else "" if options.all else "of yours",
        f"in state {options.state}" if options.state else "",
             f"in partition {options.partition}" if options.partition else ""]
    said = " ".join(filter(None, parts))
    more = "" if options.all or options.user else " (--all shows everybody's, --state all those that have ended)"
    return f" {said}{more}" if said else ""
