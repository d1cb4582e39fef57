"""The relaying end: a unix socket beside slurmd or sackd that takes commands as slurmctld's own socket does, while slurmctld listens.

While it does not, the socket refuses connections, as that of a slurmctld that restarts: commands wait and try again, or say so. Bytes are
carried as they come; what they mean is slurmctld's business.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import struct
from typing import cast

from slurm.model.errors import ConfigError
from slurm.net.channels import Channel, Channels
from slurm.net.endpoint import unix
from slurm.net.gate import Gate, Limits
from slurm.net.listening import BACKLOG, listen, unlink_own
from slurm.net.shares import Share
from slurm.wire.relay_messages import WINDOW, OpenChannel

_PEERCRED = struct.Struct("3i")
_HIGH_WATER = 64 * 1024
_MOST_PLACES = 8192


def _places() -> int:
    """The daemon needs files of its own, whatever its users do."""
    return min(_MOST_PLACES, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 2)


class Relay:
    """The socket at `path`. Its owner says `up` when slurmctld listens on the daemon's connection, and `down` when it does not."""

    def __init__(self, path: str, *, log: logging.Logger, limits: Limits | None = None) -> None:
        self.path = path
        self.channels: Channels | None = None
        self.log = log
        self.gate = Gate(limits or Limits(places=_places()), log)
        self._last = 0
        self._inode = 0
        self._listener: socket.socket | None = None
        self._kept: socket.socket | None = None
        self._server: asyncio.AbstractServer | None = None
        self._opening: asyncio.Task[None] | None = None

    def open(self, *, keep: bool = False) -> None:
        """Take the place, and refuse everybody for now. ConfigError when it is taken or cannot be made.

        `keep`: the place cannot be taken anew later, since this daemon gives up the right to. Then commands are hung up on, not refused.
        """
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._kept = self._take_place()
        if not keep:
            self._kept.close()
            self._kept = None
        self.gate.open()

    def up(self, channels: Channels) -> None:
        """slurmctld listens: serve, by these channels, which have been used by nobody."""
        self.down("slurmctld was connected anew")
        self.channels = channels
        self._last = 0
        if self._kept is not None and self._server is not None:
            return
        try:
            listener = self._kept or self._take_place()
        except ConfigError as error:
            self.log.error("commands cannot be relayed: %s", "; ".join(error.lines()))
            return
        self._listener = listener
        self._opening = asyncio.get_running_loop().create_task(self._serve(listener))

    def down(self, why: str) -> None:
        """slurmctld does not listen any more: hang up on everybody, refuse who comes."""
        if self._kept is None:
            self._stop_listening()
        channels, self.channels = self.channels, None
        if channels is not None:
            if len(channels):
                self.log.info("%d commands are hung up on: %s", len(channels), why)
            channels.broken()
        for guest in list(self.gate.guests):
            guest.hang_up()

    def close(self) -> None:
        """Stop for good."""
        if self._kept is not None and self._server is None:
            self._kept.close()
        self._kept = None
        self.down("this daemon ends")
        self.gate.close()
        unlink_own(self.path, self._inode)

    def next_number(self) -> int:
        """A channel number that was not used on this connection."""
        self._last += 1
        return self._last

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
        self._listener = self._server = None  # a place that is being opened is closed by `_serve`, which has given it to the loop

    def _take_place(self) -> socket.socket:
        """A listening socket at the path, in one step: nobody finds the place empty."""
        listener = listen(unix(self.path + ".new"))
        try:
            os.replace(self.path + ".new", self.path)
            self._inode = os.lstat(self.path).st_ino
        except OSError as error:
            listener.close()
            raise ConfigError(message=f"cannot listen at {self.path}: {error.strerror}") from error
        return listener

    async def _serve(self, listener: socket.socket) -> None:
        if self._listener is not listener:
            listener.close()
            return
        server = await asyncio.get_running_loop().create_unix_server(lambda: _Command(self), sock=listener, backlog=BACKLOG)
        if self._listener is not listener:  # it went down meanwhile
            server.close()
            return
        self._server, self._listener = server, None


