"""HTTPS: by which certificate slurmrestd is known to its clients, which is the site's and no daemon's."""

from __future__ import annotations

import os
import ssl
import stat
from typing import NamedTuple

from slurm.model.errors import ConfigError
from slurm.net import certificates
from slurm.net.discovery import Site

ROLE = "slurmrestd"
PREFIX = "https://"
_PROTOCOLS = ["http/1.1"]


class Identity(NamedTuple):
    """The files of a certificate, with those that vouch for it behind it, and of its key."""

    certificate: str
    key: str


def identity(site: Site, parameters: dict[str, str]) -> Identity:
    """Where they lie: restd_cert.pem and restd_cert_key.pem beside slurm.conf, or where TLSParameters says."""
    files = certificates.files_of(site.key, ROLE, parameters)
    return Identity(files.certificate, files.private_key)


def context(of: Identity) -> ssl.SSLContext:
    """TLS 1.2 or later by this certificate. ConfigError."""
    found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    found.set_alpn_protocols(_PROTOCOLS)
    load(found, of)
    return found


def load(into: ssl.SSLContext, of: Identity) -> None:
    """Be known by what these files hold now. ConfigError: what held before holds on."""
    try:
        mode = os.stat(of.key).st_mode
        if mode & 0o077:
            raise ConfigError(message=f"{of.key} has mode {stat.S_IMODE(mode):04o}: others could speak as this slurmrestd",
                hints=[f"chmod 0600 {of.key}"])
        into.load_cert_chain(of.certificate, of.key, password=lambda: "")
    except ssl.SSLError as error:
        raise ConfigError(message=f"{of.certificate} and {of.key} are no certificate and its key: {error.reason or error}") from error
    except OSError as error:
        raise ConfigError(message=f"HTTPS needs {of.certificate} and {of.key}: {error.strerror or error}", hints=[
            "a certificate that clients trust, in PEM, with those that vouch for it behind it; TLSParameters=restd_cert_file=…,"
            "restd_cert_key_file=… says where they are"]) from error
