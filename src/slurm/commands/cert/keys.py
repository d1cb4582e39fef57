"""What the subcommands of `slurm cert` share: the cluster that is meant, its key files, and what was issued under them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import NamedTuple

from cryptography import x509

from slurm.config.config import Config, load
from slurm.daemon.user import find
from slurm.model.errors import ConfigError, InvalidRequest
from slurm.net.authority import Authority
from slurm.net.certificates import NEXT, OLD, Files, files_of, revoked_in
from slurm.net.discovery import find_site
from slurm.net.identity import read_key


class Issued(NamedTuple):
    """A line of slurm.issued: a certificate that `slurm cert make` made."""

    serial: str
    role: str
    name: str
    at: str
    key_id: str


class Keys:
    """The key files of the cluster that `environ` means. ConfigError where they cannot be used."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        site = find_site(environ)
        self.config: Config = load(site.conf)
        self.cluster = site.cluster
        self.path = site.key
        self.owners = {0, os.geteuid(), find(self.config.text("SlurmUser") or "root", "SlurmUser").uid}

    @property
    def revoked_path(self) -> str:
        """Where revoked serial numbers stand."""
        return self.files("slurmd").revoked

    @property
    def issued_path(self) -> str:
        """Where it is written down what was made."""
        return os.path.join(os.path.dirname(self.path), "slurm.issued")

    def files(self, role: str, node: str = "") -> Files:
        """The files of a daemon on this machine."""
        return files_of(self.path, role, self.config.options("TLSParameters"), node)

    def authority(self, suffix: str = "") -> Authority:
        """The authority of slurm.key, or of slurm.key.next or .old."""
        return Authority(read_key(self.path + suffix, self.owners), self.cluster)

    def trusted(self) -> list[Authority]:
        """The authorities of all keys that are here, that of slurm.key first."""
        return [self.authority(), *(self.authority(suffix) for suffix in (NEXT, OLD) if os.path.exists(self.path + suffix))]

    def bundle(self) -> bytes:
        """What ca_cert.pem must be on a machine without the key (PEM)."""
        return b"".join(authority.certificate for authority in self.trusted())

    def issued(self) -> list[Issued]:
        """What `slurm cert make` made here, oldest first."""
        try:
            with open(self.issued_path, encoding="utf-8") as file:
                return [Issued(*words) for line in file if len(words := line.split()) == len(Issued._fields)]
        except FileNotFoundError:
            return []

    def note(self, certificate: bytes, role: str, name: str) -> str:
        """Write down that this certificate was made; its serial number."""
        serial = serial_of(certificate)
        at = time.strftime("%Y-%m-%dT%H:%M:%S")
        _append(self.issued_path, f"{serial} {role} {name} {at} {self.authority().key_id}\n", self.path)
        return serial

    def revoked(self) -> frozenset[str]:
        """Serial numbers that are trusted no longer."""
        return revoked_in(self.revoked_path, self.owners)

    def revoke(self, serial: str, note: str) -> None:
        """Have every daemon that reads these files refuse this certificate."""
        _append(self.revoked_path, f"{serial}  # {note}, {time.strftime('%Y-%m-%dT%H:%M:%S')}\n", self.path)


def serial_of(pem: bytes) -> str:
    """The serial number of a certificate as the ssl module shows it: whole bytes in lower-case hex. InvalidRequest."""
    try:
        digits = f"{x509.load_pem_x509_certificate(pem).serial_number:x}"
    except ValueError as error:
        raise InvalidRequest(message=f"this is no certificate: {error}") from error
    return digits.zfill(len(digits) + len(digits) % 2)


def write(path: str, content: bytes, mode: int, like: str = "") -> None:
    """A new file, whole or not at all, owned as `like` is; ConfigError."""
    try:
        descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, mode)
            if like:
                _own_as(descriptor, like)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        os.replace(f"{path}.new", path)
    except OSError as error:
        raise ConfigError(message=f"cannot write {path}: {error.strerror}") from error


def _append(path: str, line: str, like: str) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            _own_as(descriptor, like)
            file.write(line)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise ConfigError(message=f"cannot write {path}: {error.strerror}", hints=[
            "it lies beside slurm.key and belongs to whom that belongs"]) from error


def _own_as(descriptor: int, like: str) -> None:
    """A slurmctld that became SlurmUser must be able to read what root made."""
    facts = os.stat(like)
    if os.geteuid() == 0:
        os.fchown(descriptor, facts.st_uid, facts.st_gid)
