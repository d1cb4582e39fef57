"""Orders to a running slurmstepd over its step.sock. What may be ordered stands in `stepd.control`."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import struct
from collections.abc import Sequence

from slurm.net.endpoint import short_path
from slurm.slurmd.stepd.folder import SOCKET

_RETRY_SECONDS = 0.02
_CREDENTIAL = struct.Struct("3i")


def connect(folder: str) -> socket.socket | None:
    """A connection to the slurmstepd of a step folder; None when nobody listens (not yet, or not any more) or it has no place for another.

    Connecting to a unix socket is done at once or not at all, so there is nothing to wait for.
    """
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with short_path(os.path.join(folder, SOCKET)) as path:
            connection.connect(path)
    except OSError:
        connection.close()
        return None
    return connection


def listener(connection: socket.socket) -> int:
    """The process that listens at the other end, whether it answers or not."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIAL.size)
    pid: int = _CREDENTIAL.unpack(raw)[0]
    return pid


def pid_of(folder: str) -> int:
    """The process that listens at a step's socket; 0 when none does, or it has no place for another connection."""
    connection = connect(folder)
    if connection is None:
        return 0
    with connection:
        return listener(connection)


def is_in(pid: int, folder: str) -> bool:
    """Whether a process lives and has a step's folder as its current one, as its slurmstepd has."""
    try:
        return os.path.samefile(f"/proc/{pid}/cwd", folder)
    except OSError:
        return False


async def ask(
        folder: str, order: dict[str, object], seconds: float = 10.0, *, descriptors: Sequence[int] = ()) -> dict[str, object] | None:
    """Give an order, `descriptors` with it, and return the answer; None when no slurmstepd took it within `seconds`: it is starting up for
    long, or has ended."""
    try:
        async with asyncio.timeout(seconds):
            while os.path.isdir(folder):
                connection = connect(folder)
                if connection is not None:
                    return await _exchange(connection, order, descriptors)
                await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        return None
    return None


async def _exchange(connection: socket.socket, order: dict[str, object], descriptors: Sequence[int]) -> dict[str, object] | None:
    loop = asyncio.get_running_loop()
    with connection:
        try:
            text = json.dumps(order).encode() + b"\n"
            if descriptors:
                text = text[socket.send_fds(connection, [text], descriptors):]
            await loop.sock_sendall(connection, text)
            answer = b""
            while not answer.endswith(b"\n"):
                data = await loop.sock_recv(connection, 65536)
                if not data:
                    return None
                answer += data
        except OSError:
            return None
    found: dict[str, object] = json.loads(answer)
    return found


async def until_closed(connection: socket.socket) -> None:
    """Wait until the slurmstepd at the other end closes the connection, by ending in order or otherwise."""
    loop = asyncio.get_running_loop()
    with connection:
        try:
            while await loop.sock_recv(connection, 4096):
                continue
        except OSError:
            return
