"""A server in a thread of its own for tests that use blocking sockets, under asyncio's and uvloop's event loop."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvloop

from slurm.net.endpoint import Endpoint
from slurm.net.gate import trusted
from slurm.net.peer import OnMessage, Peer
from slurm.net.server import Limits, Server
from slurm.net.tls import Trust
from slurm.wire import frames
from slurm.wire.credentials import Identity

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
_NUMBERS = itertools.count()


def echo(peer: Peer, codec: int, payload: bytes) -> None:
    """Send every message back, with who sent it."""
    reply = {"echo": json.loads(payload), "uid": peer.identity.uid, "pid": peer.pid}
    peer.send(frames.pack(codec, json.dumps(reply).encode()))


class Running:
    """A server at work: where it listens, what it logged."""

    def __init__(self, server: Server, loop: asyncio.AbstractEventLoop) -> None:
        self.server = server
        self.loop = loop
        self.endpoint = Endpoint()
        self.lines: list[str] = []

    def ask(self, question: Callable[[], Any]) -> Any:
        """The answer to a question asked in the server's thread."""
        async def asked() -> Any:
            return question()

        return asyncio.run_coroutine_threadsafe(asked(), self.loop).result(10)

    @property
    def connections(self) -> int:
        """How many are connected."""
        return int(self.ask(lambda: self.server.connections))


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self._lines.append(record.getMessage())


@contextmanager
def serving(endpoint: Endpoint, on_message: OnMessage = echo, *, limits: Limits | None = None,
            verify: Callable[[str], Identity] | None = None, loop: str = "uvloop", first: Callable[[int], bool] = trusted,
            trust: Trust | None = None) -> Iterator[Running]:
    """Serve `endpoint` until the context ends."""
    log = logging.getLogger(f"test.{next(_NUMBERS)}")
    log.propagate = False
    event_loop = LOOPS[loop]()
    running = Running(Server(on_message, verify=verify, limits=limits, log=log, first=first, trust=trust), event_loop)
    log.addHandler(_Lines(running.lines))
    thread = threading.Thread(target=event_loop.run_forever)
    thread.start()
    try:
        running.endpoint = asyncio.run_coroutine_threadsafe(running.server.listen(endpoint), event_loop).result(10)
        yield running
    finally:
        asyncio.run_coroutine_threadsafe(running.server.close(), event_loop).result(10)
        event_loop.call_soon_threadsafe(event_loop.stop)
        thread.join()
        event_loop.close()
