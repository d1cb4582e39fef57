"""Endpoints: where a daemon listens, as text `unix:/path` or `tcp://host:port`. Light: the commands import it."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from slurm.model.errors import InvalidRequest

_PEERCRED = struct.Struct("3i")
_SUN_PATH = 107
"""Longest path in bytes that a unix socket address holds."""


class Endpoint(NamedTuple):
    """A unix socket (`path` set) or a TCP port on a host."""

    path: str = ""
    host: str = ""
    port: int = 0

    @property
    def is_unix(self) -> bool:
        """Whether it is on this machine and the kernel vouches for who calls."""
        return bool(self.path)

    def __str__(self) -> str:
        if self.path:
            return f"unix:{self.path}"
        return f"tcp://[{self.host}]:{self.port}" if ":" in self.host else f"tcp://{self.host}:{self.port}"


def unix(path: str) -> Endpoint:
    """The endpoint of a unix socket."""
    return Endpoint(path=path)


def tcp(host: str, port: int) -> Endpoint:
    """The endpoint of a TCP port."""
    return Endpoint(host=host, port=port)


def parse(text: str) -> Endpoint:
    """The endpoint of `unix:/path` or `tcp://host:port`; InvalidRequest otherwise."""
    if text.startswith("unix:/"):
        return Endpoint(path=text[5:])
    host, colon, port = text.removeprefix("tcp://").rpartition(":")
    if text.startswith("tcp://") and host and colon and port.isascii() and port.isdigit() and 0 <= int(port) < 65536:
        bracketed = host.startswith("[") and host.endswith("]")
        if bracketed or ":" not in host:
            return Endpoint(host=host[1:-1] if bracketed else host, port=int(port))
    raise InvalidRequest(message=f"Invalid endpoint: {text}", hints=["an endpoint is unix:/path or tcp://host:port"])


def peer_uid(stream: socket.socket) -> int:
    """The user whose process is at the other end of a unix socket, as the kernel says: where it listens, whoever began to listen."""
    return int(_PEERCRED.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))[1])


def mark_of(path: str) -> str:
    """What tells this unix socket from any other, on whatever machine: the machine's boot id, the file's device and inode, its path."""
    facts = os.stat(path)
    return f"{_boot_id()} {facts.st_dev} {facts.st_ino} {path}"


def beside(mark: str) -> Endpoint | None:
    """The unix socket that `mark_of` marked, if it is on this machine and can be seen from here."""
    path = mark.split(" ", 3)[-1]
    if not path.startswith("/"):
        return None
    try:
        return unix(path) if mark_of(path) == mark else None
    except OSError:
        return None


def _boot_id() -> str:
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


@contextmanager
def short_path(path: str) -> Iterator[str]:
    """A name for `path` that fits a unix socket address while the context lasts; state folders may lie deep."""
    if len(os.fsencode(path)) <= _SUN_PATH:
        yield path
        return
    folder, name = os.path.split(path)
    descriptor = os.open(folder, os.O_PATH | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def connected(endpoint: Endpoint, timeout: float | None) -> socket.socket:
    """A blocking socket connected to the endpoint; OSError."""
    if not endpoint.is_unix:
        stream = socket.create_connection((endpoint.host, endpoint.port), timeout)
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream
    stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        stream.settimeout(timeout)
        with short_path(endpoint.path) as path:
            stream.connect(path)
    except BaseException:
        stream.close()
        raise
    return stream
