"""A port of this machine that leads, over ssh, to one that only the cluster's machines reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from slurm.sdk.backends.ssh_login import Login
from slurm.sdk.errors import BackendError

KEEPALIVE_SECONDS, KEEPALIVES = 15, 3


def forward(login: Login, here: int, host: str, port: int, opened: Callable[[int], object]) -> None:
    """Lead connections to 127.0.0.1:`here` to host:port beyond the login node, until the connection is cut; `opened` is told the port (0:
    any)."""
    asyncio.run(_forward(login, here, host, port, opened))


async def _forward(login: Login, here: int, host: str, port: int, opened: Callable[[int], object]) -> None:
    async with await login.open(keepalive=KEEPALIVE_SECONDS, keepalives=KEEPALIVES) as connection:
        try:
            listener = await connection.forward_local_port("127.0.0.1", here, host, port)
        except OSError as error:
            raise BackendError(f"port {here} of this machine cannot be had: {error.strerror or error}") from error
        opened(listener.get_port())
        await connection.wait_closed()
    raise BackendError(f"{login}: the connection was cut")
