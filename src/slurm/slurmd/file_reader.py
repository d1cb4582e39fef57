"""Reads a piece of a regular file as a user: `file_reader.py UID GID USER OFFSET MOST PATH`, a process of its own, which is that user before
it looks at the path.

It prints "OFFSET SIZE" and a line break, then the piece; OFFSET is 0 where the file is shorter than what was asked for. Status 2: it cannot
be read, with the reason. It imports nothing of ours: it is run by its path, so that it starts at once.
"""

from __future__ import annotations

import os
import stat
import sys

UNREADABLE = 2


def become(uid: int, gid: int, user: str) -> None:
    """Be this user for good, with all of his groups; whoever is no root is himself already, or OSError."""
    if os.geteuid() == 0:
        os.setgroups(os.getgrouplist(user, gid) if user else [])
    if (os.geteuid(), os.getegid()) != (uid, gid):
        os.setresgid(gid, gid, gid)
        os.setresuid(uid, uid, uid)


def piece(path: str, offset: int, most: int) -> tuple[int, int, bytes]:
    """(where it begins, size of the file, data). Nothing but a regular file is opened: opening a pipe or a device does something. OSError."""
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    status = os.fstat(found)
    if not stat.S_ISREG(status.st_mode):
        raise OSError(0, "it is no ordinary file")
    with open(f"/proc/self/fd/{found}", "rb", buffering=0) as file:
        begin = offset if offset <= status.st_size else 0
        return begin, status.st_size, os.pread(file.fileno(), most, begin)


def main(arguments: list[str]) -> int:
    """Live."""
    uid, gid, user, offset, most, path = arguments
    try:
        become(int(uid), int(gid), user)
        begin, size, data = piece(path, int(offset), int(most))
    except OSError as error:
        sys.stdout.write(f"{path}: {error.strerror}")
        return UNREADABLE
    with open(1, "wb") as out:
        out.write(b"%d %d\n" % (begin, size) + data)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
