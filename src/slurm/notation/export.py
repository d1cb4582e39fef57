"""The `--export` option: which variables of the submitter a job gets. Slurm's own output variables are not made here."""

from collections.abc import Mapping
from typing import NamedTuple

_ALWAYS = "SLURM_"


class ExportSpec(NamedTuple):
    """`base` is "ALL", "NONE" or "NIL" ("NONE" also where only names are listed); `names` are passed on, `values` set."""

    base: str = "ALL"
    names: tuple[str, ...] = ()
    values: tuple[tuple[str, str], ...] = ()


def parse(text: str) -> ExportSpec:
    """Reads `--export`: "ALL", "NONE", "NIL", or variables, with "ALL" among them to add to everything.

    A comma inside quotes does not separate; the quotes stay in the value, as in Slurm. Empty items are passed over.
    """
    items = [item for item in _items(text) if item]
    upper = {item.upper() for item in items}
    if upper == {"NIL"}:
        return ExportSpec("NIL")
    if not items or upper == {"NONE"}:
        return ExportSpec("NONE")
    names = tuple(item for item in items if "=" not in item and item.upper() != "ALL")
    values = tuple((name, value) for name, equals, value in (item.partition("=") for item in items) if equals and name)
    return ExportSpec("ALL" if "ALL" in upper else "NONE", names, values)


def apply(spec: ExportSpec, environ: Mapping[str, str]) -> dict[str, str]:
    """The part of `environ` that goes with the job: SLURM_* always, all of it with "ALL", then names, then given values."""
    if spec.base == "ALL":
        chosen = dict(environ)
    else:
        chosen = {name: value for name, value in environ.items() if name.startswith(_ALWAYS)}
        chosen.update((name, environ[name]) for name in spec.names if name in environ)
    chosen.update(spec.values)
    return chosen


def show(spec: ExportSpec) -> str:
    """The option's text, as SLURM_EXPORT_ENV would hold it."""
    listed = [*spec.names, *(f"{name}={value}" for name, value in spec.values)]
    return ",".join([spec.base, *listed] if spec.base == "ALL" or not listed else listed)


def _items(text: str) -> list[str]:
    items: list[str] = []
    start = 0
    quote = ""
    for index, char in enumerate(text + ","):
        if quote and index < len(text):
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == ",":
            items.append(text[start:index])
            start = index + 1
    return items
