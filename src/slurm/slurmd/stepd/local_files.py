"""Whether a path lies on this machine: a file system that another machine serves may not answer, and whoever then asks for a file waits for
ever.

Only names are looked at, and symbolic links outside such file systems; nothing here asks one.
"""

from __future__ import annotations

import os
import stat
from functools import lru_cache

LOCAL = frozenset({
    "ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs", "tmpfs", "ramfs", "overlay", "squashfs", "devtmpfs", "proc", "sysfs",
    "rootfs", "erofs"})
"""File systems that answer, as /proc/self/mountinfo calls them. Whatever is not known to may not."""
_MOST_LINKS = 40
_MOST_LOOKS = 4_000
"""Names that are looked at for one start, all paths together: thousands of folders in a PATH, or links that lead to links, keep nobody
longer."""


class Mounts:
    """The mounts of this moment."""

    def __init__(self, table: str = "") -> None:
        self._kinds = _kinds(table or _read())
        self._looks = 0

    def local(self, path: str) -> bool:
        """Whether everything on the way to this absolute path, and what is there, is on this machine. A missing end is where its folder is.

        Whoever asks must be the user whose path it is. False too once too much was asked.
        """
        done, todo, links = "/", [part for part in reversed(path.split("/")) if part not in ("", ".")], 0
        if not path.startswith("/") or self._kinds.get("/") not in LOCAL:
            return False
        while todo:
            part = todo.pop()
            self._looks += 1
            if self._looks > _MOST_LOOKS:
                return False
            if part == "..":
                done = os.path.dirname(done)
                continue
            here = os.path.join(done, part)
            if self._kinds.get(here, "tmpfs") not in LOCAL:
                return False
            try:
                mode = os.lstat(here).st_mode
            except (OSError, ValueError):
                return True  # whoever opens it is told why
            if not stat.S_ISLNK(mode):
                done = here
                continue
            links += 1
            if links > _MOST_LINKS:
                return False
            try:
                target = os.readlink(here)
            except OSError:
                return False  # it was replaced, or is no business of this user's
            done = "/" if target.startswith("/") else done
            todo += [one for one in reversed(target.split("/")) if one not in ("", ".")]
        return True


@lru_cache(maxsize=1)
def _kinds(table: str) -> dict[str, str]:
    """Mount point → file system; of mounts over each other the last one counts."""
    found: dict[str, str] = {}
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        found[_plain(fields.split()[4])] = rest.split()[0]
    return found


def _read() -> str:
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return file.read()


def _plain(path: str) -> str:
    """A path as mountinfo escapes it: \\040 for a blank, and so on."""
    if "\\" not in path:
        return path
    return path.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
