"""The way to accounting where no slurmctld answers, which passes questions on to slurmdbd: that one is asked itself.

slurmdbd knows who asks at its own socket on its machine, and by MUNGE from other machines; where AuthType is auth/slurm no command has what
it could prove itself by to slurmdbd on another machine, and only the way through slurmctld is left.
"""

from __future__ import annotations

from collections.abc import Mapping

from slurm.model.errors import SlurmError, Unreachable
from slurm.net import client
from slurm.net.client import Connection
from slurm.net.discovery import Site, find_site
from slurm.net.endpoint import connected

DATABASE = "slurmdbd"


def connect_accounting(environ: Mapping[str, str]) -> Connection:
    """A connection by which accounting of the cluster that `environ` means can be asked: to slurmctld, where none answers to slurmdbd.

    Unreachable says what was tried.
    """
    site = find_site(environ)
    try:
        return client.reach(site, 0.0)
    except Unreachable:
        return instead(site)


def instead(site: Site) -> Connection:
    """A connection to slurmdbd of a site whose slurmctld did not answer just now, or to that one yet; Unreachable says what was tried."""
    tried: list[str] = []
    connection = None if site.token else direct(site, tried)
    if connection is not None:
        return connection
    try:
        return client.reach(site)  # it may be starting
    except Unreachable as error:
        raise Unreachable(error.name, message=error.message, hints=[*error.hints, *tried]) from error


def direct(site: Site, tried: list[str]) -> Connection | None:
    """A connection to the first slurmdbd that answers; why others did not is added to `tried`."""
    for endpoint in site.database:
        try:
            stream = connected(endpoint, client.CONNECT_SECONDS)
            connection = client.Connection(stream, endpoint) if endpoint.is_unix else client.proved_by_munge(stream, endpoint, site,
                DATABASE)
        except OSError as error:
            tried.append(f"tried slurmdbd at {endpoint}: {error.strerror or error}")
            continue
        try:
            connection.call({"type": "OfCluster", "cluster": site.cluster})
        except SlurmError as error:
            connection.close()
            tried.append(f"tried slurmdbd at {endpoint}: {'; '.join(error.lines())}")
            continue
        return connection
    return None
