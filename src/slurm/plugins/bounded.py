"""A program of an ordinary user on a daemon's machine: as that user, within bounds, to its deadline, and nothing of it stays.

`python -m slurm.plugins.bounded UID GID GROUPS SECONDS PROGRAM ARGUMENT …`: GROUPS as 100,200. This process stays root's, or whose the
daemon is; whatever the program left, daemons of its own included, is killed when it ends, at the deadline, and when the daemon is gone.
"""

from __future__ import annotations

import os
import resource
import select
import signal
import sys
import time
from collections.abc import Sequence

from slurm.plugins.supervisor import PR_SET_CHILD_SUBREAPER, PR_SET_PDEATHSIG, end_descendants, prctl, reaped

OVERDUE = 124
"""Exit status of a program that was ended at its deadline, as timeout(1) has it."""
NOT_RUN = 127
LIMITS = (
    (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 1024), (resource.RLIMIT_AS, 4 << 30), (resource.RLIMIT_FSIZE, 1 << 30),
    (resource.RLIMIT_MEMLOCK, 64 << 10))
THREADS = 64
"""So many more than the user has when it begins."""
_FIRST_TO_GO = b"1000"
"""oom_score_adj: where memory is short, this goes before the daemons."""


def command(owner: tuple[int, int, Sequence[int]], seconds: float) -> list[str]:
    """The words before a program's own; `owner`: uid, gid and all groups."""
    uid, gid, groups = owner
    return [sys.executable, "-P", "-m", "slurm.plugins.bounded", str(uid), str(gid), ",".join(map(str, groups)), str(seconds)]


def main(arguments: list[str]) -> int:
    """Live; the exit status is the program's, 128 + signal where one ended it, OVERDUE, or NOT_RUN with a sentence."""
    uid, gid, seconds = int(arguments[0]), int(arguments[1]), float(arguments[3])
    groups = [int(group) for group in arguments[2].split(",") if group]
    prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    prctl(PR_SET_CHILD_SUBREAPER, 1)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing)
    for each in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(each, lambda number, frame: None)
    threads = _threads_of(uid)
    program = os.fork()
    if program == 0:
        _become(uid, gid, groups, threads, arguments[4:])
    status = _watch(program, reading, time.monotonic() + seconds)
    end_descendants()
    if status == OVERDUE:
        print(f"it took longer than {seconds:g} s and was ended")
    return status


def _become(uid: int, gid: int, groups: list[int], threads: int, words: list[str]) -> None:
    """The child's life; it never returns."""
    try:
        signal.set_wakeup_fd(-1)
        for each in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(each, signal.SIG_DFL)
        os.setsid()
        with open("/proc/self/oom_score_adj", "wb") as file:
            file.write(_FIRST_TO_GO)
        for number, most in (*LIMITS, (resource.RLIMIT_NPROC, threads + THREADS)):
            hard = resource.getrlimit(number)[1]
            limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(number, (limit, limit))
        if os.geteuid() != uid or os.getegid() != gid:
            os.setgroups(groups)
            os.setresgid(gid, gid, gid)
            os.setresuid(uid, uid, uid)
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.execve(words[0], words, {name: value for name, value in os.environ.items() if name != "PYTHONPATH"})  # noqa: S606
    except OSError as error:
        os.write(2, f"it cannot be run: {error.strerror}\n".encode())
    finally:
        os._exit(NOT_RUN)


def _watch(program: int, wakeup: int, until: float) -> int:
    poller = select.poll()
    poller.register(wakeup, select.POLLIN)
    while (left := until - time.monotonic()) > 0:
        if poller.poll(left * 1000) and signal.SIGTERM in os.read(wakeup, 4096):
            return 128 + signal.SIGTERM
        while (gone := reaped()) is not None:
            if gone[0] == program:
                return os.waitstatus_to_exitcode(gone[1]) if os.WIFEXITED(gone[1]) else 128 + os.WTERMSIG(gone[1])
    return OVERDUE


def _threads_of(uid: int) -> int:
    """How many a user has on this machine now: RLIMIT_NPROC counts them all."""
    count = 0
    for name in os.listdir("/proc"):
        if name.isdecimal():
            try:
                if os.stat(f"/proc/{name}").st_uid == uid:
                    count += len(os.listdir(f"/proc/{name}/task"))
            except OSError:
                continue  # it ended meanwhile
    return count


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
