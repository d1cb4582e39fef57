"""Names for the content of folders: which files of a project count, and one digest over all of them."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator

LARGE = 8 << 20
"""Files of more bytes are known by their size and time instead of being read."""
_SKIPPED = frozenset(("__pycache__", "build", "dist", "node_modules"))

Listing = tuple[tuple[str, int, int], ...]
"""(path below the folder, bytes, time of change in ns) of each file."""


def listing(folder: str, *, everything: bool = False) -> Listing:
    """The files below a folder.

    Hidden folders, virtual environments and what builds leave behind are no part of a project, unless `everything` counts.
    """
    return tuple(sorted(_files(folder, everything)))


def digest(folder: str, files: Listing) -> str:
    """A name for the content of these files."""
    return _digest(folder, files)


@functools.lru_cache(maxsize=32)
def _digest(folder: str, files: Listing) -> str:
    found = hashlib.sha256()
    for name, size, time in files:
        found.update(f"{name}\0{size}\0".encode())
        if size > LARGE:
            found.update(f"{time}\0".encode())
            continue
        with open(os.path.join(folder, name), "rb") as file:
            found.update(hashlib.sha256(file.read()).digest())
    return found.hexdigest()[:16]


def _files(folder: str, everything: bool) -> Iterator[tuple[str, int, int]]:
    for place, folders, names in os.walk(folder):
        folders[:] = [one for one in folders if one != ".git" and (everything or _counts(place, one))]
        for name in names:
            path = os.path.join(place, name)
            if os.path.isfile(path) and (everything or not name.endswith(".pyc")):
                told = os.stat(path)
                yield os.path.relpath(path, folder), told.st_size, told.st_mtime_ns


def _counts(place: str, name: str) -> bool:
    return not (name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info")
        or os.path.exists(os.path.join(place, name, "pyvenv.cfg")))
