"""Numbers in order, as Slurm shows cores and ports: 0-3,8."""

from __future__ import annotations

from collections.abc import Iterable


def show(numbers: Iterable[int]) -> str:
    """Numbers that rise, each run of them as its first and last; "" for none."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1][1:] = [number]
        else:
            runs.append([number])
    return ",".join("-".join(map(str, run)) for run in runs)
