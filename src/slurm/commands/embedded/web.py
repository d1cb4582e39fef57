"""`slurm web`: the page of an embedded cluster, served from the first time that somebody wants to see it until `slurm down`."""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import webbrowser
from collections.abc import Mapping

from slurm.commands.embedded import processes
from slurm.commands.embedded.cluster import EmbeddedCluster
from slurm.commands.embedded.console import Console
from slurm.model.errors import NotFound, SlurmError, Unreachable
from slurm.net.endpoint import connected, unix

HOST = "127.0.0.1"
ANSWER_SECONDS = 20.0
TRIES = 3
_SCREENS = ("DISPLAY", "WAYLAND_DISPLAY")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `slurm web`."""
    parser.add_argument("--port", type=int, default=0, metavar="N", help="the port of 127.0.0.1 to serve it at (default: a free one, kept)")
    parser.add_argument("--no-browser", action="store_true", help="only print the link")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace, environ: Mapping[str, str], console: Console) -> int:
    """Serve the page where it is not yet, and open it; exit status."""
    cluster = EmbeddedCluster(environ, options.name)
    with cluster.locked(), processes.held() as heed:
        if not any(daemon.pid for daemon in cluster.daemons if daemon.program == "slurmctld"):
            raise NotFound(message=f"cluster {cluster.instance.name} is not up", hints=[
                "start it with `slurm up`", "the page of another cluster is where its slurmrestd listens: log in with a token of "
                "`scontrol token`"])
        port = _served(cluster, options.port, heed)
    link = f"http://{HOST}:{port}{_ticket(cluster)}"
    opened = not (options.no_browser or options.json) and any(environ.get(name) for name in _SCREENS) and webbrowser.open(link)
    if options.json:
        console.answer({"name": cluster.instance.name, "address": f"http://{HOST}:{port}/", "link": link})
    elif opened:
        console.line(f"The page of cluster {cluster.instance.name} is open in your browser: http://{HOST}:{port}/")
    else:
        console.line(f"The page of cluster {cluster.instance.name}: http://{HOST}:{port}/")
        console.line(f"This link logs you in, once and within ten minutes:  {link}")
    return 0


def _served(cluster: EmbeddedCluster, wanted: int, heed: processes.Heed) -> int:
    """The port at which the page is served, after its slurmrestd was started where it had to be."""
    port = processes.web_port(cluster.instance)
    running = [daemon for daemon in cluster.daemons if daemon.program == "slurmrestd" and daemon.pid]
    if running and port and wanted in (0, port):
        return port
    processes.stop(running)
    for left in reversed(range(TRIES)):
        port = wanted or port or _free_port()
        cluster.want_web(port)
        try:
            processes.start([daemon for daemon in cluster.daemons if daemon.program == "slurmrestd"], heed)
            return port
        except Unreachable:
            if wanted or not left:
                raise
            port = 0  # somebody else has taken it
    return port


def _free_port() -> int:
    with socket.socket() as found:
        found.bind((HOST, 0))
        port: int = found.getsockname()[1]
        return port


def _ticket(cluster: EmbeddedCluster) -> str:
    """The path of a link that logs this user in, asked for by the unix socket, where the kernel says who asks."""
    connection = http.client.HTTPConnection("slurm", timeout=ANSWER_SECONDS)
    try:
        connection.sock = connected(unix(cluster.instance.rest_socket), ANSWER_SECONDS)
        connection.request("POST", "/web/link", body=b"")
        reply = connection.getresponse()
        found = json.loads(reply.read())
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(message=f"slurmrestd does not answer: {error}", hints=[f"log: {cluster.instance.log}/slurmrestd.log"]) from error
    finally:
        connection.close()
    if reply.status != 200:
        raise SlurmError("SLURM_ERROR", "slurmrestd gave no link", hints=[str(line) for line in found.get("errors", [])])
    return str(found["path"])
