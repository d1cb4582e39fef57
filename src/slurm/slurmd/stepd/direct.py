"""A task's start by vfork and exec, without a copy of slurmstepd between: for tasks of which nothing may take long.

That is: no lookup of users, and files, folder and program on this machine. `start` says None whenever that is not so or anything is out of
the ordinary; then `tasks` forks, and tells what is wrong.
"""

from __future__ import annotations

import os
import resource
import signal
import stat
from collections.abc import Mapping, Sequence

from slurm.slurmd.stepd import limits, program_file, spawn
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.files import File
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.local_files import Mounts
from slurm.slurmd.stepd.spawn import Born, Program, User
from slurm.slurmd.stepd.user import acting_as, changes_user

_SHORTEST = 3
"""Descriptors below are a task's streams."""
_MOST_INTERPRETERS = 5
"""Scripts that name scripts: Linux follows no more of them."""


def start(record: StepRecord, argv: Sequence[str], environment: Mapping[str, str], streams: Sequence[int | File], opening: Sequence[File],
          *, terminal: bool, cgroup: Cgroup | None) -> tuple[Born, dict[File, int]] | None:
    """The new process, and descriptors of `opening`, which are the caller's to close; None when it was not started. OSError when there is
    no room for it.

    `streams` become 0, 1 and 2; `cgroup` is the step's. A program that cannot be executed was started: `Born.failed`.
    """
    bounds = _bounds(record.rlimits)
    if not spawn.available() or bounds is None or not _plain(record.work_dir, argv, environment) or _must_look_up(record):
        return None
    mounts = Mounts()
    opened: dict[File, int] = {}
    former = os.umask(record.umask)
    try:
        with acting_as(record):
            whole = _all_local(mounts, record, argv[0], environment, opening) and all(_open(file, opened) for file in opening)
        given = [opened[one] if isinstance(one, File) else one for one in streams] if whole else []
        born = _born(record, argv, environment, given, bounds, terminal=terminal,
            cgroup=cgroup) if given and min(given) >= _SHORTEST else None
    except BaseException:
        _close(opened)
        raise
    finally:
        os.umask(former)
    if born is None:
        _close(opened)
        return None
    return born, opened


def _born(record: StepRecord, argv: Sequence[str], environment: Mapping[str, str], streams: Sequence[int],
        bounds: Sequence[tuple[int, int, int]],
          *, terminal: bool, cgroup: Cgroup | None) -> Born | None:
    doors = cgroup.doors() if cgroup is not None else []
    try:
        born = spawn.spawn(Program(
            argv, environment, (streams[0], streams[1], streams[2]), work_dir=record.work_dir, cpus=record.cpus, limits=bounds,
            terminal=terminal,
            cgroups=doors, death_signal=signal.SIGKILL, pid_name="SLURM_TASK_PID",
            user=User(record.uid, record.gid, record.groups or ()) if changes_user(record) else None))
    finally:
        for door in doors:
            os.close(door)
    if born.failed and born.failed != "execve":
        os.waitpid(born.pid, 0)  # it has ended already
        return None
    return born


def _plain(work_dir: str, argv: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether exec can be given these: no NUL, and names that are names."""
    texts = work_dir + "".join(argv) + "".join(environment) + "".join(environment.values())
    return bool(argv) and "\0" not in texts and "=" not in "".join(environment) and "" not in environment


def _must_look_up(record: StepRecord) -> bool:
    """Whether somebody has to be asked about users: for the groups of the owner, or for what a login would set."""
    exported = record.login
    return (changes_user(record) and record.groups is None) or bool(exported and {"ALL", "NIL"}.isdisjoint(exported.split(",")))


def _all_local(mounts: Mounts, record: StepRecord, program: str, environment: Mapping[str, str], opening: Sequence[File]) -> bool:
    """Whether all lies on this machine; asked as the step's owner, of whom the paths are."""
    programs = [program] if "/" in program else [os.path.join(folder, program) for folder in os.get_exec_path(environment)]
    return all(map(mounts.local, (record.work_dir, *programs, *(file.path for file in opening)))) and all(_interpreted_locally(mounts, path)
        for path in programs)


def _interpreted_locally(mounts: Mounts, path: str) -> bool:
    for _ in range(_MOST_INTERPRETERS):
        try:
            words = program_file.interpreter_line(path).split()
        except BlockingIOError:
            return False
        if not words:
            return True
        path = words[0]
        if not mounts.local(path):
            return False
    return True


def _open(file: File, opened: dict[File, int]) -> bool:
    """Open a regular file, or /dev/null; False for what is none, or cannot be opened at once."""
    try:
        # A FIFO is left alone: whoever waits for its other end would take this one for it. O_NONBLOCK is for one that was put there since.
        if not _at_once(os.stat(file.path)):
            return False
    except FileNotFoundError:
        if not file.flags & os.O_CREAT:
            return False
    except (OSError, ValueError):
        return False
    try:
        descriptor = opened[file] = os.open(file.path, file.flags | os.O_NONBLOCK, 0o666)
    except (OSError, ValueError):
        return False
    if not _at_once(os.fstat(descriptor)):
        return False
    os.set_blocking(descriptor, True)
    return True


def _at_once(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) or facts.st_rdev == os.stat(os.devnull).st_rdev


def _close(opened: dict[File, int]) -> None:
    for descriptor in opened.values():
        os.close(descriptor)


def _bounds(asked: Mapping[str, int]) -> list[tuple[int, int, int]] | None:
    """What `limits.apply` would set; None where it has something to say, or raises a hard limit."""
    found = {number: (soft, hard) for number, (soft, hard) in limits.first().items()}
    for name, wanted in asked.items():
        if name not in limits.NAMES:
            return None
        number = getattr(resource, f"RLIMIT_{name.upper()}")
        hard = (found[number] if number in found else resource.getrlimit(number))[1]
        if not -1 <= wanted < 1 << 63 or limits.exceeds(wanted, hard):
            return None
        found[number] = wanted, hard
    return [(number, soft, hard) for number, (soft, hard) in found.items()]
