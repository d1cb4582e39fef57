"""Sockets that listen: unix ones replaced when their owner has died, refusals as sentences."""

from __future__ import annotations

import errno
import os
import resource
import socket
import stat
from contextlib import suppress

from slurm.model.errors import ConfigError
from slurm.net.endpoint import Endpoint, connected, short_path

BACKLOG = 4096


def listen(endpoint: Endpoint, *, mode: int = 0o666) -> socket.socket:
    """A non-blocking listening socket; `mode` of a unix socket's file.

    ConfigError when somebody else has the place or it cannot be made.
    """
    try:
        listener = _unix(endpoint, mode) if endpoint.is_unix else _tcp(endpoint)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(message=f"{endpoint} is in use by another program", hints=[
                "is another daemon running there? stop it, or choose another port (SlurmctldPort, SlurmdPort)"]) from error
        raise ConfigError(message=f"cannot listen at {endpoint}: {error.strerror or error}") from error
    listener.setblocking(False)
    return listener


def _tcp(endpoint: Endpoint) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(endpoint.host or None, endpoint.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def _unix(endpoint: Endpoint, mode: int) -> socket.socket:
    _clear(endpoint)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_path(endpoint.path) as path:
            # Nobody may connect before the mode is set and the queue is open.
            before = os.umask(0o177)
            try:
                listener.bind(path)
            finally:
                os.umask(before)
            listener.listen(BACKLOG)
            os.chmod(path, mode)
    except BaseException:
        listener.close()
        raise
    return listener


def _clear(endpoint: Endpoint) -> None:
    """Remove the socket file of a listener that has died; OSError EADDRINUSE when it lives or is no socket."""
    try:
        facts = os.lstat(endpoint.path)
    except FileNotFoundError:
        return
    if stat.S_ISSOCK(facts.st_mode):
        try:
            connected(endpoint, 1.0).close()
        except ConnectionRefusedError:
            os.unlink(endpoint.path)
            return
    raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


def unlink_own(path: str, inode: int) -> None:
    """Remove a socket file unless somebody has put another in its place, or its folder is not ours any more: the next daemon replaces it
    then."""
    with suppress(FileNotFoundError, PermissionError):
        if os.lstat(path).st_ino == inode:
            os.unlink(path)


def raise_open_files() -> int:
    """Allow this process as many open files as the system grants it; how many."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
