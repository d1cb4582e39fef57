"""`slurm jobs debug`: leads a debugger to a job whose cluster has a DebugCallback."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping

from slurm.commands import which_cluster
from slurm.commands.embedded.console import Console
from slurm.commands.failure import Failure
from slurm.commands.jobs import wanted
from slurm.notation import hostlist
from slurm.notation.jobref import JobRef
from slurm.sdk.backends.backend import Backend
from slurm.sdk.following import inspection
from slurm.sdk.following.inspection import JobRecord

DEBUGPY = 5678
PAUSE, LONGEST, GROWTH = 0.5, 10.0, 1.5


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm jobs debug`."""
    which_cluster.arguments(parser, json="print JSON")
    parser.add_argument("job", metavar="JOB_ID", help="12, or 12_3 for an element of an array")
    parser.add_argument("-p", "--port", type=int, default=DEBUGPY, metavar="PORT",
        help=f"the port of this machine to use ({DEBUGPY}; 0: any)")
    parser.add_argument("--remote-port", type=int, default=DEBUGPY, metavar="PORT", help=f"the DebugCallback's port ({DEBUGPY})")
    parser.add_argument("-w", "--wait", action="store_true", help="wait for the job to begin")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Say where to attach, and over ssh lead there until ctrl-C; exit status."""
    for name, port, least in (("--port", options.port, 0), ("--remote-port", options.remote_port, 1)):
        if not least <= port < 65536:
            raise Failure("InvalidOption", f"{name} {port}: ports are {least} to 65535")
    ref = wanted.single(options.job)
    with which_cluster.opened(options) as cluster:
        record = _running(cluster.backend, ref, options.wait, console)
        node = hostlist.expand(record.nodelist)[0]
        (facts,) = inspection.records(cluster.backend.ask(["scontrol", "show", "node", node]), "NodeName")
        host = facts.get("NodeAddr", node)

        def opened(port: int) -> None:
            place = {"job": record.id, "node": node, "host": "127.0.0.1", "port": port}
            if console.json:
                console.answer(place)
            console.line(f"Attach a debugger to 127.0.0.1:{port}, which leads to port {options.remote_port} of {node}. Ctrl-C ends this.")

        if cluster.backend_type == "ssh":
            from slurm.sdk.backends.ssh_login import forward

            # It ends with an error, or with the user's ctrl-C.
            forward(which_cluster.login(cluster), options.port, host, options.remote_port, opened)
        if console.json:
            console.answer({"job": record.id, "node": node, "host": host, "port": options.remote_port})
        console.line(f"Attach a debugger to {host}:{options.remote_port}, which is port {options.remote_port} of {node}.")
    return 0


def _running(backend: Backend, ref: JobRef, waits: bool, console: Console) -> JobRecord:
    """The job once it runs."""
    pause, said = PAUSE, False
    while True:
        records = wanted.records(backend, ref)
        running = [record for record in records if record.state == "RUNNING"]
        if running:
            return running[0]
        first = records[0]
        over = first.status.finished
        if over or not waits:
            raise Failure("NotRunning", f"job {first.id} is {first.state}: there is nothing to debug", filter(None, [
                first.why, "" if over else "--wait waits for it to begin"]))
        if not said:
            console.note(f"job {first.id} is {first.state}: {first.why}")
            said = True
        time.sleep(pause)
        pause = min(LONGEST, pause * GROWTH)
