"""Orders to a running slurmstepd over its step.sock. What may be ordered stands in `stepd.control`."""

from __future__ import annotations

import asyncio
import json
import os
import socket

from slurm.net.endpoint import short_path
from slurm.slurmd.stepd.folder import SOCKET

_RETRY_SECONDS = 0.02


async def connect(folder: str) -> socket.socket | None:
    """A connection to the slurmstepd of a step folder; None when nobody listens (not yet, or not any more)."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        with short_path(os.path.join(folder, SOCKET)) as path:
            await asyncio.get_running_loop().sock_connect(connection, path)
    except (FileNotFoundError, ConnectionError, BlockingIOError):
        connection.close()
        return None
    return connection


async def ask(folder: str, order: dict[str, object], seconds: float = 10.0) -> dict[str, object] | None:
    """Give an order and return the answer; None when no slurmstepd took it within `seconds`: it is starting up for long, or has ended."""
    try:
        async with asyncio.timeout(seconds):
            while os.path.isdir(folder):
                connection = await connect(folder)
                if connection is not None:
                    return await _exchange(connection, order)
                await asyncio.sleep(_RETRY_SECONDS)
    except TimeoutError:
        return None
    return None


async def _exchange(connection: socket.socket, order: dict[str, object]) -> dict[str, object] | None:
    loop = asyncio.get_running_loop()
    with connection:
        try:
            await loop.sock_sendall(connection, json.dumps(order).encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                data = await loop.sock_recv(connection, 65536)
                if not data:
                    return None
                answer += data
        except ConnectionError:
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
        except ConnectionError:
            return
