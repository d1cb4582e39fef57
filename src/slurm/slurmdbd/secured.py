"""What slurmdbd proves itself by and whom it trusts: controllers of any cluster, each by the authority of that cluster's name.

A client names its cluster as it connects (net.tls sends it as the server's name), and is answered with a certificate of that cluster: with
one slurm.key for all of them every cluster has an authority of its own, and none needs to be configured. A slurmdbd that has a certificate
instead of the key serves the cluster that its certificate names.
"""

from __future__ import annotations

import logging
import os
import secrets
import ssl
from collections import OrderedDict
from collections.abc import Callable, Collection

from slurm.config.slurmdbd import DbdConfig
from slurm.model.errors import ConfigError, SlurmError
from slurm.net import certificates, munge
from slurm.net.authority import Authority
from slurm.net.munge_server import MungeVerifier
from slurm.net.server import Server
from slurm.net.tls import Credentials, Party, Trust, cluster_in

log = logging.getLogger("slurmdbd.net")
ROLE = "slurmdbd"
NOBODY = "slurmdbd"
"""The cluster of the certificate that a client gets which names none: one that knows us by MUNGE."""
MOST_CLUSTERS = 64
_MUNGE_SECONDS = 10.0


class ClusterTrust(Trust):
    """One trust for each cluster that a client names. `credentials_of` gives what a cluster's is made of; ConfigError: it is not served."""

    def __init__(self, credentials_of: Callable[[str], Credentials], nobody: Credentials) -> None:
        self._credentials_of = credentials_of
        self._clusters: OrderedDict[str, Trust] = OrderedDict()
        super().__init__(nobody)

    def replace(self, credentials: Credentials) -> None:
        """Files have changed: everything is made anew when it is needed."""
        self._clusters.clear()
        super().replace(credentials)
        for anonymous in (False, True):
            self.server_context(anonymous=anonymous).sni_callback = self._choose(anonymous)

    def of(self, cluster: str) -> Trust:
        """The trust of this cluster; ConfigError."""
        found = self._clusters.get(cluster)
        if found is None:
            found = self._clusters[cluster] = Trust(self._credentials_of(cluster))
            if len(self._clusters) > MOST_CLUSTERS:
                self._clusters.popitem(last=False)
        self._clusters.move_to_end(cluster)
        return found

    def _choose(self, anonymous: bool) -> Callable[[ssl.SSLObject, str | None, ssl.SSLContext], int | None]:
        def choose(connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> int | None:
            if name is None:
                return None
            try:
                connection.context = self.of(cluster_in(name)).server_context(anonymous=anonymous)
            except (SlurmError, ValueError) as error:
                log.warning("a connection for cluster %r is refused: %s", name[:100], error)
                return ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
            return None

        return choose

    def refusal(self, party: Party) -> str:
        """Why a party is not trusted (any longer), "" when it is."""
        try:
            return self.of(party.cluster).refusal(party)
        except SlurmError as error:
            return error.message


def key_path(conf: DbdConfig) -> str:
    """Where slurm.key is."""
    return os.environ.get("SLURM_SACK_KEY") or os.path.join(os.path.dirname(os.path.abspath(conf.path)), "slurm.key")


class Secured:
    """auth/slurm: certificates under slurm.key, or one that was made elsewhere. `owners` are the uids to which the files may belong."""

    def __init__(self, conf: DbdConfig, owners: Collection[int]) -> None:
        parameters = {name: value for name, _, value in (word.partition("=") for word in conf.words("TLSParameters"))}
        self._files = certificates.files_of(key_path(conf), ROLE, parameters)
        self._owners = owners
        self._name = os.uname().nodename
        self.trust = ClusterTrust(self._load, self._nobody())

    def _load(self, cluster: str) -> Credentials:
        return certificates.load(self._files, cluster, ROLE, self._name, self._owners)

    def _nobody(self) -> Credentials:
        """What a client sees that names no cluster: nothing that is trusted by anybody, as long as there are files for the others."""
        if not (self._files.has_certificate or os.path.exists(self._files.key)):
            self._load(NOBODY)  # says what is missing
        return Authority(secrets.token_bytes(32), NOBODY).credentials(ROLE, self._name)

    async def follow(self, server: Server) -> None:
        """Take up changed files for as long as this task lives."""
        def changed() -> None:
            self.trust.replace(self._nobody())
            server.recheck()

        await certificates.follow(self._files, changed, log)


class Munged:
    """auth/munge: certificates of our own making, which nobody vouches for; MUNGE says whose they are, and who asks."""

    def __init__(self, conf: DbdConfig) -> None:
        info = {name: value for name, _, value in (word.partition("=") for word in conf.words("AuthInfo"))}
        ttl = info.get("ttl", "")
        if ttl and not ttl.isdecimal():
            raise ConfigError(message=f"{conf.path}: AuthInfo=ttl={ttl} is no number of seconds")
        # "AuthInfo=/var/run/munge/munge.socket.2" is an older way to say socket=.
        plain = next((name for name in info if name.startswith("/")), "")
        self.socket = info.get("socket") or plain or munge.SOCKET
        self._munge = munge.Munge(self.socket, int(ttl or 0))
        held = Authority(secrets.token_bytes(32), NOBODY).credentials(ROLE, os.uname().nodename)
        assert held.own is not None
        self.trust = Trust(held)
        self.verify = MungeVerifier(self._munge, "", ROLE, held.own.certificate)

    async def why_not(self) -> str:
        """Why munged cannot be asked now, "" when it can."""
        return await self._munge.why_not(_MUNGE_SECONDS)
