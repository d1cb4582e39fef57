"""Energy of this node by the counters of its processors (RAPL), as Linux shows them below /sys/class/powercap."""

from __future__ import annotations

import os
from collections.abc import Iterator

ROOT = "/sys/class/powercap"
WRAP_SECONDS = 300.0
"""Counters begin anew at 262 kJ, which a large processor takes in ten minutes: they are read at least so often."""


class Counter:
    """One counter: of a package, or of its memory."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self._range = _number(folder, "max_energy_range_uj") or 1 << 32
        self._last = _number(folder, "energy_uj")
        self._microjoules = 0

    def joules(self) -> float:
        """What was taken since it was made."""
        now = _number(self.folder, "energy_uj")
        if now is not None and self._last is not None:
            self._microjoules += now - self._last if now >= self._last else now - self._last + self._range
        self._last = now if now is not None else self._last
        return self._microjoules / 1e6


class Rapl:
    """All counters of this node that are readable: packages, and the memory beside them, which packages leave out."""

    def __init__(self, root: str = ROOT) -> None:
        self._counters = [Counter(folder) for folder in _folders(root)]

    def joules(self) -> int:
        """What the node took since this object was made."""
        return round(sum(counter.joules() for counter in self._counters))


def readable(root: str = ROOT) -> bool:
    """Whether this node tells its energy to this process."""
    return any(_number(folder, "energy_uj") is not None for folder in _folders(root))


def _folders(root: str) -> Iterator[str]:
    try:
        names = sorted(os.listdir(root))
    except OSError:
        return
    for name in names:
        folder = os.path.join(root, name)
        what = _text(folder, "name")
        if name.startswith("intel-rapl:") and (what.startswith("package") or what == "dram"):
            yield folder


def _text(folder: str, name: str) -> str:
    try:
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return ""


def _number(folder: str, name: str) -> int | None:
    text = _text(folder, name)
    return int(text) if text.isdigit() else None
