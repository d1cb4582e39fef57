"""A command's or daemon's side of auth/munge: TLS to a certificate that nobody vouches for, then MUNGE, which says whose it is
(munge_proof).

Loaded only where AuthType=auth/munge and slurmctld is on another machine. Blocking.
"""

from __future__ import annotations

import pwd
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from slurm.model.errors import ConfigError, ProtocolError
from slurm.net.discovery import Site
from slurm.net.munge import Munge
from slurm.net.munge_proof import answered, greeting
from slurm.net.tls import refused

_ANSWER_SECONDS = 20.0


def secured(stream: socket.socket) -> ssl.SSLSocket:
    """The connection as TLS 1.3, with whomever; say nothing on it before `prove`. ProtocolError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        return context.wrap_socket(stream)
    except ssl.SSLError as error:
        raise refused(error) from error


def prove(stream: ssl.SSLSocket, call: Callable[[Mapping[str, Any], float], dict[str, Any]], site: Site, to: str) -> None:
    """Both sides prove who they are: we to the daemon `to`, it to us. `call` sends a message and returns its answer.

    NotPermitted, Unreachable.
    """
    certificate = stream.getpeercert(binary_form=True)
    if certificate is None:
        raise ProtocolError(hints=["the other side showed no certificate"])
    owner = uid_of(site.slurm_user)
    munge = Munge(site.munge_socket, site.munge_ttl)
    said = greeting(site.cluster, to, certificate)
    reply = call({"type": "Hello", "token": munge.seal(said.text(), reader=owner)}, _ANSWER_SECONDS)
    sealed = munge.open(str(reply.get("token", "")))
    answered(sealed.text, said, sealed.uid, {0, owner})


def uid_of(user: str) -> int:
    """The uid of SlurmUser, which only its name is known of. ConfigError."""
    if user.isdecimal():
        return int(user)
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError as error:
        raise ConfigError(message=f"SlurmUser={user}: there is no such user on this machine", hints=[
            "with auth/munge it is the user that slurmctld must prove to be"]) from error
