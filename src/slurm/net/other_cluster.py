"""The way to the slurmctld of another cluster, at the machine and port that it registered with slurmdbd."""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.errors import Unreachable, Unsupported
from slurm.net import client, discovery
from slurm.net.client import Connection
from slurm.net.endpoint import tcp


def connect(environ: Mapping[str, str], name: str, host: str, port: int) -> Connection:
    """A connection to the slurmctld of another cluster. Unsupported where nothing would prove who is at either end; Unreachable."""
    site = discovery.find_site(environ)
    if site.auth.lower() != "auth/munge" and not site.token:
        raise Unsupported(message=f"cluster {name} cannot be reached from here with AuthType={site.auth}", hints=[
            "clusters prove themselves to each other's commands by MUNGE with one key (AuthType=auth/munge), or with SLURM_JWT",
            f"or set SLURM_CONF to the slurm.conf of cluster {name} on a machine of it"])
    try:
        return client.reach(site._replace(cluster=name, endpoints=(tcp(host, port),), relays=(), host=host, embedded=False))
    except Unreachable as error:
        raise Unreachable(message=error.message, hints=[f"cluster {name} registered {host}:{port}", *error.hints]) from error
