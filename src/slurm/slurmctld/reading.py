"""Reading: from the bytes of a request to a request within its bounds, in a time that does not depend on what somebody wrote into it.

Short requests are read here and now. Long ones, which only submissions may be, are read in a process beside, that hands the script and the
environment back as bytes: JSON of a few megabytes can be written so that reading it takes a second.
"""

from __future__ import annotations

import re

import msgspec

from slurm.model import bounds
from slurm.model.bounds import Variables
from slurm.model.errors import InvalidRequest, ProtocolError, SlurmError, revive
from slurm.model.ids import Digest
from slurm.model.request import BatchPayload, PayloadRef
from slurm.model.settings import Settings
from slurm.slurmctld.beside import Beside
from slurm.store.payloads import digest
from slurm.wire import messages as m

SHORT = 1024 * 1024
"""Requests of at most so many bytes are read at once: even the worst take a few milliseconds."""
_LONG = re.compile(rb'\s*\{\s*"type"\s*:\s*"(SubmitJob|TestJob|AllocateJob|CreateStep)"')
"""How those begin that may be longer: they carry a script or a command line."""
_decode = msgspec.json.Decoder(m.Request).decode
_json = msgspec.json.Encoder()


class StoredPayload(msgspec.Struct):
    """A batch payload in the form in which it is kept: what a job refers to, the bytes of script and environment."""

    ref: PayloadRef
    blobs: list[bytes]


class _Beside(msgspec.Struct):
    """What the process beside found: a request without its payload, and that, or a refusal."""

    request: m.Request | None = None
    payload: StoredPayload | None = None
    failure: m.Failure | None = None


def stored(payload: BatchPayload) -> StoredPayload:
    """Script and environment as they are kept, by content."""
    script, environment = payload.script.encode(), _json.encode(payload.environment)
    return StoredPayload(
        PayloadRef(script=Digest(digest(script)), environment=Digest(digest(environment)), argv=payload.argv), [script, environment])


def read(payload: bytes, settings: Settings) -> m.Request:
    """The request in these bytes. ProtocolError when it is none, InvalidRequest when a field is out of bounds."""
    try:
        request: m.Request = _decode(payload)
    except m.UNREADABLE as error:
        raise ProtocolError(hints=[str(error)]) from error
    bounds.check(request, settings)
    return request


async def read_any(payload: bytes, settings: Settings, beside: Beside, uid: int, *, first: bool) -> tuple[m.Request, StoredPayload | None]:
    """The same for requests of any length of this user (`first`: an operator); of a submission also its payload, ready to be kept."""
    if len(payload) <= SHORT:
        request = read(payload, settings)
        return request, stored(request.payload) if isinstance(request, m.SubmitJob) else None
    _require_bearable(payload, settings)
    found = msgspec.msgpack.decode(await beside.run(lambda: _read_beside(payload, settings), uid, first=first), type=_Beside)
    if found.failure is not None:
        failure = found.failure
        raise revive(failure.kind, failure.name, failure.message, failure.hints, failure.preface)
    assert found.request is not None
    return found.request, found.payload


def _read_beside(payload: bytes, settings: Settings) -> bytes:
    try:
        request = read(payload, settings)
    except SlurmError as error:
        return msgspec.msgpack.encode(_Beside(failure=m.failure(error)))
    kept = stored(request.payload) if isinstance(request, m.SubmitJob) else None
    if isinstance(request, m.SubmitJob):
        request.payload = BatchPayload()
    return msgspec.msgpack.encode(_Beside(request=request, payload=kept))


def _require_bearable(payload: bytes, settings: Settings) -> None:
    """InvalidRequest for what is longer than any request of its kind."""
    kind = _LONG.match(payload)
    most = SHORT
    if kind is not None:
        most += 2 * settings.max_submit_line_size
        if kind[1] == b"SubmitJob":
            most += 2 * (settings.max_script_size + Variables().most)
    if len(payload) > most:
        shown = kind[1].decode() if kind is not None else "a request"
        raise InvalidRequest("ESLURM_PATHNAME_TOO_LONG", hints=[
            f"{shown}: at most {most:,} bytes as a message; {len(payload):,} were sent",
            "let the job read large values from files: script and environment are for telling it where to begin"])
