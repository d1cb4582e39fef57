"""`slurm cluster watch`: `slurm cluster show` renewed until ctrl-C; without a terminal a line for each change."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from slurm.commands import live, which_cluster
from slurm.commands.cluster import overview
from slurm.commands.cluster.overview import Overview
from slurm.commands.embedded.console import Console
from slurm.commands.live import Picture


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cluster watch`."""
    which_cluster.arguments(parser, json="print JSON: what `slurm cluster show --json` prints, after each change")
    parser.add_argument("-a", "--account", metavar="NAME", help="count only the jobs of this account")
    live.interval(parser)


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Watch the cluster until the user has seen enough."""
    with which_cluster.opened(options) as cluster:
        name = which_cluster.name(options, cluster)
        last: list[Overview] = []

        def look() -> Picture:
            found = overview.look(cluster.backend, name, options.account)
            changed = not last or _still(last[0]) != _still(found)
            last[:] = [found]
            lines = [f"{time.strftime('%H:%M:%S')}  {overview.heading(found)}", *overview.troubles(found)[1:]] if changed else []
            return Picture(lambda: overview.drawing(found), lines, [{"time": time.strftime("%Y-%m-%dT%H:%M:%S"), **overview.as_json(found)}]
                if changed else [])

        live.watch(console, look, time.sleep, live.seconds(options, cluster), cluster.patience)
    return 0


def _still(found: Overview) -> object:
    """What of it does not change by itself."""
    return found.jobs, found.partitions, [node._replace(load=None, memory_free=None) for node in found.nodes]
