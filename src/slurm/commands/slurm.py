"""`slurm`: the command for people. up, down, status and demo of an embedded cluster."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from slurm.commands.embedded import demo, down, status, up
from slurm.commands.embedded.console import Console
from slurm.model.errors import SlurmError
from slurm.model.version import VERSION

Run = Callable[[argparse.Namespace, Mapping[str, str], Console], int]
Arguments = Callable[[argparse.ArgumentParser], None]
SUBCOMMANDS: dict[str, tuple[Run, Arguments, str]] = {
    "up": (up.run, up.arguments, "start a cluster on this machine, or what is missing of it"),
    "down": (down.run, down.arguments, "cancel its jobs and stop it"),
    "status": (status.run, status.arguments, "show its daemons, nodes and jobs"),
    "demo": (demo.run, demo.arguments, "run a sweep on four emulated nodes, visibly, and clean up"),
}


def parser() -> argparse.ArgumentParser:
    """The command line of `slurm`."""
    top = argparse.ArgumentParser(prog="slurm", description="Slurm in Python: a cluster on this machine in one command.", epilog=(
        "Begin with `slurm up`; then sbatch, srun, squeue, sinfo, scancel and scontrol find the cluster by themselves. With SLURM_CONF or "
        "/etc/slurm/slurm.conf they mean that cluster instead."))
    top.add_argument("--version", action="version", version=f"slurm-py {VERSION}")
    top.add_argument("--name", default="", metavar="NAME", help="which embedded cluster (default: $SLURM_PY_INSTANCE, else `default`)")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, (_, arguments, text) in SUBCOMMANDS.items():
        one = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        one.add_argument("--name", default=argparse.SUPPRESS, metavar="NAME", help="which embedded cluster")
        arguments(one)
    return top


def _stop(number: int, _: object) -> None:
    """End as after ctrl-C, so that what was begun is cleaned up."""
    raise SystemExit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; exit status."""
    console = Console()
    top = parser()
    options = top.parse_args(argv)
    if not options.command:
        top.print_help()
        return 0
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        return SUBCOMMANDS[options.command][0](options, dict(os.environ), console)
    except SlurmError as error:
        console.error(error.lines())
        return 1
    except KeyboardInterrupt:
        console.error(["interrupted"])
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141


if __name__ == "__main__":
    sys.exit(main())
