"""The one place where records become MessagePack and are read from it: what msgspec does not know by itself is said here.

A CpuSet is bytes outside, however many CPUs a node has. What was written before was a number of at most 64 bits, and is read too.
"""

from __future__ import annotations

from typing import Any, TypeVar, overload

import msgspec

from slurm.model.cpu_set import CpuSet

T = TypeVar("T")


def _written(value: object) -> bytes:
    if isinstance(value, CpuSet):
        return value.to_bytes()
    raise TypeError(f"{type(value).__name__} has no form outside of this process")


def _read(kind: type[Any], value: object) -> object:
    if kind is not CpuSet:
        raise TypeError(f"{kind.__name__} has no form outside of this process")
    if isinstance(value, bytes):
        return CpuSet.from_bytes(value)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return CpuSet(value)
    raise ValueError(f"a set of CPUs or devices is bytes, not {value!r:.40}")


encode = msgspec.msgpack.Encoder(enc_hook=_written).encode
"""A record as bytes."""


@overload
def decode(data: bytes, *, type: type[T]) -> T:
    """A record of one type."""


@overload
def decode(data: bytes, *, type: Any) -> Any:
    """A record of one of several types."""


def decode(data: bytes, *, type: Any) -> Any:
    """The record in some bytes; msgspec.MsgspecError when they are something else."""
    return msgspec.msgpack.decode(data, type=type, dec_hook=_read)


@overload
def decoder(kind: type[T]) -> msgspec.msgpack.Decoder[T]:
    """For records of one type."""


@overload
def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """For records of one of several types."""


def decoder(kind: Any) -> msgspec.msgpack.Decoder[Any]:
    """`decode` for many records."""
    return msgspec.msgpack.Decoder(kind, dec_hook=_read)
