"""`slurm up`: an embedded cluster starts, or what is missing of it, or nothing because all of it runs."""

from __future__ import annotations

import argparse
import os
import pwd
import socket
import time
from collections.abc import Mapping

from slurm.commands.embedded import processes, programs, shape
from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.config.keys import read_file
from slurm.model.errors import InvalidRequest, SlurmError, Unreachable
from slurm.net import client
from slurm.notation import size
from slurm.slurmd import hardware

READY_SECONDS = 20.0
MAX_NODES = 256


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm up`."""
    parser.add_argument("--nodes", type=int, default=None, metavar="N", help="emulate N nodes on this machine")
    parser.add_argument("--cpus", type=int, default=None, metavar="N", help="CPUs that each node claims to have")
    parser.add_argument("--memory", default=None, metavar="SIZE", help="memory that each node claims to have (64G)")
    parser.add_argument("--gpus", default=None, metavar="[TYPE:]N", help="GPUs that each node claims to have (2, h100:8)")
    parser.add_argument("--rest", action="store_true", help="with a REST API on a unix socket of yours")
    parser.add_argument("--json", action="store_true", help="print JSON")


def machine() -> shape.Shape:
    """One node that is this machine: its cores, its memory and the GPUs of its first type."""
    real = hardware.look()
    found = hardware.gpus()
    pools = [pool for pool in found if pool.type == found[0].type]
    files = [path for pool in pools for path in pool.files]
    return shape.Shape(
        nodes=1, sockets=real.sockets, cores_per_socket=real.cores_per_socket, threads_per_core=real.threads_per_core, memory=real.memory,
        gpus=len(files), gpu_type=pools[0].type if pools else shape.DEFAULT_GPU_TYPE, gpu_files=tuple(files), emulated=False)


def _wanted(options: argparse.Namespace) -> shape.Shape:
    if options.nodes is None and options.cpus is None and options.memory is None and options.gpus is None:
        return machine()
    for name, value, least in (("nodes", options.nodes, 1), ("cpus", options.cpus, 1)):
        if value is not None and value < least:
            raise InvalidRequest(message=f"--{name} {value}: it takes a whole number of at least {least}")
    if (options.nodes or 1) > MAX_NODES:
        raise InvalidRequest(message=f"--nodes {options.nodes}: each is a slurmd of its own on this machine, {MAX_NODES} are the most")
    kind, _, count = (options.gpus or "0").rpartition(":")
    if not count.isdigit():
        raise InvalidRequest(message=f"--gpus {options.gpus}: it takes a number, or a type and a number such as h100:8")
    return shape.emulated(
        machine(), nodes=options.nodes or 1, cpus=options.cpus, memory=size.parse_mb(options.memory) if options.memory else None,
        gpus=int(count), gpu_type=kind)


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Bring the cluster up; exit status."""
    cluster = EmbeddedCluster(environ, options.name)
    asked = any(value is not None for value in (options.nodes, options.cpus, options.memory, options.gpus))
    with cluster.locked(), processes.held() as heed:
        before = cluster.shape
        running = [daemon for daemon in cluster.daemons if daemon.pid]
        if before is not None and running:
            if asked and _wanted(options) != before:
                raise InvalidRequest(
                    message=f"cluster {cluster.instance.name} runs with {describe(before)}",
                    hints=["stop it first with `slurm down`, or start another one beside it: slurm --name OTHER up …"])
            if options.rest:
                cluster.want_rest()
            missing = [daemon for daemon in cluster.daemons if not daemon.pid]
            if not missing:
                console.line(f"Cluster {cluster.instance.name} is already up: {describe(before)}. Nothing was changed.")
                return _answer(cluster, before, console, changed=False)
            console.line(f"Starting again what had ended: {', '.join(daemon.name for daemon in missing)}")
            processes.start(missing, heed)
            wait_ready(environ, cluster, heed)
            console.line(f"Cluster {cluster.instance.name} is up: {describe(before)}")
            _tell_rest(cluster, console)
            return _answer(cluster, before, console, changed=True)
        wanted = _wanted(options) if asked or before is None or not before.emulated else before
        advice = [] if console.json else programs.advice(environ)  # it takes a while: ctrl-C must not find a cluster that is up
        heed()
        began = time.monotonic()
        bring_up(cluster, wanted, environ, heed, rest=options.rest)
    console.line(f"Cluster {cluster.instance.name} is up after {time.monotonic() - began:.1f} s: {describe(wanted)}")
    console.line(f"A job has {size.show_mb(wanted.memory_per_cpu)} of memory a CPU unless it asks for more (--mem, --mem-per-cpu); one "
                 "that holds more is ended.")
    console.line("Try:  sinfo;  srun hostname;  sbatch --wrap 'sleep 5';  squeue;  slurm status;  slurm down")
    _tell_rest(cluster, console)
    for line in advice:
        console.note(line)
    if options.name or environ.get("SLURM_PY_INSTANCE"):
        console.line(f"It is not the default one:  export SLURM_CONF={cluster.instance.conf}")
    return _answer(cluster, wanted, console, changed=True)


def _tell_rest(cluster: EmbeddedCluster, console: Console) -> None:
    if os.path.exists(cluster.instance.rest_wanted):
        console.line(f"REST:  curl --unix-socket {cluster.instance.rest_socket} http://slurm/slurm/v0.0.44/ping")


def _answer(cluster: EmbeddedCluster, found: shape.Shape, console: Console, *, changed: bool) -> int:
    if console.json:
        console.answer({
            "name": cluster.instance.name, "folder": cluster.instance.root, "conf": cluster.instance.conf, "changed": changed,
            "nodes": found.names,
            "cpus": found.cpus, "memory_mb": found.memory, "gpus": found.gpus, "gpu_type": found.gpu_type if found.gpus else "",
            "emulated": found.emulated})
    return 0


def bring_up(cluster: EmbeddedCluster, wanted: shape.Shape, environ: Mapping[str, str], heed: processes.Heed, *,
        rest: bool = False) -> None:
    """Start a cluster of this shape whose lock the caller holds; when it does not come up, nothing of it runs and the reason is raised.

    Within `processes.held`, which gives `heed`. `rest`: with a slurmrestd.
    """
    _write(cluster, wanted)
    cluster.want_rest(rest)
    try:
        processes.start(cluster.daemons, heed)
        wait_ready(environ, cluster, heed)
        heed()
    except (SlurmError, KeyboardInterrupt, SystemExit):
        processes.stop(cluster.daemons, 5.0)
        raise


def _write(cluster: EmbeddedCluster, wanted: shape.Shape) -> None:
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container often runs as a uid without a name
        user = str(os.getuid())
    strange = [mark for mark in '"#%\\\n' if mark in cluster.instance.root]
    if strange:
        raise InvalidRequest(message=f"{cluster.instance.root} holds {strange[0]!r}, which a slurm.conf cannot say in a path",
                             hints=["XDG_STATE_HOME names another place for the cluster's state"])
    host = socket.gethostname()
    cluster.write(wanted, {
        "slurm.conf": shape.slurm_conf(wanted, cluster.instance.name, cluster.instance.root, host, user, _local(cluster)),
        "gres.conf": shape.gres_conf(wanted),
        "slurmdbd.conf": shape.slurmdbd_conf(cluster.instance.name, cluster.instance.root, user)})


def _local(cluster: EmbeddedCluster) -> str:
    """The user's own part of slurm.conf, "" where there is none. ConfigError where it cannot be read."""
    path = os.path.join(cluster.instance.root, shape.LOCAL)
    return read_file(path) if os.path.exists(path) else ""


def wait_ready(environ: Mapping[str, str], cluster: EmbeddedCluster, heed: processes.Heed) -> None:
    """Return when every node has registered; Unreachable names those that have not. `heed` is called again and again."""
    names = cluster.shape.names if cluster.shape is not None else []
    deadline = time.monotonic() + READY_SECONDS
    waiting = names
    with client.connect({**environ, "SLURM_CONF": cluster.instance.conf}) as connection:
        while time.monotonic() < deadline:
            reply = connection.call({"type": "ListNodes", "fields": ["NodeList", "StateLong"], "by_node": True}, READY_SECONDS)
            states = {row[0]: row[1] for row in reply["rows"]}
            waiting = [name for name in names if states.get(name, "unknown").startswith("unknown") or states[name].endswith("*")]
            if not waiting:
                return
            heed()
            time.sleep(0.03)
    raise Unreachable(message=f"nodes did not register: {', '.join(waiting)}", hints=[f"logs: {cluster.instance.log}"])


def describe(found: shape.Shape) -> str:
    """A cluster's shape in words."""
    gpus = f", {found.gpus} GPU{'s' if found.gpus > 1 else ''} ({found.gpu_type})" if found.gpus else ""
    each = " each" if found.nodes > 1 else ""
    kind = "emulated node" if found.emulated else "node"
    return (f"{found.nodes} {kind}{'s' if found.nodes > 1 else ''} ({found.ranged}) with {found.cpus} CPU{'s' if found.cpus > 1 else ''}, "
            f"{size.show_mb(found.memory)} of memory{gpus}{each}")
