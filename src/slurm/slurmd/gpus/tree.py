"""/sys, /proc and /dev as files: the one way by which GPUs are looked for, below any folder, so that a recorded tree serves as well."""

from __future__ import annotations

import os


class Tree:
    """The files below `root`. What is not there is empty: machines differ in what their kernels tell."""

    def __init__(self, root: str = "/") -> None:
        self._root = root

    def text(self, path: str) -> str:
        """What a file holds, without the line end."""
        try:
            with open(self._at(path), encoding="utf-8", errors="replace") as file:
                return file.read().strip()
        except OSError:
            return ""

    def names(self, folder: str) -> list[str]:
        """What is in a folder, sorted: numbers at the end of a name count as numbers."""
        try:
            return sorted(os.listdir(self._at(folder)), key=_by_number)
        except OSError:
            return []

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        return os.path.exists(self._at(path))

    def target(self, link: str) -> str:
        """The last part of what a symbolic link leads to."""
        try:
            return os.path.basename(os.readlink(self._at(link)))
        except OSError:
            return ""

    def near_cpus(self, address: str) -> frozenset[int]:
        """The CPUs near a PCI device."""
        return cpu_list(self.text(f"/sys/bus/pci/devices/{address}/local_cpulist"))

    def _at(self, path: str) -> str:
        return os.path.join(self._root, path.lstrip("/"))


def cpu_list(text: str) -> frozenset[int]:
    """The numbers of a list as the kernel writes them, "0-31,64-95"; empty for what is none."""
    found: set[int] = set()
    for part in filter(None, text.split(",")):
        low, dash, high = part.partition("-")
        if not low.isdecimal() or (dash and not high.isdecimal()):
            return frozenset()
        found.update(range(int(low), int(high if dash else low) + 1))
    return frozenset(found)


def _by_number(name: str) -> tuple[str, int, str]:
    digits = name[len(name.rstrip("0123456789")):]
    return name.rstrip("0123456789"), int(digits or -1), name
