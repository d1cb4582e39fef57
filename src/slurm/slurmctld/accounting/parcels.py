"""From the records of the fold to the parcels of the outbox: numbered, as slurmdbd reads them, with the content that the fold does not
know."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence

import msgspec

from slurm.core.effects import Effect, Record, Tell
from slurm.model.accounting import Outgoing, PayloadRecord
from slurm.store.parcels import Note, Parcel
from slurm.store.payloads import digest

log = logging.getLogger("slurmctld.accounting")
_encode = msgspec.msgpack.Encoder().encode


def of(effects: Iterable[Effect], payloads: Sequence[bytes] = ()) -> list[Parcel]:
    """The parcels of those effects that are records; `payloads` are those of the submission that brought them about."""
    return [Parcel(effect.sequence, _body(effect, payloads)) for effect in effects if isinstance(effect, Record)]


def notes(effects: Iterable[Effect], seq: int) -> list[Note]:
    """The notices among the effects of the event that has this number."""
    told = [effect for effect in effects if isinstance(effect, Tell)]
    return [Note(effect.destination, f"{seq}.{place}", _encode(effect.notice)) for place, effect in enumerate(told)]


def parted(effects: Iterable[Effect], payloads: Sequence[bytes], seq: int, outbox: list[Parcel], told: list[Note]) -> list[Effect]:
    """What is to be carried out of the effects of event number `seq`: its records and notices are put to `outbox` and `told`."""
    rest: list[Effect] = []
    first = len(told)
    for effect in effects:
        if isinstance(effect, Record):
            outbox.append(Parcel(effect.sequence, _body(effect, payloads)))
        elif isinstance(effect, Tell):
            told.append(Note(effect.destination, f"{seq}.{len(told) - first}", _encode(effect.notice)))
        else:
            rest.append(effect)
    return rest


def _body(effect: Record, payloads: Sequence[bytes]) -> bytes:
    record = effect.record
    if isinstance(record, PayloadRecord):
        record = msgspec.structs.replace(record, content=_content(record, payloads))
    return _encode(Outgoing(effect.sequence, record))


def _content(record: PayloadRecord, payloads: Sequence[bytes]) -> bytes:
    """A script as it is; an environment, kept as a JSON object, as NAME=value with NUL between."""
    found = next((content for content in payloads if digest(content) == record.digest), None)
    if found is None:
        log.error("%s %s is named by a job and was not brought along: accounting does not get it", record.what, record.digest)
        return b""
    if record.what == "script":
        return found
    return "\0".join(f"{name}={value}" for name, value in msgspec.json.decode(found,
        type=dict[str, str]).items()).encode(errors="surrogateescape")
