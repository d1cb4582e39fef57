"""Frames: how one message lies in a byte stream. No sockets here, and nothing that starts slowly: commands import this.

    offset 0   2 bytes  magic "SP"
    offset 2   1 byte   protocol version
    offset 3   1 byte   codec: b"J" JSON, b"M" MessagePack, b"B" step input/output (see wire.step_io)
    offset 4   4 bytes  length of the payload, big-endian
    offset 8   payload
"""

from __future__ import annotations

import struct

from slurm.model.errors import ProtocolError

MAGIC = b"SP"
VERSION = 2
OLDEST = 1
"""The protocol version before, which is understood too and answered in itself: daemons and commands need not be replaced at one moment."""
JSON = ord("J")
MSGPACK = ord("M")
STEP_IO = ord("B")
CODECS = frozenset((JSON, MSGPACK, STEP_IO))
HEADER = struct.Struct("!2sBBI")
HEADER_SIZE = HEADER.size
MAX_HELLO = 64 * 1024
"""Longest payload in bytes from a peer that has not said who it is."""
MAX_PAYLOAD = 64 * 1024 * 1024
"""Longest payload in bytes from a known peer."""


def pack(codec: int, payload: bytes) -> bytes:
    """One frame around `payload`; ProtocolError if it is longer than MAX_PAYLOAD."""
    if len(payload) > MAX_PAYLOAD:
        raise ProtocolError(message=f"message of {len(payload)} bytes is longer than the limit of {MAX_PAYLOAD}")
    return HEADER.pack(MAGIC, VERSION, codec, len(payload)) + payload


def unpack_header(header: bytes, limit: int = MAX_PAYLOAD) -> tuple[int, int]:
    """(codec, payload length) of a frame's first HEADER_SIZE bytes; ProtocolError for anything that is not ours."""
    magic, version, codec, length = HEADER.unpack(header)
    if magic != MAGIC:
        raise ProtocolError(message="these bytes are not slurm-py's protocol")
    if not OLDEST <= version <= VERSION:
        raise ProtocolError("SLURM_PROTOCOL_VERSION_ERROR", hints=[
            f"the peer speaks protocol version {version}, this one speaks {VERSION} and {OLDEST}: install the same slurm-py on both sides"])
    if codec not in CODECS:
        raise ProtocolError(message=f"unknown codec {codec}")
    if length > limit:
        raise ProtocolError(message=f"a message of {length} bytes is longer than the limit of {limit}")
    return codec, length
