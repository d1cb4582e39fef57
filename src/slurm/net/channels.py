"""Channels: many byte streams over one connection, each with a window of its own. One end; both ends are alike.

Lives here: windows, turns, order. Not here: what a channel is at this end (its `Holder`: a command's socket, net.relay; a caller of
slurmctld, net.relayed), what the messages look like (`wire.relay_messages`).
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable
from typing import Protocol

from slurm.model.errors import ProtocolError
from slurm.wire.messages import Message
from slurm.wire.relay_messages import CHUNK, WINDOW, ChannelData, ChannelGrant, CloseChannel, OfChannel

log = logging.getLogger("slurm.net")


class Holder(Protocol):
    """Whom a channel tells what happens; called in the event loop, in order."""

    def on_data(self, data: bytes) -> None:
        """Bytes came; say `channel.taken` once they lie here no longer."""

    def on_progress(self) -> None:
        """Something of what was written has left."""

    def on_closed(self, by_other: bool) -> None:
        """The channel is over: the other end closed it (True), or the connection that carried it broke."""


class Channel:
    """One stream. Writes are kept here until the other end has room: look at `unsent`."""

    __slots__ = ("_carrier", "_granted", "_pieces", "_room", "_taken", "closing", "holder", "number", "over", "unsent")

    def __init__(self, carrier: Channels, number: int, holder: Holder) -> None:
        self.number = number
        self.holder = holder
        self.unsent = 0  # bytes written here that have not left
        self.closing = False
        self.over = False
        self._carrier = carrier
        self._pieces: deque[memoryview] = deque()
        self._room = WINDOW  # what the other end still takes
        self._granted = WINDOW  # what it may still send
        self._taken = 0  # of what it sent, taken and not granted anew yet

    def write(self, data: bytes) -> None:
        """Queue bytes; nothing happens on a channel that is over or closing."""
        if data and not (self.closing or self.over):
            self._pieces.append(memoryview(data))
            self.unsent += len(data)
            self._carrier.wants_to_send(self)

    def close(self) -> None:
        """End it once what was written has left. The holder is told nothing."""
        if not (self.closing or self.over):
            self.closing = True
            self._carrier.wants_to_send(self)

    def abort(self) -> None:
        """End it now; what has not left is lost. The holder is told nothing."""
        if not self.over:
            self._carrier.forget(self)
            self._carrier.send(CloseChannel(channel=self.number))

    def taken(self, size: int) -> None:
        """So many bytes of what came lie here no longer: as many may come."""
        self._taken += size
        if self._taken >= WINDOW // 2 and not self.over:
            self._granted += self._taken
            self._carrier.send(ChannelGrant(channel=self.number, size=self._taken))
            self._taken = 0

    # --- for Channels ------------------------------------------------------------------------------------------------------

    @property
    def sendable(self) -> bool:
        """Whether something can leave now: bytes that the other end has room for, or the end itself."""
        return not self.over and (self._room > 0 if self.unsent else self.closing)

    def next_message(self) -> Message:
        """What leaves next; asked when `sendable`."""
        if not self.unsent:
            self._carrier.forget(self)
            return CloseChannel(channel=self.number)
        size = min(CHUNK, self._room)
        piece = self._pieces[0]
        if len(piece) > size:
            self._pieces[0] = piece[size:]
            data = bytes(piece[:size])
        else:
            data = bytes(self._pieces.popleft())
        self.unsent -= len(data)
        self._room -= len(data)
        return ChannelData(channel=self.number, data=data)

    def on_data(self, data: bytes) -> None:
        """Bytes came; ProtocolError when they are more than was granted."""
        if len(data) > self._granted:
            raise ProtocolError(message=f"channel {self.number}: more was sent than its window holds")
        self._granted -= len(data)
        self.holder.on_data(data)

    def on_grant(self, size: int) -> None:
        """The other end has room again; ProtocolError when it never can have so much."""
        if self._room + size > WINDOW:
            raise ProtocolError(message=f"channel {self.number}: more was granted than its window holds")
        self._room += size

    def drop(self) -> None:
        """It is over: nothing is kept."""
        self.over = True
        self._pieces.clear()
        self.unsent = 0


class Channels:
    """The channels of one connection. `send` queues a message on it, `drained` waits until little is queued there.

    Data takes turns: one piece of each channel that has something, and only while the connection itself keeps up.
    """

    def __init__(self, send: Callable[[Message], object], drained: Callable[[], Awaitable[None]]) -> None:
        self.send = send
        self._drained = drained
        self._channels: dict[int, Channel] = {}
        self._waiting: OrderedDict[int, Channel] = OrderedDict()
        self._sending: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._channels)

    def __contains__(self, number: int) -> bool:
        return number in self._channels

    def open(self, number: int, holder: Holder) -> Channel:
        """A channel of this number, which has none yet."""
        channel = self._channels[number] = Channel(self, number, holder)
        return channel

    def on_message(self, message: OfChannel) -> None:
        """Take what came; ProtocolError breaks the connection. News of channels that are over here is late and passed over."""
        channel = self._channels.get(message.channel)
        if channel is None:
            return
        if isinstance(message, ChannelData):
            channel.on_data(message.data)
        elif isinstance(message, ChannelGrant):
            channel.on_grant(message.size)
            self.wants_to_send(channel)
        else:
            self.forget(channel)
            channel.holder.on_closed(True)

    def broken(self) -> None:
        """The connection is gone: every channel is over."""
        if self._sending is not None:
            self._sending.cancel()
        for channel in list(self._channels.values()):
            self.forget(channel)
            channel.holder.on_closed(False)

    def forget(self, channel: Channel) -> None:
        """A channel is over at this end."""
        self._channels.pop(channel.number, None)
        self._waiting.pop(channel.number, None)
        channel.drop()

    def wants_to_send(self, channel: Channel) -> None:
        """A channel may have something that can leave."""
        if channel.sendable:
            self._waiting[channel.number] = channel
            if self._sending is None:
                self._sending = asyncio.get_running_loop().create_task(self._take_turns())
                self._sending.add_done_callback(self._rest)

    async def _take_turns(self) -> None:
        while self._waiting:
            await self._drained()
            if not self._waiting:
                return
            _, channel = self._waiting.popitem(last=False)
            if not channel.sendable:
                continue
            message = channel.next_message()
            self.send(message)
            self.wants_to_send(channel)
            if isinstance(message, ChannelData):
                channel.holder.on_progress()
                # The connection says that it is full only when it has come to write; and others want the loop too.
                await asyncio.sleep(0)

    def _rest(self, task: asyncio.Task[None]) -> None:
        self._sending = None
        if task.cancelled():
            return
        if (error := task.exception()) is not None:
            log.error("a channel failed", exc_info=error)
        for channel in list(self._waiting.values())[:1]:  # it came between the last look and the end
            self.wants_to_send(channel)
