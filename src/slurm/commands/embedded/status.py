"""`slurm status`: which daemons run, what the nodes do, what the queue holds."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.commands.embedded.up import describe
from slurm.model.errors import SlurmError
from slurm.net import client

ANSWER_SECONDS = 10.0


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm status`."""
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Show the cluster; exit status 0 when all of it runs, 3 when some or all of it does not."""
    cluster = EmbeddedCluster(environ, options.name)
    shape = cluster.shape
    daemons = [(daemon.name, daemon.pid, daemon.log) for daemon in cluster.daemons]
    whole = bool(daemons) and all(pid for _, pid, _ in daemons)
    nodes: list[list[str]] = []
    jobs: dict[str, int] = {}
    silence = ""
    if daemons and daemons[0][1]:
        try:
            nodes, jobs = _ask(environ, cluster)
        except SlurmError as error:
            silence = error.message
    if options.json:
        console.answer({
            "name": cluster.instance.name, "folder": cluster.instance.root, "conf": cluster.instance.conf, "up": whole,
            "daemons": [{"name": name, "pid": pid, "log": log} for name, pid, log in daemons],
            "nodes": [{"name": row[0], "state": row[1], "cpus": row[2], "memory": row[3], "gres": row[4]} for row in nodes], "jobs": jobs})
        return 0 if whole and not silence else 3
    if shape is None:
        console.line(f"Cluster {cluster.instance.name} does not exist: start one with `slurm up`")
        return 3
    console.line(f"Cluster {cluster.instance.name}: "
                 f"{'up' if whole else 'not up' if not any(pid for _, pid, _ in daemons) else 'partly up'}, {describe(shape)}")
    console.table(["DAEMON", "PID", "LOG"], [[name, str(pid) if pid else "not running", log] for name, pid, log in daemons])
    if nodes:
        console.line()
        console.table(["NODE", "STATE", "CPUS(A/I/O/T)", "MEMORY", "GRES"], nodes)
        console.line()
        console.line("Jobs: " + (", ".join(f"{count} {state.lower()}" for state, count in sorted(jobs.items())) or "none"))
    if silence:
        console.line(f"slurmctld runs and does not answer: {silence}")
    if not whole:
        console.line("Start what is missing with `slurm up`")
    return 0 if whole and not silence else 3


def _ask(environ: Mapping[str, str], cluster: EmbeddedCluster) -> tuple[list[list[str]], dict[str, int]]:
    with client.connect({**environ, "SLURM_CONF": cluster.instance.conf}) as connection:
        nodes: list[list[str]] = connection.call({
            "type": "ListNodes", "fields": ["NodeList", "StateLong", "CPUsState", "Memory", "Gres"], "by_node": True},
            ANSWER_SECONDS)["rows"]
        jobs: dict[str, int] = {}
        for row in connection.call({"type": "ListJobs", "fields": ["State"], "expand_arrays": True}, ANSWER_SECONDS)["rows"]:
            jobs[row[0]] = jobs.get(row[0], 0) + 1
    unique = {row[0]: row for row in nodes}
    return list(unique.values()), jobs
