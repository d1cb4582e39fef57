"""Structured reports as text: JSON and YAML written as Slurm writes them. What a report holds is in the other `json_…` modules."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from json.encoder import encode_basestring_ascii

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
    return "".join(_yaml_document(report)) if style == "yaml" else _json(report, "") + "\n"


def _json(value: Value, indent: str) -> str:
    """A value as Slurm lays JSON out. Strings, whole numbers and dicts, which nearly everything is, come first: a job has 500 of them."""
    if isinstance(value, str):
        text = encode_basestring_ascii(value)
        return text.replace("/", "\\/") if "/" in text else text
    if isinstance(value, bool):
        return "true" if value else "false"
    if type(value) is int:
        return str(value)
    inner = indent + "  "
    if isinstance(value, Mapping):
        body = ",".join([f'\n{inner}"{key}": {_json(item, inner)}' for key, item in value.items()])
        return f"{{{body}\n{indent}}}"
    if isinstance(value, Sequence):
        body = ",".join([f"\n{inner}{_json(item, inner)}" for item in value])
        return f"[{body}\n{indent}]"
    return json.dumps(value)


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
