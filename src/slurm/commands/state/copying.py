"""`slurm state copy`: a cluster's state from one StateSaveLocation to another."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands.embedded.console import Console
from slurm.commands.state import done


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm state copy`."""
    parser.add_argument("source", metavar="FROM",
        help="the StateSaveLocation of a slurmctld that does not run: a folder, or postgresql://…")
    parser.add_argument("target", metavar="TO", help="a folder or an empty database, which hold no state yet")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Copy it; exit status."""
    return done.copied(options.source, options.target, console)
