"""`slurm jobs cleanup`: removes the folders of jobs that have ended, after saying what it would remove."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.sdk.tidying.removed import Cleanup

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs cleanup`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("--older-than", type=_seconds, default=7 * 86400.0, metavar="AGE",
                        help="those in which nothing was written for this long: 30d, 12h, 90m, 0 (7d)")
    parser.add_argument("--keep-failed", action="store_true", help="keep the folders of jobs that have no result")
    parser.add_argument("--cache", action="store_true", help="remove cached results too")
    parser.add_argument("-n", "--dry-run", action="store_true", help="say what would be removed, and remove nothing")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Clean up; exit status 1 when something could not be removed or the user did not want it."""
    with which_cluster.opened(options) as cluster:
        asks = not options.yes and not console.json and sys.stdin.isatty() and console.fancy

        def clean(dry_run: bool) -> Cleanup:
            return cluster.cleanup(older_than=options.older_than, keep_failed=options.keep_failed, cache=options.cache, dry_run=dry_run)

        found = clean(options.dry_run or asks)
        if asks and not options.dry_run and found.removed:
            console.line(f"{cluster.job_base_dir}: {found}")
            if not console.agreed("Remove them?"):
                console.line("Nothing was removed.")
                return 1
            found = clean(False)
    if console.json:
        console.answer({"removed": [one._asdict() for one in found.removed], "size": found.size, "kept": found.kept,
            "problems": list(found.problems),
                        "dry_run": found.dry_run})
    if options.dry_run:
        for one in found.removed:
            console.line(one.path)
    console.line(f"{cluster.job_base_dir}: {found}")
    return 1 if found.problems else 0


def _seconds(text: str) -> float:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if found:
        return float(found[1]) * UNITS[found[2]]
    if text == "0":
        return 0.0
    raise argparse.ArgumentTypeError(f"{text!r} is no age: it takes a number with s, m, h, d or w behind it, such as 30d, or 0")
