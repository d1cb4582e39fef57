"""Structured reports as text: JSON and YAML written as Slurm writes them. What a report holds is in the other `json_…` modules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from slurm.core.events import Caller
from slurm.model import version
from slurm.render.view import View

Value = str | int | float | bool | None | Mapping[str, "Value"] | Sequence["Value"]
_PLAIN = re.compile(r"[A-Za-z0-9_./+-][A-Za-z0-9_./+@=,%-]*(?: [A-Za-z0-9_./+@=,%-]+)*")
"""Texts that YAML reads back as they stand when their type is given."""


def number(value: float | None, *, infinite: bool = False) -> dict[str, Value]:
    """Slurm's way to write a number that may be unset (None) or infinite."""
    return {"set": value is not None and not infinite, "infinite": infinite, "number": int(value or 0)}


def envelope(key: str, records: Sequence[Value], view: View, caller: Caller, arguments: Sequence[str]) -> dict[str, Value]:
    """A whole report: the records under their key, the times of the last changes, and who asked what."""
    report: dict[str, Value] = {key: records}
    if key == "jobs":
        report["last_backfill"] = number(view.last_planned)
    report["last_update"] = number(view.now)
    return report | closing(view.settings.cluster_name, caller.user, caller.group, arguments)


def closing(cluster: str, user: str, group: str, arguments: Sequence[str]) -> dict[str, Value]:
    """The end of every report: who asked what of whom."""
    major, minor, micro = version.SLURM_VERSION.split(".")[:3]
    meta: Value = {
        "plugin": {"type": "", "name": "", "data_parser": "data_parser/v0.0.44", "accounting_storage": ""},
        "client": {"source": "", "user": user, "group": group},
        "command": list(arguments),
        "slurm": {
            "version": {"major": major, "micro": micro.partition("-")[0], "minor": minor},
            "release": version.SLURM_VERSION,
            "cluster": cluster,
        },
    }
    return {"meta": meta, "errors": [], "warnings": []}


def encode(report: Value, style: str) -> str:
    """The report in `style` json or yaml, with the newline at its end."""
    return "".join(_yaml_document(report)) if style == "yaml" else _json(report) + "\n"


def _json(value: Value) -> str:
    """A value as Slurm lays JSON out: two blanks a level, ASCII alone, slashes escaped, brackets of nothing on two lines.

    Written and laid out by msgspec, in C: a job has 500 values.
    """
    try:
        raw = msgspec.json.encode(value, enc_hook=_plain)
    except UnicodeEncodeError:  # half of a surrogate pair, which msgspec refuses
        text = json.dumps(value, indent=2, default=_plain).replace("/", "\\/")
    else:
        text = raw.decode() if raw.isascii() and b"\x7f" not in raw else json.dumps(value, default=_plain)  # which escapes what is not ASCII, and DEL
        text = msgspec.json.format(text.replace("/", "\\/"), indent=2)
    return _opened(_opened(text, "[]"), "{}")


def _plain(value: object) -> object:
    """A collection of another kind as one that encoders know."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"no JSON is there for {type(value).__name__}")


def _opened(text: str, empty: str) -> str:
    """Collections of nothing with a line break inside. What ends its line is one: a text ends with its quotation mark."""
    pieces = text.split(empty)
    done = pieces[:1]
    for number, piece in enumerate(pieces[1:], 2):
        if not piece.startswith(("\n", ",\n")) and (piece or number < len(pieces)):
            done[-1] += empty + piece
            continue
        start = done[-1].rfind("\n") + 1
        line = done[-1][start:]
        done += [f"{empty[0]}\n{line[:len(line) - len(line.lstrip(' '))]}{empty[1]}", piece]
    return "".join(done)


def _yaml_document(value: Value) -> Iterator[str]:
    yield f"%YAML 1.1\n--- {_yaml_tag(value)}\n"
    yield from _yaml_children(value, "")
    yield "...\n"


def _yaml_children(value: Value, indent: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield f"{indent}!!str {key}: {_yaml_scalar(item)}\n"
            yield from _yaml_children(item, indent if _is_list(item) else indent + "  ")
    elif _is_list(value):
        assert isinstance(value, Sequence)
        for item in value:
            yield f"{indent}- {_yaml_scalar(item)}\n"
            yield from _yaml_children(item, indent + "  ")


def _is_list(value: Value) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _yaml_tag(value: Value) -> str:
    if isinstance(value, Mapping):
        return "!!map"
    if isinstance(value, bool):
        return "!!bool"
    for kind, tag in ((str, "!!str"), (int, "!!int"), (float, "!!float")):
        if isinstance(value, kind):
            return tag
    return "!!null" if value is None else "!!seq"


def _yaml_scalar(value: Value) -> str:
    """A tag and, for what is no collection, the value behind it."""
    tag = _yaml_tag(value)
    if isinstance(value, str):
        if not value:
            return tag
        return f"{tag} {value}" if _PLAIN.fullmatch(value) and ": " not in value else f"{tag} {json.dumps(value)}"
    if isinstance(value, bool):
        return f"{tag} {str(value).lower()}"
    if isinstance(value, float):
        return f"{tag} {value:.6f}"
    if value is None:
        return f"{tag} null"
    empty = isinstance(value, Mapping | Sequence) and not value
    if empty:
        return tag + (" {}" if isinstance(value, Mapping) else " []")
    return f"{tag} {value}" if isinstance(value, int) else tag
