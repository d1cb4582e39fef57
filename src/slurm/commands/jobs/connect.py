"""`slurm jobs connect`: a shell where a job runs, beside what it does."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.jobs import wanted
from slurm.notation import hostlist
from slurm.sdk.backends.backend import Backend
from slurm.sdk.backends.terminal import attach
from slurm.sdk.following.inspection import JobRecord

_CONTAINER = re.compile(r"--container-name=[\"']?([\w.-]+)")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs connect`."""
    which_cluster.arguments(parser, json="print as JSON what would be run, and do not run it")
    parser.add_argument("job", metavar="JOB_ID", help="12, or 12_3 for an element of an array")
    parser.add_argument("-n", "--node", metavar="NODE", help="which of its nodes, when it has several")
    parser.add_argument("--no-container", action="store_true", help="the node itself, also when the job runs in a container")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Open a shell in the job; its exit status."""
    ref = wanted.single(options.job)
    with which_cluster.opened(options) as cluster:
        record = _running(wanted.records(cluster.backend, ref))
        nodes = hostlist.expand(record.nodelist)
        if options.node and options.node not in nodes:
            raise Failure("UnknownNode", f"job {record.id} does not run on {options.node}", [f"it runs on {record.nodelist}"])
        if not console.json and not (sys.stdin.isatty() and console.fancy):
            raise Failure("NotATerminal", "slurm jobs connect needs a terminal",
                [f"a program can be run there with: srun --jobid={record.raw_id} --overlap …"])
        node = options.node or (nodes[0] if len(nodes) == 1 or console.json else _asked(record, nodes, console))
        words = ["srun", f"--jobid={record.raw_id}", "--overlap", "--pty", *(["-w", node] if len(nodes) > 1 else [])]
        container = "" if options.no_container else _container(cluster.backend, record)
        words += [f"--container-name={container}"] if container else []
        words += ["-N1", "-n1", "bash"]
        if console.json:
            console.answer({"job": record.id, "node": node, "command": words})
            return 0
        return attach(cluster.backend, words)


def _running(records: Sequence[JobRecord]) -> JobRecord:
    running = [record for record in records if record.state == "RUNNING"]
    if len(running) == 1:
        return running[0]
    if running:
        raise Failure("SeveralJobs", f"{len(running)} elements of job {running[0].array_id} run", [
            f"give one of them: {', '.join(record.id for record in running[:8])}{' …' if len(running) > 8 else ''}"])
    first = records[0]
    raise Failure("NotRunning", f"job {first.id} is {first.state}: a shell needs a job that runs", filter(None, [first.why]))


def _asked(record: JobRecord, nodes: Sequence[str], console: Console) -> str:
    """The node that the user names."""
    while (answer := console.ask(f"Job {record.id} runs on {record.nodelist}. Which node? [{nodes[0]}] ") or nodes[0]) not in nodes:
        console.line(f"{answer} is not one of its nodes.")
    return answer


def _container(backend: Backend, record: JobRecord) -> str:
    """The container that the job's own script starts, "" when it starts none or cannot be read."""
    try:
        with backend.read(record.command) as file:
            found = _CONTAINER.search(file.read().decode(errors="replace"))
    except OSError:
        return ""
    return found[1] if found else ""
