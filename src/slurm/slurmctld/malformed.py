"""Reports of a registered node that are out of bounds, or of another shape: what of them can still be taken.

Such a report is never left unanswered: its slurmd would repeat it for ever. Which attempt it is about must be sound, and its serial; every
other field is taken as far as it is within its bounds, so that a job whose end is told badly has ended all the same.
"""

from __future__ import annotations

import typing
from typing import NamedTuple

import msgspec

from slurm.model import bounds
from slurm.model.errors import SlurmError
from slurm.model.settings import Settings
from slurm.wire import node_messages as n
from slurm.wire.messages import UNREADABLE

Report = n.BatchLaunched | n.LaunchRefused | n.StepEnded | n.JobGone | n.JobPrepared
_KINDS: dict[str, type[Report]] = {kind.__name__: kind for kind in typing.get_args(Report)}
_REPLACED: dict[str, object] = {"status": 1 << 8, "why": "its node gave a reason that cannot be read"}
"""What stands for a field that has no default: exit status 1."""


class Salvage(NamedTuple):
    """A report as far as it is sound; None where not even its attempt is. `wrong` says what was not, in sentences."""

    serial: int
    report: Report | None
    wrong: list[str]


def salvage(payload: bytes, settings: Settings) -> Salvage | None:
    """What of a message can be taken; None when it is no report, or has no serial by which it could be acknowledged."""
    try:
        raw = msgspec.msgpack.decode(payload)
    except UNREADABLE:
        return None
    kind = _KINDS.get(raw["type"]) if isinstance(raw, dict) and isinstance(raw.get("type"), str) else None
    if kind is None:
        return None
    fields: dict[str, object] = {}
    wrong: list[str] = []
    for field in msgspec.structs.fields(kind):
        if field.name not in raw and not field.required:
            continue
        try:
            fields[field.name] = _sound(kind, field, raw, settings)
        except (SlurmError, msgspec.ValidationError) as error:
            wrong.append("; ".join(error.hints) if isinstance(error, SlurmError) else f"{field.name}: {error}")
            if field.name in _REPLACED and field.required:
                fields[field.name] = _REPLACED[field.name]
    if "serial" not in fields:
        return None
    missing = [field.name for field in msgspec.structs.fields(kind) if field.required and field.name not in fields]
    report = None if missing else msgspec.convert({"type": kind.__name__, **fields}, kind)
    if isinstance(report, n.StepEnded) and wrong:
        report.why = f"its node told of its end what cannot be ({'; '.join(wrong)})" + (f"; {report.why}" if report.why else "")
    return Salvage(int(str(fields["serial"])), report, wrong)


def _sound(kind: type[Report], field: msgspec.structs.FieldInfo, raw: dict[str, object], settings: Settings) -> object:
    if field.name not in raw:
        raise msgspec.ValidationError("it is missing")
    value = msgspec.convert(raw[field.name], field.type)
    bounds.check_fields(kind, {field.name: value}, settings)
    return value
