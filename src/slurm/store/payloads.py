"""Payloads: scripts and environments, kept once by what they contain, compressed, beside the events that name them.

Lives here: how a content becomes a name and a blob, and back. Not here: where the blobs lie (each journal backend keeps a table of them, so
that a payload and the event that names it reach the disk in one write).
"""

from __future__ import annotations

import hashlib
import zlib

from slurm.model.errors import StoreError
from slurm.model.ids import Digest


def digest(content: bytes) -> Digest:
    """The name of a content: its SHA-256 in hexadecimal."""
    return Digest(hashlib.sha256(content).hexdigest())


def shrink(content: bytes) -> bytes:
    """The blob that is kept for a content."""
    return zlib.compress(content, 1)


def expand(name: Digest, blob: bytes) -> bytes:
    """The content of a blob; StoreError when it is not what `name` says."""
    try:
        content = zlib.decompress(blob)
    except zlib.error as error:
        raise StoreError(message=f"payload {name} is damaged: {error}") from error
    if digest(content) != name:
        raise StoreError(message=f"payload {name} is damaged: its content has another checksum")
    return content
