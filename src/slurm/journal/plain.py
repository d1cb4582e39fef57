"""Plain: records as dicts with all their fields, the way upgrades see them, whatever version wrote them."""

from __future__ import annotations

from typing import Any

from slurm.journal.shape import Shapes, structs_in


class Fields(dict[str, Any]):
    """The fields of one record of struct `struct`. `partial`: only some of them, as an event carries changes."""

    def __init__(self, struct: str, values: dict[str, Any], *, partial: bool = False) -> None:
        super().__init__(values)
        self.struct = struct
        self.partial = partial


PARTIAL = {"JobUpdated": ("changes", "JobRequest"), "PartitionUpdated": ("changes", "Partition")}
"""Events with a field that carries some fields of a record."""
CLAUSES = "[DependencyClause]"
"""The one change of a job that is no field of its request and made of records."""


_HOLDERS = frozenset({Fields, dict, list})


def whole(struct: str, values: dict[str, Any], shapes: Shapes) -> Fields:
    """A record as it was read, with the fields that were left out because they had their defaults, then. ValueError when that cannot be."""
    shape = shapes.get(struct)
    if shape is None:
        raise ValueError(f"there is no {struct} in its version")
    if not values.keys() >= shape.required:
        raise ValueError(f"{struct} has no {', '.join(sorted(shape.required - values.keys()))}")
    found = Fields(struct, shape.defaults | values)
    for name, form in shape.records.items():
        found[name] = _deep(found[name], form, shapes)
    if struct in PARTIAL:
        name, part = PARTIAL[struct]
        forms = shapes[part].records | ({"clauses": CLAUSES} if struct == "JobUpdated" else {})
        changes = Fields(part, found[name], partial=True)
        for key in forms.keys() & changes.keys():
            changes[key] = _deep(changes[key], forms[key], shapes)
        found[name] = changes
    return found


def _deep(value: Any, form: str, shapes: Shapes) -> Any:
    if value is None:
        return value
    if isinstance(value, list):
        return [_deep(each, form, shapes) for each in value]
    form = form.removesuffix("|none")
    if form.startswith("{") and form.endswith("}"):
        return {key: _deep(each, form[1:-1].partition(":")[2], shapes) for key, each in value.items()}
    structs = structs_in(form)  # the alternatives, where there are several
    if len(structs) > 1:
        structs = tuple(struct for struct in structs if any(field.form == "tag" and value.get(name) == field.default for name,
            field in shapes[struct].items()))
    if len(structs) != 1:
        raise ValueError(f"{str(value)[:80]} is none of {form}")
    return whole(structs[0], value, shapes)


def records_in(value: Any) -> list[Fields]:
    """Every record in a record, those within before those around them."""
    found: list[Fields] = []
    for part in value.values() if isinstance(value, dict) else value:
        if type(part) in _HOLDERS and part:
            found += records_in(part)
    if type(value) is Fields:
        found.append(value)
    return found
