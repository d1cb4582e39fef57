"""A machine's part of the set-up: what is to be on it, how that differs from what is, and making it so. Run where the files are."""

from __future__ import annotations

import difflib
import grp
import os
import pwd
import stat
import subprocess
import time
from collections.abc import Iterable

import msgspec

from slurm.commands.doctor import kernel
from slurm.commands.setup.texts import Gpus, Machine
from slurm.config.cgroup import CgroupConf
from slurm.model.errors import ConfigError
from slurm.slurmd import hardware

SAME, NEW, CHANGED, KEPT = "same", "new", "changed", "kept"
STATES = (SAME, NEW, CHANGED, KEPT)
COMMAND_SECONDS = 120


class File(msgspec.Struct, omit_defaults=True):
    """A file that shall be there. `once`: one that is there stays as it is; `secret`: what is in it is shown to nobody."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    owner: str = "root"
    once: bool = False
    secret: bool = False


class Folder(msgspec.Struct, omit_defaults=True):
    """A folder that shall be there."""

    path: str
    mode: int = 0o755
    owner: str = "root"


class Part(msgspec.Struct, omit_defaults=True):
    """All that shall be on a machine.

    `uid` is what SlurmUser gets where he is not there yet (-1: the system's choice); `units` are started.
    """

    root: str = ""
    user: str = "root"
    uid: int = -1
    folders: list[Folder] = []
    files: list[File] = []
    units: list[str] = []


class Seen(msgspec.Struct, omit_defaults=True):
    """How a machine differs: path → one of SAME, NEW, CHANGED, KEPT, and the difference as lines; `makes_user`: SlurmUser is not there."""

    states: dict[str, str] = {}
    differences: dict[str, list[str]] = {}
    folders: list[str] = []
    makes_user: bool = False

    @property
    def differs(self) -> bool:
        """Whether anything is to be done."""
        return self.makes_user or bool(self.folders) or any(state in (NEW, CHANGED) for state in self.states.values())


def machine(user: str) -> Machine:
    """What this machine has."""
    found = hardware.look("/")
    return Machine(
        os.uname().nodename, found.cpus, found.sockets * found.boards, found.cores_per_socket, found.threads_per_core, found.memory,
        [Gpus(pool.type, pool.files) for pool in hardware.gpus()],
        os.geteuid() == 0 and not kernel.cgroup_problems(CgroupConf(cores=True, ram=True, devices=True)),
        os.path.isdir("/run/systemd/system"), _uid(user))


def look(part: Part) -> Seen:
    """How this machine differs from its part. Changes nothing."""
    seen = Seen(makes_user=_uid(part.user) < 0)
    for folder in part.folders:
        if not _folder_is(part, folder):
            seen.folders.append(folder.path)
    for file in part.files:
        path = _place(part, file.path)
        try:
            with open(path, "rb") as opened:
                before = opened.read()
        except FileNotFoundError:
            seen.states[file.path] = NEW
            seen.differences[file.path] = [] if file.secret else [f"+{line}" for line in file.content.decode().splitlines()]
            continue
        except OSError as error:
            raise ConfigError(message=f"cannot read {path}: {error.strerror}",
                hints=["`slurm setup` is for root, or for --prefix DIR"]) from error
        if file.once:
            seen.states[file.path] = KEPT
        elif before == file.content:
            seen.states[file.path] = SAME
        else:
            seen.states[file.path] = CHANGED
            seen.differences[file.path] = ["(what differs is secret)"] if file.secret else list(difflib.unified_diff(
                before.decode(errors="replace").splitlines(), file.content.decode().splitlines(), "as it is", "as it would be", lineterm="",
                n=1))[2:]
    return seen


def apply(part: Part) -> list[str]:
    """Make it so; backups that were made. ConfigError when the system refuses, with what was done so far left as it is."""
    if _uid(part.user) < 0:
        _make_user(part)
    backups = []
    seen = look(part)
    try:
        for folder in part.folders:
            path = _place(part, folder.path)
            os.makedirs(path, exist_ok=True)
            _set_right(path, folder)
        for file in part.files:
            if seen.states[file.path] in (NEW, CHANGED):
                backups += _write(_place(part, file.path), file)
    except OSError as error:
        raise ConfigError(message=f"cannot write {error.filename}: {error.strerror}",
            hints=["`slurm setup` is for root, or for --prefix DIR"]) from error
    return backups


def start(units: Iterable[str]) -> None:
    """Have systemd start these now and at every boot; those that run begin anew. ConfigError with what it said."""
    units = list(units)
    for words in (["systemctl", "daemon-reload"], ["systemctl", "enable", *units], ["systemctl", "restart", *units]):
        _must(words)


def _write(path: str, file: File) -> list[str]:
    """Write a file whole; the backup of what was there, which appears before."""
    backups = []
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.exists(path):
        backup = f"{path}.{time.strftime('%Y-%m-%dT%H%M%S')}.bak"
        with open(path, "rb") as before, open(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as kept:
            kept.write(before.read())
            facts = os.fstat(before.fileno())
            if os.geteuid() == 0:
                os.fchown(kept.fileno(), facts.st_uid, facts.st_gid)
            os.fchmod(kept.fileno(), facts.st_mode & 0o777)
        backups.append(backup)
    descriptor = os.open(f"{path}.new", os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        _own(descriptor, file.owner)
        os.fchmod(descriptor, file.mode)
        opened.write(file.content)
        opened.flush()
        os.fsync(descriptor)
    os.replace(f"{path}.new", path)
    return backups


def _place(part: Part, path: str) -> str:
    """Where a file or folder of the part lies. ConfigError where links in an image lead out of it: it would be this machine's."""
    full = part.root + path
    if part.root:
        root, there = os.path.realpath(part.root), os.path.realpath(full)
        if os.path.commonpath([root, there]) != root:
            raise ConfigError(message=f"{full} leads out of {part.root}, to {there}", hints=[
                "a link in the image is absolute: make it relative, or run this in the image (chroot)"])
    return full


def _set_right(path: str, folder: Folder) -> None:
    """Owner and mode of a folder; a link that somebody else made is not followed. ConfigError."""
    facts = os.lstat(path)
    if stat.S_ISLNK(facts.st_mode) and facts.st_uid not in (0, os.geteuid()):
        raise ConfigError(message=f"{path} is a link of uid {facts.st_uid}: it is not followed", hints=["remove it, or make it root's"])
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _own(descriptor, folder.owner)
        os.fchmod(descriptor, folder.mode)
    finally:
        os.close(descriptor)


def _own(descriptor: int, owner: str) -> None:
    if os.geteuid() == 0 and (uid := _uid(owner)) >= 0:
        os.fchown(descriptor, uid, pwd.getpwuid(uid).pw_gid)


def _folder_is(part: Part, folder: Folder) -> bool:
    try:
        facts = os.stat(part.root + folder.path)
    except FileNotFoundError:
        return False
    uid = _uid(folder.owner)
    return facts.st_mode & 0o7777 == folder.mode and (os.geteuid() != 0 or facts.st_uid == uid)


def _uid(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return -1


def _make_user(part: Part) -> None:
    group = ["--gid", part.user] if any(one.gr_name == part.user for one in grp.getgrall()) else ["--user-group"]
    uid = ["--uid", str(part.uid)] if part.uid >= 0 else []
    _must(["useradd", "--system", *uid, *group, "--home-dir", "/var/lib/slurm", "--no-create-home", "--shell", "/usr/sbin/nologin",
        part.user])


def _must(words: list[str]) -> None:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConfigError(message=f"{' '.join(words)}: {error}") from error
    if done.returncode:
        raise ConfigError(message=f"{' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
