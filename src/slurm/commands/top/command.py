"""`slurm top`: its options, one snapshot as JSON, or the screen."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping

from slurm.commands import streams, which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.top.cluster_source import ClusterSource
from slurm.commands.top.source import Snapshot

HERE_SECONDS, DISTANT_SECONDS = 1.0, 5.0
SHORTEST = 0.2


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm top`."""
    which_cluster.arguments(parser)
    parser.add_argument("-i", "--interval", "--refresh-interval", type=_seconds, metavar="SECONDS",
                        help=f"how often to ask ({HERE_SECONDS:g}; {DISTANT_SECONDS:g} over ssh or when you are logged in by it)")
    parser.add_argument("-m", "--mine", action="store_true", help="begin with your own jobs only")
    parser.add_argument("--json", action="store_true", help="print one snapshot as JSON instead")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show the cluster until the user leaves; exit status."""
    if not options.json and not (sys.stdin.isatty() and console.out.isatty()):
        raise Failure("NotATerminal", "slurm top needs a terminal",
            ["`slurm top --json` prints one snapshot, squeue and sinfo print lists"])
    if not options.json and environ.get("TERM", "dumb") in ("", "dumb"):
        raise Failure("NotATerminal", f"this terminal cannot show a screen: TERM is {environ.get('TERM') or 'not set'}",
            ["such as TERM=xterm-256color slurm top"])
    with which_cluster.told():
        return _shown(options, environ, console)


def _shown(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    meant = which_cluster.meant(options, environ)
    slow = meant.distant or "SSH_CONNECTION" in environ
    source = ClusterSource(meant.backend, meant.name, options.interval or (DISTANT_SECONDS if slow else HERE_SECONDS))
    if options.json:
        console.answer(_as_json(meant.name, source.snapshot()))
        return 0
    os.environ.setdefault("ESCDELAY", "25")
    streams.write_what_lacks("replace")
    from slurm.commands.top.app import TopApp

    return TopApp(source, mine=options.mine).run() or 0


def _as_json(name: str, found: Snapshot) -> dict[str, object]:
    from slurm.commands.top.heading import shares
    from slurm.sdk.following.inspection import counts

    return {"cluster": name, "taken": found.taken, "jobs_by_state": counts(found.jobs),
            "resources": {name: {"allocated": used, "total": total} for name, (used, total) in shares(found.nodes).items()},
            "jobs": [{**job._asdict(), "uses": use._asdict() if (use := found.uses.get(job.id)) is not None else None}
            for job in found.jobs], "nodes": [node._asdict() for node in found.nodes]}


def _seconds(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not SHORTEST <= found < 86400:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {SHORTEST:g} on, such as 2 or 0.5")
    return found
