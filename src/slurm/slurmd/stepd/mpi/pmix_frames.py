"""The frames between a slurmstepd and the PMIx server beside it: length (4 bytes, big-endian), kind (1 byte), then JSON or what nodes
exchange.

The server runs as the step's owner: slurmstepd believes none of it.
"""

from __future__ import annotations

import json
import socket
import struct

HEADER = struct.Struct("!IB")
FACTS = 1  # stepd → server: JSON
READY = 2  # server → stepd: JSON {rank: {variable: value}}
FAILED = 3  # server → stepd: JSON {"why": sentence}
FENCE = 4  # server → stepd: what this node gives; stepd → server: what all nodes gave, one after the other
ABORT = 5  # server → stepd: JSON {"rank": n, "code": n, "why": text}
LONGEST = 32 << 20
"""Bytes of a frame: as many as nodes may exchange at once."""
LONGEST_TOLD = 4 << 20
"""Bytes of JSON from a server: the variables of the tasks of one node."""
LONGEST_SENTENCE = 1_000


def encoded(what: object) -> bytes:
    """JSON."""
    return json.dumps(what).encode()


def decoded(data: bytes) -> dict[str, object]:
    """A JSON object. ValueError for anything else."""
    try:
        found = json.loads(data)
    except RecursionError as error:
        raise ValueError("JSON that is nested too deeply") from error
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return found


def packed(kind: int, data: bytes) -> bytes:
    """A frame."""
    return HEADER.pack(len(data), kind) + data


def send(stream: socket.socket, kind: int, data: bytes) -> None:
    """Send a frame and wait until it is taken. OSError."""
    stream.sendall(packed(kind, data))


def receive(stream: socket.socket) -> tuple[int, bytes] | None:
    """The next frame; None at the end of the stream. OSError, ValueError for one that is too long."""
    header = _exactly(stream, HEADER.size)
    if header is None:
        return None
    length, kind = HEADER.unpack(header)
    if length > LONGEST:
        raise ValueError("a frame that is too long")
    data = _exactly(stream, length)
    return None if data is None else (kind, data)


def _exactly(stream: socket.socket, size: int) -> bytes | None:
    found = bytearray()
    while len(found) < size:
        data = stream.recv(min(1 << 16, size - len(found)))
        if not data:
            return None
        found += data
    return bytes(found)


class Buffer:
    """Bytes of a stream that does not block, taken out as frames."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        """Add what came."""
        self._held += data

    def take(self) -> tuple[int, bytes] | None:
        """The next whole frame; None when there is none yet. ValueError for one that is too long."""
        if len(self._held) < HEADER.size:
            return None
        length, kind = HEADER.unpack_from(self._held)
        if length > LONGEST:
            raise ValueError("a frame that is too long")
        whole = HEADER.size + length
        if len(self._held) < whole:
            return None
        data = bytes(self._held[HEADER.size:whole])
        del self._held[:whole]
        return kind, data
