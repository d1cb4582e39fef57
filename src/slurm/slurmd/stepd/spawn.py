"""Starting a program by vfork and exec, in a few lines of C (`spawn.c`) that are compiled with the package where there is a compiler.

`available` says whether they are here; where not, `tasks` forks. Not for files that may hang (a network's): while the program is looked up,
the whole slurmstepd waits.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

STAGES = ("started", "setsid", "dup2", "TIOCSCTTY", "cgroup", "sched_setaffinity", "setrlimit", "setgroups", "setgid", "setuid", "prctl",
    "chdir", "execve",
          "fork")
"""What may fail, by the number that spawn.c gives it."""
LIBRARY = os.path.join(os.path.dirname(__file__), "_spawn.so")
_PID_ROOM = 11


class _Limit(ctypes.Structure):
    _fields_ = (("resource", ctypes.c_longlong), ("soft", ctypes.c_ulonglong), ("hard", ctypes.c_ulonglong))


class _Birth(ctypes.Structure):
    _fields_ = (
        ("paths", ctypes.POINTER(ctypes.c_char_p)), ("argv", ctypes.POINTER(ctypes.c_char_p)),
        ("environment", ctypes.POINTER(ctypes.c_char_p)),
        ("pid_digits", ctypes.c_void_p), ("work_dir", ctypes.c_char_p), ("mask", ctypes.c_char_p), ("mask_size", ctypes.c_long),
        ("limits", ctypes.POINTER(_Limit)), ("limit_count", ctypes.c_long), ("groups", ctypes.POINTER(ctypes.c_uint)),
        ("group_count", ctypes.c_long),
        ("uid", ctypes.c_long), ("gid", ctypes.c_long), ("streams", ctypes.c_int * 3), ("terminal", ctypes.c_int),
        ("cgroups", ctypes.POINTER(ctypes.c_int)),
        ("cgroup_count", ctypes.c_long), ("death_signal", ctypes.c_int), ("stage", ctypes.c_int), ("error", ctypes.c_int))


class User(NamedTuple):
    """Whom the program is to run as: ids and all groups."""

    uid: int
    gid: int
    groups: Sequence[int]


class Program(NamedTuple):
    """What to start, and how.

    `limits`: (resource number, soft, hard), -1 for none; `pid_name`: the variable that is to hold the new pid.
    """

    argv: Sequence[str]
    environment: Mapping[str, str]
    streams: tuple[int, int, int]
    work_dir: str = ""
    cpus: Sequence[int] = ()
    limits: Sequence[tuple[int, int, int]] = ()
    user: User | None = None
    terminal: bool = False
    cgroups: Sequence[int] = ()  # open cgroup.procs files
    death_signal: int = 0
    pid_name: str = ""


class Born(NamedTuple):
    """The new process, which must be reaped; `failed` names what it could not do ("" when it runs the program), `error` is why, an
    errno."""

    pid: int
    failed: str
    error: int


def _load(path: str = LIBRARY) -> ctypes.CDLL | None:
    """The library; None where there is none, or one of another version of this file."""
    try:
        library = ctypes.CDLL(path)
        size = ctypes.c_long.in_dll(library, "slurm_spawn_size").value
    except (OSError, ValueError):
        return None
    return library if size == ctypes.sizeof(_Birth) else None


_library = _load()


def available() -> bool:
    """Whether the compiled part is here."""
    return _library is not None


def spawn(program: Program) -> Born:
    """Start it. OSError when the machine has no room for another process; RuntimeError where the compiled part is missing."""
    if _library is None:
        raise RuntimeError(f"{LIBRARY} is not there")
    environment = [os.fsencode(f"{name}={value}") for name, value in program.environment.items() if name != program.pid_name]
    room = ctypes.create_string_buffer(os.fsencode(program.pid_name) + b"=" + bytes(_PID_ROOM)) if program.pid_name else None
    birth = _Birth(
        paths=_texts(_paths(program)), argv=_texts([os.fsencode(word) for word in program.argv]),
        environment=_texts(environment, room), work_dir=os.fsencode(program.work_dir) if program.work_dir else None,
        limits=(_Limit * len(program.limits))(*(_Limit(number, soft % 2**64, hard % 2**64) for number, soft, hard in program.limits)),
        limit_count=len(program.limits), streams=(ctypes.c_int * 3)(*program.streams), terminal=program.terminal,
        cgroups=(ctypes.c_int * len(program.cgroups))(*program.cgroups), cgroup_count=len(program.cgroups),
        death_signal=program.death_signal, group_count=-1)
    if room is not None:
        birth.pid_digits = ctypes.addressof(room) + len(program.pid_name) + 1
    if program.cpus:
        mask = sum(1 << cpu for cpu in program.cpus)
        size = (mask.bit_length() + 63) // 64 * 8
        birth.mask, birth.mask_size = mask.to_bytes(size, "little"), size
    if program.user is not None:
        groups = program.user.groups
        birth.uid, birth.gid, birth.group_count, birth.groups = program.user.uid, program.user.gid, len(groups), (
            ctypes.c_uint * len(groups))(*groups)
    pid = _library.slurm_spawn(ctypes.byref(birth))
    if pid < 0:
        raise OSError(birth.error, os.strerror(birth.error))
    return Born(pid, STAGES[birth.stage] if birth.stage else "", birth.error)


def _texts(of: Sequence[bytes], last: ctypes.Array[ctypes.c_char] | None = None) -> ctypes.Array[ctypes.c_char_p]:
    """A NULL-terminated array; `last` is appended as it is, since the new process writes into it."""
    made = (ctypes.c_char_p * (len(of) + (last is not None) + 1))(*of)
    if last is not None:
        ctypes.cast(made, ctypes.POINTER(ctypes.c_void_p))[len(of)] = ctypes.addressof(last)
    return made


def _paths(program: Program) -> list[bytes]:
    """The files to try: the program itself when it has a slash, else one a folder of PATH, as execvp does, and then where the task runs."""
    return list(_candidates(os.fsencode(program.argv[0]), program.environment))


def _candidates(name: bytes, environment: Mapping[str, str]) -> Iterator[bytes]:
    if b"/" in name:
        yield name
        return
    for folder in os.get_exec_path(environment):
        yield os.path.join(os.fsencode(folder), name)
    if name:
        yield b"./" + name
