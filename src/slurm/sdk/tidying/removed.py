"""Removed and Cleanup: what a clean-up did, or would do."""

from __future__ import annotations

from typing import NamedTuple

KINDS = {"job": "folders of jobs", "code": "copies of code", "cache": "cached results"}


class Removed(NamedTuple):
    """One thing: "job", "code" or "cache", where it lay, and its bytes on disk."""

    kind: str
    path: str
    size: int


class Cleanup(NamedTuple):
    """What was removed, or would be. `kept` is how many folders live jobs need, `problems` what could not be removed and why."""

    removed: tuple[Removed, ...]
    kept: int
    problems: tuple[str, ...]
    dry_run: bool

    @property
    def size(self) -> int:
        """Bytes on disk in all."""
        return sum(one.size for one in self.removed)

    def __str__(self) -> str:
        kinds = [one.kind for one in self.removed]
        what = ", ".join(f"{kinds.count(kind)} {text}" for kind, text in KINDS.items() if kind in kinds) or "nothing"
        lines = [f"{'would remove' if self.dry_run else 'removed'} {what}, {shown(self.size)}"
                 + (f"; {self.kept} kept for jobs that have not ended" if self.kept else "")]
        return "\n".join([*lines, *(f"not removed: {problem}" for problem in self.problems)])


def shown(size: int) -> str:
    """Bytes for people."""
    amount, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{amount:.1f} {unit}"
