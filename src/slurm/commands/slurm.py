"""`slurm`: the command for people. The table of its subcommands, and what all of them share; each lives in the module that its row names.

A module is imported when its subcommand is called: `slurm status` loads neither the SDK nor textual. It has `arguments(parser)`, which adds
its options, and `run(options, environ, console)`, which returns the exit status.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple, NoReturn

from slurm.commands import streams
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.model.errors import SlurmError
from slurm.model.version import VERSION
from slurm.notation.nearest import nearest

Run = Callable[[argparse.Namespace, Mapping[str, str], Console], int]


class Row(NamedTuple):
    """A subcommand: what it does, and the module below `slurm.commands` that does it, or the subcommands that it has itself."""

    text: str
    module: str = ""
    rows: Mapping[str, Row] = {}


SUBCOMMANDS: Mapping[str, Row] = {
    "up": Row("start a cluster on this machine, or what is missing of it", "embedded.up"),
    "down": Row("cancel its running jobs and stop it", "embedded.down"),
    "status": Row("show its daemons, nodes and jobs", "embedded.status"),
    "setup": Row("write what a cluster of one machine or many needs, and start it", "setup.command"),
    "doctor": Row("look for what is wrong with a cluster, and say what to do", "doctor.command"),
    "adopt": Row("let a login to a compute node in for a job of its user there, for sshd's PAM", "adopt"),
    "audit": Row("tell what administrators had the controller do", "audit"),
    "support": Row("write one file for whoever helps: configuration, logs, states, without secrets", "support.command"),
    "web": Row("open its web page in a browser, or print the link that does", "embedded.web"),
    "explain": Row("say why a job waits, what would start it, and when", "explain"),
    "history": Row("tell what happened to a job, moment by moment", "history"),
    "plan": Row("draw what runs until when and what is planned to start", "plan"),
    "report": Row("show how much of what jobs held they used", "efficiency"),
    "sim": Row("simulate a workload under one configuration or several, and compare", "simulate"),
    "top": Row("show queue and nodes on the whole screen, and act on jobs", "top.command"),
    "demo": Row("run a sweep on four emulated nodes, visibly, and clean up", "embedded.demo"),
    "dash": Row("the same as top, by the published SDK's name", "top.command"),
    "completion": Row("print the line by which bash, zsh or fish complete these commands", "completion"),
    "cert": Row("certificates of daemons, where the cluster's slurm.key is", rows={
        "make": Row("make a certificate for one daemon, to have instead of the key", "cert.make"),
        "show": Row("show the keys, and the certificates that were made", "cert.show"),
        "revoke": Row("have a certificate refused from now on", "cert.revoke"),
        "rotate": Row("replace slurm.key, without stopping anything", "cert.rotate"),
    }),
    "image": Row("images of containers, for --container-image", rows={
        "import": Row("make a squashfs file of an image of a registry, of docker or of podman", "image.make"),
        "list": Row("list yours on the nodes of this machine", "image.show"),
        "rm": Row("remove some of them", "image.remove"),
    }),
    "state": Row("the state of a cluster whose slurmctld does not run", rows={
        "copy": Row("copy it to another place: a folder, or PostgreSQL", "state.copying"),
        "export": Row("write it into one file", "state.exporting"),
        "import": Row("take it from such a file", "state.importing"),
    }),
    "mcp": Row("tools for agents, by the Model Context Protocol", rows={
        "run": Row("serve the tools to a client", "mcp.run"),
        "status": Row("say whether they can be served, and how a client is told of them", "mcp.status"),
    }),
    "jobs": Row("see and steer jobs, on this machine's cluster or on one of a Slurmfile, also over ssh", rows={
        "list": Row("list the queue", "jobs.list"),
        "show": Row("show everything about a job, and why it waits", "jobs.show"),
        "logs": Row("show what a job has written, and follow it", "jobs.logs"),
        "tail": Row("follow what a job writes", "jobs.tail"),
        "cancel": Row("end jobs", "jobs.cancel"),
        "watch": Row("watch jobs until they have ended", "jobs.watch"),
        "connect": Row("open a shell where a job runs", "jobs.connect"),
        "debug": Row("lead a debugger to a job that has a DebugCallback", "jobs.debug"),
        "cleanup": Row("remove the folders of jobs that have ended", "jobs.cleanup"),
    }),
    "cluster": Row("see clusters: those of a Slurmfile, or this machine's", rows={
        "list": Row("list the environments of the Slurmfile", "cluster.list"),
        "show": Row("show partitions and nodes, and why some do not work", "cluster.show"),
        "watch": Row("watch partitions and nodes", "cluster.watch"),
        "connect": Row("open a shell on a login node", "cluster.connect"),
    }),
}


class WrongUsage(Exception):
    """A command line that `parser` does not understand."""

    def __init__(self, parser: argparse.ArgumentParser, message: str) -> None:
        super().__init__(message)
        self.parser = parser


class LazyParser(argparse.ArgumentParser):
    """A parser that learns its options from `fill` when it is used; what it does not understand is raised, to be told in the form that was
    asked for."""

    fill: Callable[[LazyParser], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """As argparse does, with the options there are; what is left over is refused by the subcommand that was given it."""
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)
        found, left = super().parse_known_args(args, namespace)
        if left:
            self.error(f"unrecognized arguments: {' '.join(left)}")
        return found, left

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        """Refuse a subcommand that there is not with the nearest that there is, where argparse lists them all."""
        if action.option_strings or action.choices is None or value in action.choices:
            super()._check_value(action, value)
            return
        valid = list(map(str, action.choices))
        found = nearest(str(value), valid)
        raise argparse.ArgumentError(None, f"{self.prog} has no command {value}; "
                                           f"{f'did you mean {found}?' if found else 'it has ' + ', '.join(valid)}")

    def error(self, message: str) -> NoReturn:
        """Raise WrongUsage."""
        raise WrongUsage(self, message)


def parser() -> LazyParser:
    """The command line of `slurm`."""
    top = LazyParser(prog="slurm", description=(
        "Slurm in Python: a cluster on this machine in one command, and a view of the jobs of any Slurm."), epilog=(
        "Begin with `slurm up`; then sbatch, srun, squeue, sinfo, scancel and scontrol find the cluster by themselves. With SLURM_CONF or "
        "/etc/slurm/slurm.conf they mean that cluster instead. `slurm jobs`, `cluster`, `top` and `mcp` see the cluster of a Slurmfile "
        "too, also over ssh."))
    top.add_argument("-V", "--version", action="version", version=f"slurm-py {VERSION}")
    top.add_argument("--name", default="", metavar="NAME", help="which embedded cluster (default: $SLURM_PY_INSTANCE, else `default`)")
    top.set_defaults(run=_help_of(top), json=False)
    _add(top, SUBCOMMANDS)
    return top


def _add(parent: LazyParser, rows: Mapping[str, Row]) -> None:
    commands = parent.add_subparsers(metavar="COMMAND", parser_class=LazyParser)
    for name, row in rows.items():
        one = commands.add_parser(name, help=row.text, description=row.text[0].upper() + row.text[1:] + ".")
        one.fill = _group(row) if row.rows else _leaf(row)


def _group(row: Row) -> Callable[[LazyParser], None]:
    def fill(one: LazyParser) -> None:
        one.set_defaults(run=_help_of(one))
        _add(one, row.rows)

    return fill


def _leaf(row: Row) -> Callable[[LazyParser], None]:
    def fill(one: LazyParser) -> None:
        module = import_module(f"slurm.commands.{row.module}")
        one.set_defaults(run=module.run)
        one.add_argument("--name", default=argparse.SUPPRESS, metavar="NAME", help="which embedded cluster")
        module.arguments(one)

    return fill


def _help_of(one: argparse.ArgumentParser) -> Run:
    def show(_: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
        one.print_help(console.out)
        return 0

    return show


def _refused(wrong: WrongUsage, json: bool) -> int:
    """Tell what is wrong with the command line and what would be right."""
    console = Console(json=json)
    if json:
        console.failure(Failure("UsageError", str(wrong), [" ".join(wrong.parser.format_usage().split())]))
    else:
        wrong.parser.print_usage(console.err)
        console.error([str(wrong)])
    return 2


def _stop(number: int, _: object) -> None:
    """End as after ctrl-C, so that what was begun is cleaned up."""
    raise SystemExit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; exit status."""
    streams.opened()
    words = sys.argv[1:] if argv is None else argv
    try:
        return _run(words)
    except BrokenPipeError:
        streams.let_go()
        return 141
    except OSError as problem:
        said = streams.unwritable(problem)
        if not said:
            raise
        Console().error([said])
        return 1


def _run(words: Sequence[str]) -> int:
    try:
        options = parser().parse_args(words)
    except WrongUsage as wrong:
        return _refused(wrong, "--json" in words)
    console = Console(json=options.json)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _stop)
    try:
        run: Run = options.run
        return run(options, dict(os.environ), console)
    except SlurmError as error:
        console.failure(error)
        return 1
    except KeyboardInterrupt:
        console.failure(Failure("Interrupted", "interrupted"))
        return 130


if __name__ == "__main__":
    sys.exit(main())
