"""Unix sockets of the C module; TCP, name resolution and everything else by the real `socket`."""

from __future__ import annotations

import _socket
from _socket import AF_UNIX, IPPROTO_TCP, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, TCP_NODELAY

__all__ = ["AF_UNIX", "IPPROTO_TCP", "SOCK_STREAM", "SOL_SOCKET", "SO_PEERCRED", "TCP_NODELAY", "socket"]


class socket(_socket.socket):  # noqa: N801 — its name in socket
    """A socket that may be used in a with statement; it makes no files."""

    __slots__ = ()

    def __enter__(self) -> socket:
        return self

    def __exit__(self, *reason: object) -> None:
        self.close()


def __getattr__(name: str) -> object:
    if name.startswith("__"):
        raise AttributeError(name)
    import socket as real

    return getattr(real, name)
