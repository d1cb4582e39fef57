"""Codec: events and records as bytes, and back, from whatever version they were written with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

import msgspec

from slurm.core import events
from slurm.core.events import Event
from slurm.journal import plain, shape, version1
from slurm.journal.differences import DIFFERENCES, Difference
from slurm.journal.shapes import SHAPES, VERSION
from slurm.journal.upgrades import UPGRADES, Step, upgrade
from slurm.model import msgpack

EVENTS: dict[str, type[Event]] = {kind.__name__: kind for kind in get_args(events.AnyEvent)}

Upgrades = Mapping[int, Mapping[str, Sequence[Step]]]


class Codec:
    """Writes records of `version`, whose shapes are `shapes`, and reads them from any version up to it."""

    def __init__(self, version: int = VERSION, shapes: shape.Shapes = SHAPES, differences: Mapping[str, Difference] = DIFFERENCES,
                 upgrades: Upgrades = UPGRADES) -> None:
        self.version = version
        self._shapes = shapes
        self._differences = differences
        self._upgrades = upgrades
        self._detours = {struct for struct in shapes if _meets(struct, shapes, set(differences))}
        self._decoders: dict[type[Any], msgspec.msgpack.Decoder[Any]] = {}

    def encode(self, record: msgspec.Struct) -> bytes:
        """An event, or the record of a row."""
        struct = type(record)
        if struct.__name__ not in self._detours:
            return msgpack.encode(record)
        fields = plain.whole(struct.__name__, msgspec.msgpack.decode(msgpack.encode(record)), shape.shapes_of([struct]))
        for part in plain.records_in(fields):
            if part.struct in self._differences:
                _apply(self._differences[part.struct].written, part)
        return msgspec.msgpack.encode(fields)

    def decode(self, kind: type[Any], version: int, body: bytes, shapes: Mapping[int, shape.Shapes]) -> Any:
        """A record of this type, written with `version`; msgspec.MsgspecError when it cannot be read."""
        struct = kind.__name__
        decoder = self._decoders.get(kind)
        if decoder is None:
            decoder = self._decoders[kind] = msgpack.decoder(kind)
        if version == self.version and struct not in self._detours:
            return decoder.decode(body)
        if version not in shapes:
            raise msgspec.ValidationError(f"it has version {version}, whose records are not known")
        try:
            fields = plain.whole(struct, msgspec.msgpack.decode(body), shapes[version])
            upgrade(fields, version, self._shapes, self._upgrades)
            for part in plain.records_in(fields) if self._differences else ():
                if part.struct in self._differences:
                    _apply(self._differences[part.struct].read, part)
        except (ValueError, TypeError, AttributeError) as error:
            raise msgspec.ValidationError(str(error)) from error
        return decoder.decode(msgspec.msgpack.encode(fields))


def _meets(struct: str, shapes: shape.Shapes, wanted: set[str]) -> bool:
    return struct in wanted or any(
        nested != struct and nested in shapes and _meets(nested, shapes, wanted) for field in shapes[struct].values()
        for nested in shape.structs_in(field.form))


def _apply(steps: Sequence[Step], record: plain.Fields) -> None:
    for step in steps:
        step(record)


CODEC = Codec()
encode = CODEC.encode


class Reader:
    """Reads what a journal holds whose own account of its versions is `texts`: version → text of shapes."""

    def __init__(self, texts: Mapping[int, str], codec: Codec = CODEC) -> None:
        self._codec = codec
        self._shapes = {1: version1.SHAPES} | {version: shape.parse(text) for version, text in texts.items()}

    def record(self, kind: type[Any], version: int, body: bytes) -> Any:
        """A record of a row; msgspec.MsgspecError when it cannot be read."""
        return self._codec.decode(kind, version, body, self._shapes)

    def event(self, version: int, kind: str, body: bytes) -> Event:
        """An event; msgspec.MsgspecError when it cannot be read."""
        if kind not in EVENTS:
            raise msgspec.ValidationError(f"there is no event {kind}")
        found: Event = self._codec.decode(EVENTS[kind], version, body, self._shapes)
        return found
