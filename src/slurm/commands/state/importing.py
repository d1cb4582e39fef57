"""`slurm state import`: what an export made, into the StateSaveLocation of this machine's slurm.conf."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.state import done


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm state import`."""
    parser.add_argument("source", metavar="FILE", help="a file that `slurm state export` made")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Import it; exit status."""
    return done.copied(options.source, done.configured(environ), console)
