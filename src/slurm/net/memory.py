"""The network in memory, for tests: the same peers and links without sockets, with cuts, losses and doubled messages on order.

Deliveries happen in later turns of the event loop, in order, as on a socket. Shipped, so that daemons can be tested in one process.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from enum import Enum

from slurm.model.errors import Unsupported
from slurm.net.framing import FrameBuffer
from slurm.net.link import Listener
from slurm.net.peer import OnMessage, Peer
from slurm.net.tls import Party
from slurm.wire import frames
from slurm.wire.credentials import Identity

RETRY_SECONDS = 0.01


class Fate(Enum):
    """What happens to a message on its way."""

    ARRIVES = "arrives"
    LOST = "lost"
    TWICE = "twice"
    CUT = "cut"  # the connection breaks instead


class MemoryNetwork:
    """Servers by name, and links to them. `fate` decides about each frame: (from the link's side?, codec, payload) → Fate."""

    def __init__(self) -> None:
        self.servers: dict[str, OnMessage] = {}
        self.links: list[MemoryLink] = []
        self.fate: Callable[[bool, int, bytes], Fate] = lambda from_link, codec, payload: Fate.ARRIVES
        self.errors: list[BaseException] = []
        self._tasks: set[asyncio.Future[None]] = set()

    def serve(self, name: str, on_message: OnMessage) -> None:
        """Answer links to `name` from now on."""
        self.servers[name] = on_message

    def stop(self, name: str) -> None:
        """The server dies: its links break, and find nobody until somebody serves the name again."""
        self.servers.pop(name, None)
        for link in self.links:
            if link.name == name:
                link.reconnect("the server died")

    def link(self, name: str, listener: Listener, *, uid: int | None = None, gid: int | None = None,
             party: Party | None = None) -> MemoryLink:
        """A link to the server of this name; `start` it. `party`: it comes from another machine, where this one proved itself."""
        uid = os.getuid() if uid is None else uid
        link = MemoryLink(self, name, listener, Identity(uid=uid, gid=os.getgid() if gid is None else gid, host="memory", issued=0.0),
            party)
        self.links.append(link)
        return link

    def carry_out(self, request: Awaitable[None] | None) -> None:
        """Let a handler go on; what it raises is kept in `errors`."""
        if request is None:
            return
        task = asyncio.ensure_future(request)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Future[None]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.errors.append(error)


class MemoryLink:
    """A link whose other end is a Peer in the same process."""

    def __init__(self, network: MemoryNetwork, name: str, listener: Listener, identity: Identity, party: Party | None = None) -> None:
        self.name = name
        self.peer: Peer | None = None
        self._network = network
        self._listener = listener
        self._identity = identity
        self._party = party
        self._closed = False
        self._started = False

    @property
    def up(self) -> bool:
        """Whether it is connected."""
        return self.peer is not None

    def start(self) -> None:
        """Begin to connect."""
        if not self._started:
            self._started = True
            asyncio.get_running_loop().call_soon(self._connect)

    def send(self, frame: bytes) -> bool:
        """Queue a frame to the server; False when the connection is down."""
        peer = self.peer
        if peer is None:
            return False
        for codec, payload in self._travelling(frame, from_link=True):
            asyncio.get_running_loop().call_soon(self._to_server, peer, codec, payload)
        return True

    async def drained(self) -> None:
        """Nothing queues here."""

    def reconnect(self, why: str) -> None:
        """Break the connection; it is made again a little later."""
        peer, self.peer = self.peer, None
        if peer is None:
            return
        loop = asyncio.get_running_loop()
        loop.call_soon(peer.ended)
        if not self._closed:
            loop.call_soon(self._listener.on_down, why)
            loop.call_later(RETRY_SECONDS, self._connect)

    def leave(self, why: str) -> None:
        """The same: there is one place."""
        self.reconnect(why)

    def elsewhere(self, why: str) -> None:
        """The same."""
        self.reconnect(why)

    async def close(self) -> None:
        """Hang up and stay down."""
        await asyncio.sleep(0)
        self._closed = True
        self.reconnect("closed")

    def _connect(self) -> None:
        if self._closed or self.peer is not None:
            return
        if self.name not in self._network.servers:
            asyncio.get_running_loop().call_later(RETRY_SECONDS, self._connect)
            return
        back = _Back(self)
        self.peer = back.peer = Peer(back, self._identity, local=self._party is None, pid=os.getpid(), party=self._party)
        self._listener.on_up()

    def _to_server(self, peer: Peer, codec: int, payload: bytes) -> None:
        on_message = self._network.servers.get(self.name)
        if on_message is not None and not peer.closed:
            self._network.carry_out(on_message(peer, codec, payload))

    def to_link(self, frame: bytes) -> None:
        """For the server's side: queue a frame to the listener."""
        peer = self.peer
        for codec, payload in self._travelling(frame, from_link=False):
            asyncio.get_running_loop().call_soon(self._to_listener, peer, codec, payload)

    def _to_listener(self, peer: Peer | None, codec: int, payload: bytes) -> None:
        if peer is not None and self.peer is peer:
            self._listener.on_message(codec, payload)

    def _travelling(self, frame: bytes, *, from_link: bool) -> list[tuple[int, bytes]]:
        buffer = FrameBuffer(frames.MAX_PAYLOAD)
        buffer.feed(frame)
        message = buffer.take()
        assert message is not None and not len(buffer), "send takes one whole frame"
        fate = self._network.fate(from_link, *message)
        if fate is Fate.CUT:
            self.reconnect("cut")
        return [message] * {Fate.ARRIVES: 1, Fate.TWICE: 2, Fate.LOST: 0, Fate.CUT: 0}[fate]


class _Back:
    """The line of the server's Peer (net.peer.Line); one that outlived its connection does nothing."""

    def __init__(self, link: MemoryLink) -> None:
        self._link = link
        self.peer: Peer | None = None

    def write(self, frame: bytes) -> None:
        """Queue a frame to the link."""
        if self._link.peer is self.peer:
            self._link.to_link(frame)

    def count_for(self, uid: int) -> None:
        """Nobody's connections are counted here."""

    def hang_up(self) -> None:
        """Close in a later turn, after what was sent."""
        asyncio.get_running_loop().call_soon(self._close)

    def _close(self) -> None:
        if self._link.peer is self.peer:
            self._link.reconnect("the other side closed it")

    async def drained(self) -> None:
        """Nothing queues here."""

    def detach(self) -> tuple[socket.socket, bytes]:
        """There is no socket to give away."""
        raise Unsupported(message="a connection in memory has no socket")