class _Command(asyncio.Protocol):
    """A command's connection (net.gate.Guest, asyncio.Protocol) and its channel (net.channels.Holder)."""

    def __init__(self, relay: Relay) -> None:
        self.deadline = 0.0
        self.share: Share | None = None
        self._relay = relay
        self._transport: asyncio.Transport | None = None
        self._channel: Channel | None = None
        self._who = (0, 0, 0)  # pid, uid, gid
        self._writable = True
        self._owed = 0  # bytes written to the command that it has not read, to be granted anew when it has

    # --- the command's end -------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop: a command connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are not of asyncio's classes
        gate = self._relay.gate
        stream = self._transport.get_extra_info("socket")
        self._who = _PEERCRED.unpack(stream.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEERCRED.size))
        if self._relay.channels is None or not gate.enter(self, self._who[1]):
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=_HIGH_WATER)
        gate.expect(self, gate.limits.silent)

    def data_received(self, data: bytes) -> None:
        """Called by the loop: bytes for slurmctld."""
        assert self._transport is not None
        relay = self._relay
        if self._channel is None:
            if relay.channels is None:
                self._transport.abort()
                return
            relay.gate.spoke(self)
            relay.gate.expect(self, None)
            pid, uid, gid = self._who
            number = relay.next_number()
            relay.channels.send(OpenChannel(channel=number, uid=uid, gid=gid, pid=max(0, pid)))
            self._channel = relay.channels.open(number, self)
        self._channel.write(data)
        if self._channel.unsent > WINDOW:
            self._transport.pause_reading()

    def eof_received(self) -> bool:
        """Called by the loop: the command has gone, or reads no more."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the loop: it is over."""
        self._relay.gate.leave(self)
        if self._channel is not None:
            self._channel.close()

    def pause_writing(self) -> None:
        """Called by the loop: the command does not read."""
        self._writable = False

    def resume_writing(self) -> None:
        """Called by the loop: it has read."""
        self._writable = True
        owed, self._owed = self._owed, 0
        if self._channel is not None and owed:
            self._channel.taken(owed)

    # --- slurmctld's end ---------------------------------------------------------------------------------------------------

    def on_data(self, data: bytes) -> None:
        """Bytes from slurmctld."""
        assert self._transport is not None and self._channel is not None
        if not self._transport.is_closing():
            self._transport.write(data)
        if self._writable or self._transport.is_closing():
            self._channel.taken(len(data))
        else:
            self._owed += len(data)

    def on_progress(self) -> None:
        """Something of what the command sent has left."""
        assert self._transport is not None and self._channel is not None
        if self._channel.unsent <= WINDOW // 2 and not self._transport.is_closing() and not self._transport.is_reading():
            self._transport.resume_reading()

    def on_closed(self, by_other: bool) -> None:
        """slurmctld hung up, or is connected no more."""
        self.hang_up()

    # --- net.gate.Guest ----------------------------------------------------------------------------------------------------

    def drop(self, why: str) -> None:
        """End it now, with a line in the log."""
        pid, uid, _ = self._who
        self._relay.gate.complain(f"connection to {self._relay.path} (uid {uid}, pid {pid}) dropped: {why}")
        if self._transport is not None:
            self._transport.abort()

    def expire(self) -> None:
        """Its deadline has passed."""
        gate = self._relay.gate
        self.drop(f"nothing came within {gate.limits.silent:g} s" if self._channel is None else "it did not read what it was told")

    @property
    def idle(self) -> bool:
        """Whether nothing is on its way to slurmctld."""
        return self._channel is None or not self._channel.unsent

    @property
    def unsent(self) -> int:
        """Bytes that wait for the command to read them."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def hang_up(self) -> None:
        """Close once what came for it has left."""
        if self._transport is not None and not self._transport.is_closing():
            self._relay.gate.expect(self, self._relay.gate.limits.stalled)
            self._transport.close()
