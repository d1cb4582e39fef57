"""`slurm cluster show`: partitions, nodes and what keeps them from working."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.cluster import overview
from slurm.commands.embedded.console import Console


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cluster show`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("--nodes", action="store_true", help=f"list every node, also when there are more than {overview.ONE_BY_ONE}")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show the cluster; exit status."""
    with which_cluster.opened(options) as cluster:
        found = overview.look(cluster.backend, which_cluster.name(options, cluster))
    if console.json:
        console.answer(overview.as_json(found))
        return 0
    overview.tables(console, found, options.nodes)
    return 0
