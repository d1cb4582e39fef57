"""`slurm jobs tail`: `slurm jobs logs` as the published SDK has it, which follows unless told not to."""

from __future__ import annotations

import argparse

from slurm.commands import which_cluster
from slurm.commands.jobs import logs

run = logs.run


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs tail`."""
    which_cluster.arguments(parser, json="print JSON: an object for each piece of text")
    parser.add_argument("--no-follow", dest="follow", action="store_false", help="end with what is there")
    parser.add_argument("-n", "--lines", type=int, default=10, metavar="N", help="begin with the last N lines (10)")
    logs.common(parser)
