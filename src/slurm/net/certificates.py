"""From files to what a daemon proves itself by and whom it trusts; and their change while it runs.

A daemon has slurm.key, and issues itself a certificate at every start; or it has a certificate instead (`slurm cert make`), with its
private key and the authorities' certificates. Beside slurm.conf, or where TLSParameters says, under the names that Slurm gives them:

    slurm.key                                  the cluster's key; slurm.key.next, slurm.key.old: trusted too, nothing is issued under them
    slurmd_cert.pem, slurmd_cert_key.pem       a certificate and its key: they go before slurm.key (ctld_, sackd_, dbd_, restd_ likewise)
    ca_cert.pem                                authorities that are trusted besides
    slurm.revoked                              serial numbers of certificates that are trusted no longer

Daemons and `slurm cert` only. Not here: what a certificate says (`authority`), connections (`tls`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import stat
from collections.abc import Callable, Collection, Mapping
from typing import NamedTuple

from cryptography import x509

from slurm.model.errors import ConfigError
from slurm.net.authority import Authority
from slurm.net.identity import read_key
from slurm.net.tls import Credentials, Pair, Party

LOOK_SECONDS = 1.0
PREFIXES: Mapping[str, str] = {
    "slurmctld": "ctld", "slurmd": "slurmd", "sackd": "sackd", "sackd-admin": "sackd", "slurmdbd": "dbd", "slurmrestd": "restd"}
"""Role → how Slurm's TLSParameters and file names begin for it."""
NEXT, OLD = ".next", ".old"


class Files(NamedTuple):
    """Where everything of one daemon lies, whether it is there or not."""

    key: str
    certificate: str
    private_key: str
    authorities: str
    revoked: str

    @property
    def all(self) -> tuple[str, ...]:
        """Every file that matters."""
        return (self.key, self.key + NEXT, self.key + OLD, *self[1:])

    @property
    def has_certificate(self) -> bool:
        """Whether there is a certificate: it goes before the key."""
        return os.path.exists(self.certificate)


def files_of(key: str, role: str, parameters: Mapping[str, str], node: str = "") -> Files:
    """The files of a daemon whose slurm.key is (or would be) `key`; `parameters` is TLSParameters, in whose paths %n is the node."""
    folder, prefix = os.path.dirname(key), PREFIXES[role]

    def place(name: str) -> str:
        return (parameters.get(f"{name}_file") or os.path.join(folder, f"{name}.pem")).replace("%n", node)

    return Files(key, place(f"{prefix}_cert"), place(f"{prefix}_cert_key"), place("ca_cert"), os.path.join(folder, "slurm.revoked"))


def load(files: Files, cluster: str, role: str, name: str, owners: Collection[int]) -> Credentials:
    """What these files give this daemon; ConfigError, in a sentence, when they give nothing or cannot be trusted.

    `owners` as in read_key.
    """
    trusted: list[bytes] = []
    own: Pair | None = None
    if files.has_certificate:
        own = Pair(_read(files.certificate, owners), _read(files.private_key, owners, secret=True))
        _must_name(own.certificate, files.certificate, Party(cluster, role, name))
        trusted.append(_read(files.authorities, owners))
    elif os.path.exists(files.key):
        authority = Authority(read_key(files.key, owners), cluster)
        own = authority.issue(role, name)
        trusted.append(authority.certificate)
        if os.path.exists(files.authorities):
            trusted.append(_read(files.authorities, owners))
    else:
        raise ConfigError(message=f"{role} {name} has nothing to prove itself by: there is neither the key {files.key} nor the certificate "
                          f"{files.certificate}", hints=[
            f"copy slurm.key from the controller's machine (mode 0600), or have `slurm cert make {role} {name}` make a certificate there; "
            f"for a new cluster: dd if=/dev/random of={files.key} bs=1024 count=1; chmod 0600 {files.key}"])
    for other in (files.key + NEXT, files.key + OLD):
        if os.path.exists(other):
            trusted.append(Authority(read_key(other, owners), cluster).certificate)
    return Credentials(cluster, own, b"\n".join(trusted), revoked_in(files.revoked, owners))


