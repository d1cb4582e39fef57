"""`slurm down`: jobs are cancelled, daemons stop, nothing is left running. The state stays for the next `slurm up`."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Mapping, Sequence

from slurm.commands.embedded import leftovers, processes
from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.commands.embedded.shape import KILL_WAIT
from slurm.model.errors import SlurmError
from slurm.net import client
from slurm.net.client import Connection

DRAIN_SECONDS = 15.0
CALL_SECONDS = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm down`."""
    parser.add_argument("--keep-jobs", action="store_true", help="let running jobs go on without daemons; the next `slurm up` finds them")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Bring the cluster down; exit status."""
    cluster = EmbeddedCluster(environ, options.name)
    if not os.path.isdir(cluster.instance.root):
        console.line(f"Cluster {cluster.instance.name} does not exist. Nothing was changed.")
        return _answer(cluster, console, changed=False)
    with cluster.locked():
        if not any(daemon.pid for daemon in cluster.daemons) and not _steps_left(cluster):
            console.line(f"Cluster {cluster.instance.name} is not up. Nothing was changed.")
            return _answer(cluster, console, changed=False)
        notes = take_down(cluster, environ, keep_jobs=options.keep_jobs)
        for note in notes:
            console.line(note)
    console.line(f"Cluster {cluster.instance.name} is down; its state stays in {cluster.instance.root}")
    return _answer(cluster, console, changed=True, notes=notes)


def _answer(cluster: EmbeddedCluster, console: Console, *, changed: bool, notes: Sequence[str] = ()) -> int:
    if console.json:
        console.answer({"name": cluster.instance.name, "folder": cluster.instance.root, "changed": changed, "notes": list(notes)})
    return 0


def take_down(cluster: EmbeddedCluster, environ: Mapping[str, str], *, keep_jobs: bool = False) -> list[str]:
    """Cancel the jobs and stop every daemon of a cluster whose lock the caller holds; what is worth a word, one line each."""
    if keep_jobs:
        return processes.stop(cluster.daemons)
    notes = _end_jobs(environ, cluster) if any(daemon.pid for daemon in cluster.daemons if daemon.program == "slurmctld") else []
    notes += processes.stop(cluster.daemons)
    shape = cluster.shape
    if shape is not None:
        found, left = leftovers.end_all(cluster.instance, shape.names, KILL_WAIT)
        if found:
            notes.append(f"Ended {found} job step{'s' if found > 1 else ''} that had outlived the daemons")
        if left:
            notes.append(f"{left} of them did not end: see ps for slurmstepd")
    return notes


def _steps_left(cluster: EmbeddedCluster) -> bool:
    shape = cluster.shape
    return shape is not None and bool(leftovers.supervisors(cluster.instance, shape.names))


def _end_jobs(environ: Mapping[str, str], cluster: EmbeddedCluster) -> list[str]:
    """Cancel what runs and wait until its processes are gone; how many jobs ran, and how many wait still. [] when the controller does not
    answer."""
    try:
        with client.connect({**environ, "SLURM_CONF": cluster.instance.conf}) as connection:
            # What waits would start on what the cancelled jobs give back.
            connection.call({"type": "Quiesce", "seconds": 2 * DRAIN_SECONDS}, CALL_SECONDS)
            running, waiting = _jobs(connection, "running", "suspended", "completing"), _jobs(connection, "pending")
            if running:
                connection.call({"type": "CancelJobs", "filter": {"states": ["running", "suspended"]}}, CALL_SECONDS)
            deadline = time.monotonic() + DRAIN_SECONDS
            while running and time.monotonic() < deadline and _jobs(connection, "running", "suspended", "completing"):
                time.sleep(0.05)
    except SlurmError:
        return []
    return [*([f"Cancelled {running} running job{'s' if running > 1 else ''}"] if running else []),
            *([f"{waiting} job{'s wait' if waiting > 1 else ' waits'} for the next `slurm up`"] if waiting else [])]


def _jobs(connection: Connection, *states: str) -> int:
    """How many jobs are in these states, an array's elements singly."""
    reply = connection.call({"type": "ListJobs", "fields": ["JobID"], "filter": {"states": list(states)}, "expand_arrays": True},
        CALL_SECONDS)
    return len(reply["rows"])
