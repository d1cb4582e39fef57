"""`slurm cluster connect`: a shell on a login node."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.sdk import slurmfile
from slurm.sdk.backends.terminal import attach


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm cluster connect`."""
    which_cluster.arguments(parser, json="print as JSON where it would log in, and do not")
    parser.add_argument("environment", metavar="ENV_NAME", nargs="?",
        help="environment of the Slurmfile (default: --env, else the first with a host)")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Open a shell there; its exit status."""
    options.env = options.environment or options.env or os.environ.get("SLURM_ENV") or _first(options)
    with which_cluster.opened(options) as cluster:
        if cluster.backend_type != "ssh":
            raise Failure("NoLoginNode", f"the environment {options.env} has backend = \"{cluster.backend_type}\": there is no login node "
                                         "to connect to",
                          ["the shell that you are in is one of its shells"])
        if console.json:
            console.answer({"environment": options.env, "host": str(which_cluster.login(cluster))})
            return 0
        if not (sys.stdin.isatty() and console.fancy):
            raise Failure("NotATerminal", "slurm cluster connect needs a terminal", ["a command can be run there with ssh"])
        return attach(cluster.backend, [])


def _first(options: argparse.Namespace) -> str:
    """The first environment that lies behind a login node."""
    start = os.path.abspath(options.slurmfile) if options.slurmfile else None
    with which_cluster.told():
        path, names = slurmfile.names(start, os.environ)
        for name in names:
            if slurmfile.settings(start, name, os.environ, submitting=False).get("hostname"):
                return name
    raise Failure("NoLoginNode", f"no environment of {path} has a hostname", [f"it has {', '.join(names) or 'no environments'}"])
