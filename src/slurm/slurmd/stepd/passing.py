"""Packets that carry open descriptors from process to process (SCM_RIGHTS). What the packets say is their users' business."""

from __future__ import annotations

import socket
import struct

LONGEST = 8192
"""Bytes of a packet at most."""
_MOST_DESCRIPTORS = 128
_INT = struct.Struct("i")


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected sockets that keep the bounds of packets and notice when the other end closes."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def receive(channel: socket.socket, flags: int = 0) -> tuple[bytes, list[int]]:
    """A packet, b"" at the end, and the descriptors that came with it, closed on exec: socket.recv_fds drops that flag, and a job would
    inherit them.

    BlockingIOError when the channel does not block and is empty.
    """
    try:
        packet, ancillary, _flags, _sender = channel.recvmsg(
            LONGEST, socket.CMSG_SPACE(_MOST_DESCRIPTORS * _INT.size), socket.MSG_CMSG_CLOEXEC | flags)
    except ConnectionError:
        return b"", []
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors += [number for (number,) in _INT.iter_unpack(data)]
    return packet, descriptors


def send(channel: socket.socket, packet: bytes, descriptors: list[int] | None = None) -> bool:
    """Send a packet; False when nobody is at the other end. BlockingIOError when the channel does not block and is full."""
    try:
        if descriptors:
            socket.send_fds(channel, [packet], descriptors)
        else:
            channel.send(packet)
    except ConnectionError:
        return False
    return True
