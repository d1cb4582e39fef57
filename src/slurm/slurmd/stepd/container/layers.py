"""Layers of images laid over each other in a folder. Whoever unpacks has that folder as its root: no name in a layer leads out of it.

Devices are left out, and so are rights that a file would give: containers have neither.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import lzma
import os
import shutil
import signal
import stat
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from typing import IO, Any

from slurm.slurmd.stepd.container import mounting
from slurm.slurmd.stepd.container.root import CannotBuild

_GONE = ".wh."
_EMPTIED = ".wh..wh..opq"
_CHUNK = 1 << 20
_ENDED_WELL = 0
_LOADED = (gzip, bz2, lzma)
"""What tarfile would load when it comes upon a layer."""


def unpack(layers: Sequence[tuple[str, str]], root: str, more: dict[str, tuple[str, int]]) -> None:
    """Unpack (file, kind) layers into the folder `root`, which is made, and add the files `more`: path → (text, mode). CannotBuild."""
    os.makedirs(root, 0o755, exist_ok=True)
    opened = [(_open(path, kind), path) for path, kind in layers]
    reading, writing = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _enter(root)
            for file, _ in opened:
                _lay(file)
            for name, (text, mode) in more.items():
                _add(name, text, mode)
        except (OSError, tarfile.TarError, EOFError, ValueError) as error:
            os.write(writing, str(getattr(error, "strerror", None) or error).encode(errors="replace")[:1000])
            os._exit(1)
        except BaseException as error:
            os.write(writing, repr(error).encode(errors="replace")[:1000])
            os._exit(1)
        os._exit(_ENDED_WELL)
    os.close(writing)
    try:
        with os.fdopen(reading, "rb") as said:
            why = said.read().decode(errors="replace")
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:  # there is no space left: what is half unpacked is removed, and nobody writes to it any more
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise
    finally:
        for file, _ in opened:
            file.close()
    if status != _ENDED_WELL:
        raise CannotBuild(f"its layers cannot be unpacked: {why or f'status {status}'}")


def _open(path: str, kind: str) -> IO[bytes]:
    """A layer as a stream that tarfile reads; what packs it is found by its first bytes."""
    with open(path, "rb") as file:
        magic = file.read(4)
    if magic != b"\x28\xb5\x2f\xfd":
        return open(path, "rb")
    if shutil.which("zstd") is None:
        raise CannotBuild(f"a layer is packed by zstd ({kind}), which this node has not (package zstd)")
    made = open(f"{path}.tar", "w+b")  # noqa: SIM115 - it is the stream that is given back
    with open(path, "rb") as packed:
        done = subprocess.run(["zstd", "-dc"], stdin=packed, stdout=made, stderr=subprocess.PIPE, check=False)
    if done.returncode:
        made.close()
        raise CannotBuild(f"a layer cannot be unpacked: {done.stderr.decode(errors='replace').strip()}")
    os.unlink(f"{path}.tar")
    made.seek(0)
    return made


def _enter(root: str) -> None:
    """Have `root` be all that there is; what is asked of files there is not refused to whom they belong."""
    uid, gid = os.getuid(), os.getgid()
    mounting.gain_no_privileges()
    mounting.unshare(mounting.NEW_USERS | mounting.NEW_MOUNTS)
    mounting.become_root_of(uid, gid, 0, 0)
    mounting.keep_to_ourselves()
    folder = mounting.taken(root, mounting.NO_SETUID | mounting.NO_DEVICES)
    mounting.put(folder, root)
    mounting.make_root(root)
    os.umask(0)
    # A module that is not loaded yet would be looked for in the image.
    sys.path.clear()
    sys.meta_path.clear()



def _lay(file: IO[bytes]) -> None:
    with tarfile.open(fileobj=file, mode="r:*") as archive:
        emptied: set[str] = set()
        written: set[str] = set()
        for member in archive:
            path = os.path.normpath("/" + member.name)
            folder, name = os.path.split(path)
            if name == _EMPTIED:
                emptied.add(folder)
                _empty(folder, written)
            elif name.startswith(_GONE):
                _remove(os.path.join(folder, name[len(_GONE):]))
            elif path != "/":
                _write(archive, member, path)
                written.add(path)


def _empty(folder: str, but: set[str]) -> None:
    """What layers below have there is gone."""
    if os.path.islink(folder) or not os.path.isdir(folder):
        return
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if path not in but:
            _remove(path)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            os.unlink(path)


def _write(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str) -> None:
    os.makedirs(os.path.dirname(path), 0o755, exist_ok=True)
    mode = stat.S_IMODE(member.mode) & ~(stat.S_ISUID | stat.S_ISGID)
    if member.isdir():
        if os.path.islink(path) or not os.path.isdir(path):
            _remove(path)
            os.mkdir(path)
        os.chmod(path, mode)
    elif member.issym():
        _remove(path)
        os.symlink(member.linkname, path)
        return
    elif member.islnk():
        _remove(path)
        os.link(os.path.normpath("/" + member.linkname), path, follow_symlinks=False)
        return
    elif member.isfile():
        _remove(path)
        _copy(archive, member, path, mode)
    elif member.isfifo():
        _remove(path)
        os.mkfifo(path, mode)
    else:
        return
    os.utime(path, (max(0, member.mtime), max(0, member.mtime)))


def _copy(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, mode: int) -> None:
    source: Any = archive.extractfile(member)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "wb") as file:
        shutil.copyfileobj(source, file, _CHUNK)
        os.fchmod(file.fileno(), mode)


def _add(name: str, text: str, mode: int) -> None:
    """A file that comes with every image; one whose folder there is odd does without."""
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(name), 0o755, exist_ok=True)
        _remove(name)
        with open(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode), "w", encoding="utf-8") as file:
            file.write(text)
            os.fchmod(file.fileno(), mode)
