"""The called end of a relayed connection: a channel that looks like a transport, so that `stream.Stream` serves it as it serves a
socket."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

from slurm.net.channels import Channels
from slurm.net.stream import Stream


class Refused:
    """The holder of a channel on which nothing more is said than why it was refused."""

    def on_data(self, data: bytes) -> None:
        """What was asked is not looked at."""

    def on_progress(self) -> None:
        """Nothing waits for that."""

    def on_closed(self, by_other: bool) -> None:
        """It would have been closed anyway."""


class RelayedTransport(asyncio.Transport):
    """One channel under one Stream. What comes while reading is paused waits here: never more than a channel's window."""

    def __init__(self, channels: Channels, number: int, stream: Stream) -> None:
        super().__init__()
        self._stream = stream
        self._held: deque[bytes] = deque()
        self._reading = True
        self._closing = False
        self._lost = False
        self._high, self._low = 64 * 1024, 16 * 1024
        self._paused = False
        self._channel = channels.open(number, self)

    # --- net.channels.Holder -----------------------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Bytes came."""
        self._held.append(data)
        self._feed()

    def on_progress(self) -> None:
        """Something of what was written has left."""
        unsent = self._channel.unsent
        if self._paused and unsent <= self._low:
            self._paused = False
            self._stream.resume_writing()
        if self._closing and not unsent:
            self._lose()

    def on_closed(self, by_other: bool) -> None:
        """The caller has gone, or the connection that carried it."""
        if by_other and self._stream.peer is not None:
            self._stream.peer.left = True
        self._closing = True
        self._lose()

    def _feed(self) -> None:
        while self._reading and self._held and not self._closing:
            data = self._held.popleft()
            self._stream.data_received(data)
            self._channel.taken(len(data))

    def _lose(self) -> None:
        self._held.clear()
        if not self._lost:
            self._lost = True
            asyncio.get_running_loop().call_soon(self._stream.connection_lost, None)

    # --- asyncio.Transport -------------------------------------------------------------------------------------------------

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Queue bytes."""
        self._channel.write(bytes(data))
        if not self._paused and self._channel.unsent > self._high:
            self._paused = True
            self._stream.pause_writing()

    def close(self) -> None:
        """End it once what was written has left."""
        if not self._closing:
            self._closing = True
            self._channel.close()
            if not self._channel.unsent:
                self._lose()

    def abort(self) -> None:
        """End it now."""
        self._closing = True
        self._channel.abort()
        self._lose()

    def is_closing(self) -> bool:
        """Whether it is ending."""
        return self._closing

    def pause_reading(self) -> None:
        """Hold back what comes."""
        self._reading = False

    def resume_reading(self) -> None:
        """Hand over what came meanwhile, in a later turn."""
        self._reading = True
        asyncio.get_running_loop().call_soon(self._feed)

    def is_reading(self) -> bool:
        """Whether what comes is handed over."""
        return self._reading and not self._closing

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """When the writer is asked to pause, and to go on."""
        self._high = 64 * 1024 if high is None else high
        self._low = self._high // 4 if low is None else low

    def get_write_buffer_size(self) -> int:
        """Bytes that have not left."""
        return self._channel.unsent

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """There is no socket."""
        return default
