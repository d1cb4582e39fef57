"""The root of a container, built in namespaces of its own: the image below, what is changed in memory above it, and of the host what its
owner asked for and what programs need.

All of the host is taken before the image is the root, and put into its place afterwards: a symbolic link of the image leads to the image.
`/proc` comes last, since by it descriptors of the host could be named.
"""

from __future__ import annotations

import contextlib
import errno
import glob
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple

from slurm.notation.container import Mount
from slurm.slurmd.stepd.container import mounting
from slurm.slurmd.stepd.container.mounting import NO_DEVICES, NO_PROGRAMS, NO_SETUID, READ_ONLY

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "pts", "shm", "mqueue", "hugepages", "fuse")
_ACCELERATORS = ("nvidia*", "dri", "kfd", "infiniband", "accel", "gdrdrv", "knem", "xpmem", "neuron*")
_LINKS = (("fd", "/proc/self/fd"), ("stdin", "/proc/self/fd/0"), ("stdout", "/proc/self/fd/1"), ("stderr", "/proc/self/fd/2"))
_FILES = ("/etc/resolv.conf", "/etc/hosts")
_NEEDED = (("/etc", True), ("/dev", True), ("/proc", True), ("/sys", True))
_OWN_OF_PROC = ("self", "thread-self")
"""What of /proc is a process', as its numbers are. All else is everybody's: only root's own containers could change it, and they must not
either."""
_MS_NO_SETUID, _MS_NO_DEVICES = 2, 4
LONGEST_FILE = 1 << 20
"""Bytes that are read of a file of an image."""


