"""What an X client says first: which byte order, and by which proof it may use the display. Source: the X Window System Protocol, chapter 8.

Also the messages by which a step's X clients and the display of its submitter are connected, inside step_io frames of kind X11:

    bytes 0-3  number of the connection, big-endian; the node gives them out
    byte  4    OPEN (node → srun: a client came), DATA, CLOSE
    bytes 5-   data
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from slurm.model.errors import ProtocolError

OPEN, DATA, CLOSE = b"O", b"D", b"C"
PREFIX = struct.Struct("!Ic")
_ORDERS = {b"B": ">", b"l": "<"}
_HEAD = 12
_MOST_PROOF = 1024
"""Names and data of proofs are some dozens of bytes."""


class Setup(NamedTuple):
    """`head` are its twelve bytes, `name` and `data` the proof."""

    head: bytes
    name: bytes
    data: bytes


def pack(number: int, what: bytes, data: bytes = b"") -> bytes:
    """One message about a connection."""
    return PREFIX.pack(number, what) + data


def unpack(payload: bytes) -> tuple[int, bytes, bytes]:
    """(number, what, data); ProtocolError for what is none."""
    if len(payload) < PREFIX.size:
        raise ProtocolError(message="X11 message is too short")
    number, what = PREFIX.unpack_from(payload)
    if what not in (OPEN, DATA, CLOSE):
        raise ProtocolError(message="unknown X11 message")
    return number, what, payload[PREFIX.size:]


def taken(buffer: bytearray) -> Setup | None:
    """What a client says first, taken out of what has come from it; None while that is not all there. ProtocolError for what is none."""
    if not buffer:
        return None
    order = _ORDERS.get(bytes(buffer[:1]))
    if order is None:
        raise ProtocolError(message="not an X client")
    if len(buffer) < _HEAD:
        return None
    name, data = struct.unpack_from(f"{order}HH", buffer, 6)
    if name + data > _MOST_PROOF:
        raise ProtocolError(message="an X client's proof is too long")
    begin = _HEAD + _padded(name)
    whole = begin + _padded(data)
    if len(buffer) < whole:
        return None
    found = Setup(bytes(buffer[:_HEAD]), bytes(buffer[_HEAD:_HEAD + name]), bytes(buffer[begin:begin + data]))
    del buffer[:whole]
    return found


def shown(setup: Setup) -> bytes:
    """The bytes of it."""
    order = _ORDERS[setup.head[:1]]
    lengths = struct.pack(f"{order}HH", len(setup.name), len(setup.data))
    return setup.head[:6] + lengths + setup.head[10:] + _filled(setup.name) + _filled(setup.data)


def _padded(length: int) -> int:
    return -(-length // 4) * 4


def _filled(data: bytes) -> bytes:
    return data.ljust(_padded(len(data)), b"\0")
