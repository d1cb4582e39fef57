"""Whereabouts: which jobs the cluster has of those whose script lies at a place.

Every submission has a script of its own, so its path is a name for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from slurm.sdk.backends.backend import Backend


class Row(NamedTuple):
    """One job of the queue, or one element of an array with its number; ended ones too, as long as the cluster remembers them."""

    base: int
    number: int | None
    script: str


def rows(backend: Backend) -> list[Row]:
    """All jobs of this user; BackendError when the cluster cannot be asked."""
    found = []
    for line in backend.ask(["squeue", "-h", "-r", "-t", "all", "--me", "-o", "%F|%K|%o"]).splitlines():
        base, number, script = line.split("|", 2)
        found.append(Row(int(base), int(number) if number.strip().isdecimal() else None, script))
    return found


def latest(known: Sequence[Row], script: str, number: int | None = None) -> str:
    """The id of the last attempt of the job with this script, or of that element of its array; "" when there is none."""
    bases = [row.base for row in known if row.number == number and (row.script == script or row.script.startswith(f"{script}.again"))]
    return "" if not bases else str(max(bases)) if number is None else f"{max(bases)}_{number}"
