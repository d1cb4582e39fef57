"""What a daemon says at its start of keys that are written and not carried out: one sentence each."""

from __future__ import annotations

from collections.abc import Iterable

from slurm.config import schema, values
from slurm.config.reader import Entry, Record


def warnings_of(records: Iterable[Record]) -> list[str]:
    """One warning for each key that is written and not carried out, or that Slurm has no more."""
    seen: set[tuple[str, str]] = set()
    found: list[str] = []
    for record in records:
        for entry in record.entries:
            row = entry.row
            if (record.section, row.name) in seen:
                continue
            if row.standing == schema.NOT_YET and (row.always or not _says_default(entry)):
                seen.add((record.section, row.name))
                found.append(f"{entry.origin}: {row.name} is not carried out yet: {row.note}")
            elif row.standing == schema.OBSOLETE:
                seen.add((record.section, row.name))
                found.append(f"{entry.origin}: Ignoring obsolete {row.name}={entry.text} option. Please remove it from your "
                             f"configuration: {row.note}")
    return found


def _says_default(entry: Entry) -> bool:
    try:
        return not entry.text or values.read(entry.row, entry.text) == values.default(entry.row)
    except ValueError:
        return True