def revoked_in(path: str, owners: Collection[int]) -> frozenset[str]:
    """The serial numbers in a slurm.revoked; none where there is no such file. ConfigError."""
    if not os.path.exists(path):
        return frozenset()
    found = set()
    for line in _read(path, owners).decode("utf-8", "replace").splitlines():
        serial = line.partition("#")[0].strip().lower()
        if serial and not all(digit in "0123456789abcdef" for digit in serial):
            raise ConfigError(message=f"{path}: {serial} is no serial number of a certificate",
                hints=["`slurm cert revoke` writes this file"])
        if serial:
            found.add(serial.lstrip("0"))
    # The ssl module shows whole bytes, an even number of digits.
    return frozenset(serial.zfill(len(serial) + len(serial) % 2) for serial in found)


def _read(path: str, owners: Collection[int], *, secret: bool = False) -> bytes:
    """A file that belongs to one of `owners` and that nobody else may write, nor read when it is `secret`; ConfigError."""
    try:
        with open(path, "rb") as file:
            facts = os.fstat(file.fileno())
            content = file.read()
    except OSError as error:
        raise ConfigError(message=f"cannot read {path}: {error.strerror}", hints=["`slurm cert make` makes it"]) from error
    if facts.st_mode & (0o077 if secret else 0o022):
        raise ConfigError(message=f"{path} has mode {stat.S_IMODE(facts.st_mode):04o}: others could "
                                  f"{'speak as this daemon' if secret else 'change it'}",
                          hints=[f"chmod {'0600' if secret else '0644'} {path}"])
    if facts.st_uid not in owners:
        raise ConfigError(message=f"{path} belongs to uid {facts.st_uid}", hints=["it must belong to root or SlurmUser"])
    return content


def is_for(files: Files, party: Party) -> bool:
    """Whether there is a certificate and it names this party; ConfigError when it cannot be read."""
    if not files.has_certificate:
        return False
    with open(files.certificate, "rb") as file:
        return _uris(file.read(), files.certificate) == [party.uri]


def _uris(pem: bytes, path: str) -> list[str]:
    try:
        names = x509.load_pem_x509_certificate(pem).extensions.get_extension_for_class(x509.SubjectAlternativeName)
        return names.value.get_values_for_type(x509.UniformResourceIdentifier)
    except (ValueError, x509.ExtensionNotFound) as error:
        raise ConfigError(message=f"{path} is no certificate of slurm-py: {error}") from error


def _must_name(pem: bytes, path: str, party: Party) -> None:
    uris = _uris(pem, path)
    if uris != [party.uri]:
        raise ConfigError(message=f"the certificate {path} is for {', '.join(uris) or 'nobody'}, this is {party.uri}",
                          hints=[f"slurm cert make {party.role} {party.name}"])


def _seen(paths: Collection[str]) -> list[tuple[int, int, int, int] | None]:
    found: list[tuple[int, int, int, int] | None] = []
    for path in paths:
        try:
            facts = os.stat(path)
            found.append((facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
        except OSError:
            found.append(None)
    return found


async def follow(files: Files, changed: Callable[[], None], log: logging.Logger) -> None:
    """Call `changed` whenever one of the files has changed, for as long as this task lives; what it raises is logged, and what held before
    holds on.

    The files are looked at beside the event loop: their folder may be a network's that hangs.
    """
    before = await asyncio.to_thread(_seen, files.all)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        now = await asyncio.to_thread(_seen, files.all)
        if now == before:
            continue
        before = now
        try:
            changed()
        except ConfigError as error:
            log.error("the certificates were not read again: %s", "; ".join(error.lines()))
        except ssl.SSLError as error:
            log.error("the certificates were not read again: %s", error.reason or error)
        else:
            log.info("the certificates were read again")
