"""TLS handshakes: who has not ended his counts among the silent, so that they are few in all and few from one place."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

from slurm.slurmrestd.visitors import Visit, Visitors

SECONDS = 10.0
"""A handshake that takes longer ends."""
_Protocols = Callable[[], asyncio.Protocol]


class Handshake(asyncio.Protocol):
    """A connection until its handshake is over; then it is that of a protocol that `protocols` makes.

    `source` says where a connection comes from, `running` holds the handshakes that are under way.
    """

    def __init__(self, context: ssl.SSLContext, protocols: _Protocols, visitors: Visitors, source: Callable[[asyncio.BaseTransport], str],
            running: set[asyncio.Task[None]]) -> None:
        self._context = context
        self._protocols = protocols
        self._visitors = visitors
        self._source = source
        self._running = running

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Called by the loop."""
        visit = Visit(self._source(transport), transport.abort)
        self._visitors.enter(visit)
        task = asyncio.get_running_loop().create_task(self._run(transport, visit))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, transport: asyncio.Transport, visit: Visit) -> None:
        early = _Early()
        if transport.is_closing():
            return
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, early, self._context, server_side=True, ssl_handshake_timeout=SECONDS)
        except OSError:  # as ssl.SSLError, and what its time or a crowd ended
            transport.abort()
            return
        finally:
            self._visitors.leave(visit)
        if secured is None or early.lost:
            return
        protocol = self._protocols()
        secured.set_protocol(protocol)
        protocol.connection_made(secured)
        early.hand_over(protocol)


class _Early(asyncio.Protocol):
    """Keeps what comes together with the end of the handshake, which is little: the next protocol takes over in the same turn or the next."""

    def __init__(self) -> None:
        self.lost = False
        self._data: list[bytes] = []
        self._ended = False

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._data.append(data)

    def eof_received(self) -> bool:
        """Called by the loop."""
        self._ended = True
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.lost = True

    def hand_over(self, protocol: asyncio.Protocol) -> None:
        """All of it."""
        for data in self._data:
            protocol.data_received(data)
        if self._ended:
            protocol.eof_received()