class CannotBuild(OSError):
    """There can be no such container; the text says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.strerror = sentence


class Plan(NamedTuple):
    """What a root is made of. `image`: the folder of its files; `kept`: changes stay there, else they go with the container.

    `user`: line of /etc/passwd, `group`: line of /etc/group for whom runs it.
    """

    image: str
    kept: bool
    writable: bool
    mounts: Sequence[Mount]
    home: str
    uid: int
    gid: int
    user: str
    group: str
    root: bool  # be root inside
    apart: bool = False  # see no process of the host: what runs as root could end them


def leave(uid: int, gid: int, *, apart: bool) -> None:
    """Into namespaces of users and mounts of one's own; `apart`: whom this process starts from now on is in one of processes too.

    Of a process with one thread, which runs as the owner. CannotBuild.
    """
    try:
        mounting.unshare(mounting.NEW_USERS | mounting.NEW_MOUNTS | (mounting.NEW_PROCESSES if apart else 0))
        mounting.become_root_of(uid, gid, 0, 0)
    except OSError as error:
        raise CannotBuild(f"this node lets users make no namespaces of their own, which containers need: {error.strerror} "
            "(user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns)") from error


def build(plan: Plan) -> None:
    """Have the calling process, which has left (`leave`), be inside. OSError; CannotBuild with a sentence."""
    mounting.keep_to_ourselves()
    image = os.open(plan.image, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    devices, files, mounts, kernel = _devices(), _files(), [(one.target, _taken(one)) for one in plan.mounts], _kernel()
    own_proc = _own_proc() if plan.apart else None
    kept = mounting.taken(plan.image, NO_SETUID | NO_DEVICES) if plan.kept else -1
    mounting.mount("tmpfs", "/tmp", "tmpfs", _MS_NO_SETUID | _MS_NO_DEVICES, "mode=0755")
    for name in ("upper", "work", "root"):
        os.mkdir(f"/tmp/{name}", 0o755)
    if kept >= 0:
        mounting.put(kept, "/tmp/root")
    else:
        for target, folder in (*_NEEDED, *((target, _is_folder(tree)) for target, tree in (*devices, *files, *mounts)), (plan.home, True)):
            _prepare_place(image, target, folder=folder)
        _lay_over(image, plan.image)
    os.close(image)
    mounting.make_root("/tmp/root")
    _have_tmp()
    _put_devices(devices)
    for target, tree in (*files, *mounts):
        put_inside(tree, target)
    _know_user(plan)
    for target, tree in kernel:
        put_inside(own_proc if target == "/proc" and own_proc is not None else tree, target)
    for path in _shared_of_proc():
        mounting.put(mounting.taken(path, NO_SETUID | READ_ONLY), path)
    if not plan.writable:
        mounting.make_read_only("/")


def close_off(plan: Plan) -> None:
    """Into namespaces below those that `build` made, from where nothing of what it mounted can be undone; as whom the owner is to be seen.
    """
    mounting.unshare(mounting.NEW_USERS | mounting.NEW_MOUNTS)
    shown = (0, 0) if plan.root else (plan.uid, plan.gid)
    mounting.become_root_of(0, 0, *shown)


def _is_folder(tree: int) -> bool:
    return stat.S_ISDIR(os.fstat(tree).st_mode)


def _prepare_place(image: int, target: str, *, folder: bool) -> None:
    """Have the folders on the way to a place be the owner's, above those of the image, and the place be there.

    An image may be another's: in its own folders nobody else may make anything. Where it has a link on the way, nothing is done.
    """
    at, above = os.dup(image), "/tmp/upper"
    names = [name for name in target.split("/") if name]
    try:
        for number, name in enumerate(names):
            above = f"{above}/{name}"
            is_file = number == len(names) - 1 and not folder
            below = _look(at, name) if at >= 0 else -1
            if below is None or (is_file and below >= 0):
                return
            if is_file:
                os.close(os.open(above, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
                return
            os.makedirs(above, stat.S_IMODE(os.fstat(below).st_mode) | 0o700 if below >= 0 else 0o755, exist_ok=True)
            if at >= 0:
                os.close(at)
            at = below
    finally:
        if at >= 0:
            os.close(at)


def _look(folder: int, name: str) -> int | None:
    """A descriptor of what an image has there, -1 for nothing, None for what is no folder."""
    try:
        return os.open(name, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    except FileNotFoundError:
        return -1
    except OSError:
        return None


def _has_mounts_below(path: str) -> bool:
    """Whether something is mounted inside a folder."""
    above = os.path.join(os.path.realpath(path), "")
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return any(place != above and place.startswith(above) for place in (line.split(" ")[4] for line in file))


def _lay_over(image: int, path: str) -> None:
    try:
        mounting.mount("overlay", "/tmp/root", "overlay", _MS_NO_SETUID | _MS_NO_DEVICES,
            f"lowerdir=/proc/self/fd/{image},upperdir=/tmp/upper,workdir=/tmp/work,userxattr")
    except OSError as error:
        if error.errno == errno.EINVAL and _has_mounts_below(path):
            raise CannotBuild(f"{path} cannot be the root of a container: other file systems are mounted below it; copy what is needed of "
                              "it, "
                "or bring them by --container-mounts") from error
        if error.errno in (errno.EPERM, errno.EINVAL, errno.ENODEV):
            raise CannotBuild("the kernel of this node lets users mount no overlay, which containers need: Linux 5.12 or later does") from error
        raise


def _own_proc() -> int | None:
    """A /proc of this process' own namespace; None where the machine, itself a container, allows no new one: it shows the host's then."""
    try:
        mounting.mount("proc", "/proc", "proc", _MS_NO_SETUID | _MS_NO_DEVICES, "")
    except PermissionError:
        return None
    return mounting.taken("/proc", NO_SETUID | NO_DEVICES)


def _taken(one: Mount) -> int:
    try:
        return mounting.taken(one.source, NO_SETUID | (READ_ONLY if one.read_only else 0) | (NO_PROGRAMS if one.no_programs else 0))
    except OSError as error:
        raise CannotBuild(f"--container-mounts: {one.source}: {error.strerror}") from error


def _devices() -> list[tuple[str, int]]:
    found = [f"/dev/{name}" for name in _DEVICES]
    for pattern in _ACCELERATORS:
        found += sorted(glob.glob(f"/dev/{pattern}"))
    return [(path, mounting.taken(path)) for path in found if os.path.exists(path)]


def _files() -> list[tuple[str, int]]:
    return [(path, mounting.taken(path, NO_SETUID | NO_DEVICES | READ_ONLY)) for path in _FILES if os.path.isfile(path)]


def _kernel() -> list[tuple[str, int]]:
    return [("/sys", mounting.taken("/sys", NO_SETUID | NO_DEVICES | READ_ONLY)),
        ("/proc", mounting.taken("/proc", NO_SETUID | NO_DEVICES))]


def _shared_of_proc() -> list[str]:
    """What of /proc tells of the machine and can be written to, by root at least."""
    found = []
    for name in sorted(os.listdir("/proc")):
        path = f"/proc/{name}"
        mode = os.lstat(path).st_mode if not name.isdecimal() and name not in _OWN_OF_PROC else 0
        if stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and mode & 0o222):
            found.append(path)
    return found


def _put_devices(devices: Sequence[tuple[str, int]]) -> None:
    try:
        os.makedirs("/dev", exist_ok=True)
    except OSError as error:
        raise CannotBuild(f"/dev cannot be made in the container: {error.strerror}") from error
    mounting.mount("tmpfs", "/dev", "tmpfs", _MS_NO_SETUID, "mode=0755")
    for target, tree in devices:
        put_inside(tree, target)
    for name, leads_to in _LINKS:
        os.symlink(leads_to, f"/dev/{name}")


def put_inside(tree: int, target: str) -> None:
    """Mount what was taken at a path of the container, which is made where it is missing. OSError."""
    try:
        _make_place(target, folder=_is_folder(tree))
    except OSError as error:
        os.close(tree)
        raise CannotBuild(f"{target} cannot be made in the container: {error.strerror}") from error
    mounting.put(tree, target)


def _have_tmp() -> None:
    if not os.path.lexists("/tmp"):
        os.mkdir("/tmp", 0o700)
        os.chmod("/tmp", 0o1777)


def _make_place(target: str, *, folder: bool) -> None:
    if folder:
        os.makedirs(target, exist_ok=True)
        return
    os.makedirs(os.path.dirname(target), exist_ok=True)
    with contextlib.suppress(FileExistsError):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL | os.O_CLOEXEC, 0o644))


def _know_user(plan: Plan) -> None:
    """Programs ask who they are, and for a home folder."""
    if not plan.root:
        for path, line, number in (("/etc/passwd", plan.user, plan.uid), ("/etc/group", plan.group, plan.gid)):
            with contextlib.suppress(OSError):  # an image whose /etc is odd does without
                if str(number) not in _numbers(path):
                    _add(path, line)
    if plan.home.startswith("/"):
        with contextlib.suppress(OSError):
            os.makedirs(plan.home, 0o700, exist_ok=True)


def text_of(path: str) -> str:
    """A regular file of the container, as far as it is text and not too long; "" for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return os.read(descriptor, LONGEST_FILE).decode(errors="replace") if stat.S_ISREG(os.fstat(descriptor).st_mode) else ""
    finally:
        os.close(descriptor)


def _add(path: str, line: str) -> None:
    """A new file in its place: the image's may be another's."""
    text = text_of(path)
    made = f"{path}.{os.getpid()}"
    descriptor = os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.write(f"{text}{'' if not text or text.endswith(chr(10)) else chr(10)}{line}\n")
    os.replace(made, path)


def _numbers(path: str) -> set[str]:
    return {(line.split(":") + [""] * 3)[2].strip() for line in text_of(path).splitlines()}
