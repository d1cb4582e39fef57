"""What the controller proves itself by to other machines and whom it trusts there, kept up to date while it runs."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Collection, Coroutine, Iterable

from slurm.config.config import Config
from slurm.model.errors import ConfigError
from slurm.net import certificates, munge
from slurm.net.authority import Authority
from slurm.net.identity import read_key
from slurm.net.link import Prover
from slurm.net.munge_link import MungeProver
from slurm.net.munge_server import MungeVerifier
from slurm.net.server import Server
from slurm.net.tls import Credentials, Trust
from slurm.slurmctld import credential_key
from slurm.slurmctld.certifying import Certifier

log = logging.getLogger("slurmctld.net")
ROLE = "slurmctld"
_MUNGE_SECONDS = 10.0


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
        self.authority: Authority | None = None
        self.trust = Trust(self._load())

    def certifier(self) -> Certifier | None:
        """Who vouches for users, None where there is only a certificate and no slurm.key."""
        return Certifier(lambda: self._held, self.trust) if self.authority is not None else None

    @property
    def _held(self) -> Authority:
        assert self.authority is not None
        return self.authority

    def _load(self) -> Credentials:
        if os.path.exists(self._files.key):
            self.authority = Authority(read_key(self._files.key, self._owners), self._cluster)
        return certificates.load(self._files, self._cluster, ROLE, self._name, self._owners)

    async def follow(self, server: Server) -> None:
        """Take up changed files for as long as this task lives; the connections of those that are trusted no longer end at once."""
        def changed() -> None:
            self.trust.replace(self._load())
            server.recheck()

        await certificates.follow(self._files, changed, log)


class Munged:
    """The same with auth/munge, where there is no slurm.key: the controller makes itself an authority, and MUNGE says whose it is."""

    def __init__(self, conf: Config, owners: Collection[int]) -> None:
        info = conf.options("AuthInfo")
        ttl = info.get("ttl", "")
        if ttl and not ttl.isdecimal():
            raise ConfigError(message=f"{conf.path}: AuthInfo=ttl={ttl} is no number of seconds")
        self.socket = info.get("socket") or munge.SOCKET
        self._munge = munge.Munge(self.socket, int(ttl or 0))
        made = Authority(credential_key.authority(conf.state_save_location, owners), conf.cluster_name)
        held = made.credentials(ROLE, os.uname().nodename)
        assert held.own is not None
        self.trust = Trust(held)
        self.verify = MungeVerifier(self._munge, conf.cluster_name, ROLE, held.own.certificate)
        self.certifier = Certifier(lambda: made, self.trust)

    def prover(self, to: str, owner: int) -> Prover:
        """What proves this controller to another daemon, which runs as root or `owner`."""
        return MungeProver(self._munge, self.trust.cluster, to, owner, {0, owner})

    async def why_not(self) -> str:
        """Why munged cannot be asked now, "" when it can."""
        return await self._munge.why_not(_MUNGE_SECONDS)


def reserve(server: Server, names: Iterable[str]) -> Coroutine[None, None, None] | None:
    """Give the nodes of these addresses their own places: at once where they are numbers; what is returned looks up the names beside the
    event loop."""
    numbers: set[str] = set()
    others: list[str] = []
    for name in dict.fromkeys(names):
        if _is_number(name):
            numbers.add(name)
        else:
            others.append(name)
    server.reserve(numbers)
    return _reserve_names(server, numbers, others) if others else None


async def _reserve_names(server: Server, numbers: set[str], names: list[str]) -> None:
    server.reserve(numbers | await asyncio.to_thread(_addresses, names))


def _is_number(name: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, name)
            return True
        except OSError:
            continue
    return False


def _addresses(names: list[str]) -> set[str]:
    found: set[str] = set()
    for name in names:
        try:
            found.update(str(entry[4][0]) for entry in socket.getaddrinfo(name, None, type=socket.SOCK_STREAM))
        except OSError as error:
            log.warning("the address of node %s is not known: %s; its slurmd is served among strangers", name, error.strerror or error)
    return found
