"""`slurm state export`: the state of this machine's slurm.conf in one file."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.state import done


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm state export`."""
    parser.add_argument("target", metavar="FILE",
        help="a file that is made; it holds users' scripts and environments, and is its owner's alone")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Export it; exit status."""
    return done.copied(done.configured(environ), options.target, console)
