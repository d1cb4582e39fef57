"""Linux' calls for namespaces and mounts, which Python has not. What is mounted where is decided elsewhere (`root`).

A mount is first a descriptor (open_tree), then it is put somewhere (move_mount): its source is found on the host, and its place inside the
new root once that is the root. No name in an image can lead from one to the other.
"""

from __future__ import annotations

import ctypes
import os
import platform

NEW_MOUNTS = 0x00020000
NEW_USERS = 0x10000000
NEW_PROCESSES = 0x20000000
READ_ONLY, NO_SETUID, NO_DEVICES, NO_PROGRAMS = 1, 2, 4, 8
"""MOUNT_ATTR_*."""
_OPEN_TREE, _MOVE_MOUNT, _MOUNT_SETATTR = 428, 429, 442
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "ppc64le": 203, "riscv64": 41}
_CLONE, _RECURSIVE, _EMPTY_PATH, _FROM_EMPTY_PATH = 1, 0x8000, 0x1000, 4
_HERE = -100  # AT_FDCWD
_MS_RECURSIVE, _MS_SLAVE = 0x4000, 1 << 19
_DETACH = 2
_NO_NEW_PRIVILEGES = 38
_libc = ctypes.CDLL(None, use_errno=True)


class _Attributes(ctypes.Structure):
    _fields_ = (("set", ctypes.c_uint64), ("clear", ctypes.c_uint64), ("propagation", ctypes.c_uint64), ("user_namespace", ctypes.c_uint64))


def unshare(what: int) -> None:
    """Leave for new namespaces of these kinds. OSError."""
    _checked(_libc.unshare(what))


def enter(namespace: int, kind: int) -> None:
    """Enter the namespace of an open descriptor. OSError."""
    _checked(_libc.setns(namespace, kind))


def become_root_of(uid: int, gid: int, shown_uid: int, shown_gid: int) -> None:
    """Say who this process is in its new user namespace: there `shown_uid`, outside `uid`; nobody else is in it. OSError."""
    for name, text in (("setgroups", "deny"), ("uid_map", f"{shown_uid} {uid} 1"), ("gid_map", f"{shown_gid} {gid} 1")):
        descriptor = os.open(f"/proc/self/{name}", os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.write(descriptor, text.encode("ascii"))
        finally:
            os.close(descriptor)


def keep_to_ourselves() -> None:
    """What is mounted from here on is seen here only; what the host mounts and unmounts is still seen. OSError."""
    mount("none", "/", "", _MS_RECURSIVE | _MS_SLAVE, "")


def mount(source: str, target: str, kind: str, flags: int, options: str) -> None:
    """mount(2). OSError."""
    _checked(_libc.mount(os.fsencode(source), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), os.fsencode(options)))


def unmount(path: str) -> None:
    """Take away what is mounted at `path`; who uses it still keeps it. OSError."""
    _checked(_libc.umount2(os.fsencode(path), _DETACH))


def taken(path: str, attributes: int = NO_SETUID, *, below: bool = True) -> int:
    """A descriptor of what lies at `path`, to be put elsewhere, with these attributes; with all that is mounted `below`. OSError."""
    flags = _CLONE | os.O_CLOEXEC | (_RECURSIVE if below else 0)
    tree = _checked(_libc.syscall(_long(_OPEN_TREE), _long(_HERE), os.fsencode(path), _long(flags)))
    try:
        _set(tree, attributes)
    except OSError:
        os.close(tree)
        raise
    return tree


def put(tree: int, target: str) -> None:
    """Mount what was taken at `target`, which is there, and close its descriptor. OSError."""
    try:
        _checked(_libc.syscall(_long(_MOVE_MOUNT), _long(tree), b"", _long(_HERE), os.fsencode(target), _long(_FROM_EMPTY_PATH)))
    finally:
        os.close(tree)


def make_read_only(path: str, *, below: bool = False) -> None:
    """Nothing at `path` can be changed any more; `below`: nor in what is mounted below it. OSError."""
    _attribute(_HERE, os.fsencode(path), _RECURSIVE if below else 0, READ_ONLY)


def make_root(path: str) -> None:
    """Have `path`, where something is mounted, be the root, and nothing of the former one be there. OSError."""
    os.chdir(path)
    _checked(_libc.syscall(_long(_PIVOT_ROOT[platform.machine()]), b".", b"."))
    _checked(_libc.umount2(b".", _DETACH))
    os.chdir("/")


def gain_no_privileges() -> None:
    """From here on no program gives more rights than this process has. OSError."""
    _checked(_libc.prctl(_NO_NEW_PRIVILEGES, _long(1), _long(0), _long(0), _long(0)))


def _set(tree: int, attributes: int) -> None:
    _attribute(tree, b"", _EMPTY_PATH | _RECURSIVE, attributes)


def _attribute(folder: int, path: bytes, flags: int, attributes: int) -> None:
    wanted = _Attributes(set=attributes)
    _checked(_libc.syscall(
        _long(_MOUNT_SETATTR), _long(folder), path, _long(flags), ctypes.byref(wanted), _long(ctypes.sizeof(wanted))))


def _long(number: int) -> ctypes.c_long:
    return ctypes.c_long(number)


def _checked(result: int) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
