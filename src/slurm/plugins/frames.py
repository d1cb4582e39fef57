"""How a plug-in's process is spoken to: a length of four bytes, then JSON.

Both ends; standard library only, for commands start in milliseconds.
"""

from __future__ import annotations

import json
import socket
from typing import Any

LONGEST = 64 << 20
"""No frame has more bytes: what claims to is none."""
_LENGTH = 4
GONE = "the other end is gone"


class Broken(Exception):
    """The other end is gone, or speaks no frames."""


def pack(content: Any) -> bytes:
    """A frame."""
    body = json.dumps(content).encode()
    return len(body).to_bytes(_LENGTH, "big") + body


def length_of(head: bytes) -> int:
    """Bytes of the body behind this head; Broken."""
    size = int.from_bytes(head, "big")
    if size > LONGEST:
        raise Broken(f"what came is no frame: {head!r}")
    return size


def unpack(body: bytes) -> Any:
    """What a body says; Broken."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Broken(f"what came is no JSON: {body[:80]!r}") from error


def send(channel: socket.socket, content: Any) -> None:
    """Write a frame; OSError, TimeoutError by the channel's timeout."""
    channel.sendall(pack(content))


def receive(channel: socket.socket) -> Any:
    """Read a frame; Broken at its end, TimeoutError by the channel's timeout."""
    return unpack(_exactly(channel, length_of(_exactly(channel, _LENGTH))))


def _exactly(channel: socket.socket, size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        part = channel.recv(min(size - len(found), 1 << 20))
        if not part:
            raise Broken(GONE)
        found += part
    return bytes(found)
