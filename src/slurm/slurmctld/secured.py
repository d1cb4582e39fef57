"""What the controller proves itself by to other machines and whom it trusts there, kept up to date while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Collection, Iterable

from slurm.config.config import Config
from slurm.net import certificates
from slurm.net.server import Server
from slurm.net.tls import Credentials, Trust

log = logging.getLogger("slurmctld.net")
ROLE = "slurmctld"


def key_path(conf: Config) -> str:
    """Where slurm.key is."""
    return os.environ.get("SLURM_SACK_KEY") or os.path.join(os.path.dirname(os.path.abspath(conf.path)), "slurm.key")


class Secured:
    """The controller's certificate and trust. `owners` are the uids to which its files may belong; ConfigError says what it needs."""

    def __init__(self, conf: Config, owners: Collection[int]) -> None:
        self._files = certificates.files_of(key_path(conf), ROLE, conf.options("TLSParameters"))
        self._cluster = conf.cluster_name
        self._owners = owners
        self._name = os.uname().nodename
        self.trust = Trust(self._load())

    def _load(self) -> Credentials:
        return certificates.load(self._files, self._cluster, ROLE, self._name, self._owners)

    async def follow(self, server: Server) -> None:
        """Take up changed files for as long as this task lives; the connections of those that are trusted no longer end at once."""
        def changed() -> None:
            self.trust.replace(self._load())
            server.recheck()

        await certificates.follow(self._files, changed, log)


async def reserve(server: Server, names: Iterable[str]) -> None:
    """Give the nodes of these addresses (names or numbers) their own places. Names are looked up beside the event loop."""
    server.reserve(await asyncio.to_thread(_addresses, list(names)))


def _addresses(names: list[str]) -> set[str]:
    found: set[str] = set()
    for name in dict.fromkeys(names):
        try:
            found.update(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
        except OSError as error:
            log.warning("the address of node %s is not known: %s; its slurmd is served among strangers", name, error.strerror or error)
    return found
