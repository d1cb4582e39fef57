"""Images on this node: each is unpacked once for its user, below a folder of his own, and found again by what it was made from.

    <cache>/images/KEY/root    the files, which nobody changes
                      /facts   JSON: what it is of, and what a registry told of it
                      /lock    held shared by who uses it, exclusively by who makes or removes it
           /named/NAME/root    of a container that is kept, changed by who runs in it

All of it runs as the user. What unpacks an image sees the host read-only, but for the folder that it fills.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import signal
import stat
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from slurm.notation.container import Image
from slurm.slurmd.stepd.container import mounting, space
from slurm.slurmd.stepd.container.root import CannotBuild

Tell = Callable[[str], None]
_MAGIC = b"hsqs"
_SHOWN = 1000
"""As whom a program that unpacks sees itself: as somebody who may neither make devices nor give files away."""
_LONGEST_COMPLAINT = 4000
_FULL = ("No space left on device", "Disk quota exceeded")
_NOT_FOR_USERS = ("because you're not superuser", "could not create character device", "could not create block device",
    "create_inode: could not create socket")
"""What unsquashfs says of files that no user may make: a container does without."""
_UNUSED_SECONDS = 30 * 86400


class Found(NamedTuple):
    """An image that is here: the folder of its files, what is known of it, and a descriptor that keeps it from being removed."""

    root: str
    facts: dict[str, object]
    lock: int = -1


def of_file(image: Image, cache: str, tell: Tell) -> Found:
    """The image of a squashfs file, unpacked now where it is not yet, or of a folder. CannotBuild."""
    try:
        facts = os.stat(image.name)
        if stat.S_ISDIR(facts.st_mode):
            return Found(image.name, {})
        with open(image.name, "rb", opener=_not_waiting) as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise CannotBuild(f"{image.name} is no image: neither a squashfs file nor a folder")
            facts = os.fstat(file.fileno())
    except OSError as error:
        if isinstance(error, CannotBuild):
            raise
        raise CannotBuild(f"image {image.name}: {error.strerror}") from error
    named = key("squashfs", facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)

    def fill(folder: str) -> dict[str, object]:
        tell(f"importing {image.name}")
        unsquash(image.name, os.path.join(folder, "root"))
        return {"of": image.name}

    return cached(cache, named, fill)


def key(*parts: object) -> str:
    """The name of an image in the cache, of what it is made from."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:40]


def _not_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def present(cache: str, name: str) -> Found | None:
    """The image of this key where it is here and nobody is making or removing it."""
    if not os.path.isdir(os.path.join(cache, "images", name)):
        return None
    try:
        return cached(cache, name, _absent)
    except FileNotFoundError:
        return None


def _absent(_folder: str) -> dict[str, object]:
    raise FileNotFoundError


def cached(cache: str, name: str, fill: Callable[[str], dict[str, object]]) -> Found:
    """The image of this key, made by `fill` in a folder of its own where it is not there; who comes meanwhile waits. CannotBuild."""
    folder = os.path.join(cache, "images", name)
    os.makedirs(folder, 0o700, exist_ok=True)
    lock = os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        facts = _made(cache, name, folder, lock, fill)
    except BaseException:
        os.close(lock)
        raise
    with contextlib.suppress(OSError):
        os.utime(os.path.join(folder, "facts"))
    return Found(os.path.join(folder, "root"), facts, lock)


def _made(cache: str, name: str, folder: str, lock: int, fill: Callable[[str], dict[str, object]]) -> dict[str, object]:
    """What is known of an image, which is made where it is not there yet; the lock is held shared then."""
    fcntl.flock(lock, fcntl.LOCK_SH)
    facts = _facts(folder)
    if facts is not None:
        return facts
    fcntl.flock(lock, fcntl.LOCK_EX)
    facts = _facts(folder)
    if facts is None:
        _clear(folder)
        try:
            with space.watched(folder):
                facts = fill(folder)
            _write(os.path.join(folder, "facts"), facts)
        except OSError:
            _clear(folder)
            raise
        _remove_unused(cache, name)
    fcntl.flock(lock, fcntl.LOCK_SH)
    return facts


def empty(cache: str) -> None:
    """Remove all images of a cache that nobody uses."""
    images = os.path.join(cache, "images")
    for name in os.listdir(images) if os.path.isdir(images) else ():
        remove(os.path.join(images, name))


def _clear(folder: str) -> None:
    """Nothing is left but the lock."""
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, onerror=_made_removable)
        elif name != "lock":
            os.unlink(path)


def _facts(folder: str) -> dict[str, object] | None:
    try:
        with open(os.path.join(folder, "facts"), encoding="utf-8") as file:
            found: dict[str, object] = json.load(file)
            return found
    except (FileNotFoundError, ValueError):
        return None


def _write(path: str, facts: dict[str, object]) -> None:
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        json.dump(facts, file)
    os.replace(f"{path}.new", path)


def remove(folder: str) -> bool:
    """Remove an image; False while a container uses it."""
    with open(os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(folder, "facts"))  # first: what is half removed is no image
        shutil.rmtree(os.path.join(folder, "root"), onerror=_made_removable)
        return True


def _remove_unused(cache: str, but: str) -> None:
    """Images that nobody asked for during a month go when a new one comes."""
    images = os.path.join(cache, "images")
    for name in os.listdir(images):
        with contextlib.suppress(OSError):
            used = os.stat(os.path.join(images, name, "facts")).st_mtime
            if name != but and used < time.time() - _UNUSED_SECONDS:
                remove(os.path.join(images, name))


def _made_removable(function: Callable[[str], object], path: str, info: object) -> None:
    """A folder that its owner may not write to is made writable, and what failed is tried again."""
    if not os.path.lexists(path):
        return
    for place in (os.path.dirname(path), path):
        if not os.path.islink(place):
            os.chmod(place, 0o700)
    if os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        os.unlink(path)


# --- containers that are kept ------------------------------------------------------------------------------------------------

def kept(cache: str, name: str, flag: str, find: Callable[[], Found] | None) -> Found:
    """The container of this name, made of the image that `find` finds where there is none yet. CannotBuild."""
    folder = os.path.join(cache, "named", name)
    os.makedirs(folder, 0o700, exist_ok=True)
    with open(os.open(os.path.join(folder, "lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        facts = _facts(folder)
        root = os.path.join(folder, "root")
        if facts is not None:
            if flag == "create":
                raise CannotBuild(f"container {name} is there already, and --container-name={name}:create was asked for")
            return Found(root, facts)
        if find is None:
            raise CannotBuild(f"there is no container {name} on this node: --container-image says what to make it of")
        found = find()
        shutil.rmtree(root, onerror=_made_removable)
        try:
            with space.watched(folder):
                run_filling(["cp", "-a", "--reflink=auto", "-T", "--", found.root, root], folder)
        except OSError:
            shutil.rmtree(root, onerror=_made_removable)
            raise
        if found.lock >= 0:
            os.close(found.lock)
        _write(os.path.join(folder, "facts"), found.facts)
        return Found(root, found.facts)


# --- unpacking ---------------------------------------------------------------------------------------------------------------

def unsquash(image: str, root: str) -> None:
    """Unpack a squashfs file into `root`, which is made. CannotBuild."""
    if shutil.which("unsquashfs") is None:
        raise CannotBuild(f"{image} cannot be unpacked: this node has no unsquashfs (package squashfs-tools)")
    status, said = _run(["unsquashfs", "-no-progress", "-no-xattrs", "-force", "-dest", root, image], os.path.dirname(root))
    lines = [line for line in said.splitlines() if line.strip() and not any(one in line for one in _NOT_FOR_USERS)]
    if status not in (0, 2) or any(full in said for full in _FULL) or (status == 2 and lines) or not os.path.isdir(root):
        raise CannotBuild(f"{image} cannot be unpacked: {lines[0].strip() if lines else f'unsquashfs ended with status {status}'}")


def run_filling(words: Sequence[str], folder: str) -> None:
    """Run a program that can change nothing but `folder`. CannotBuild when it fails."""
    status, said = _run(words, folder)
    if status:
        raise CannotBuild(f"{words[0]}: {said.strip().splitlines()[-1] if said.strip() else f'status {status}'}")


def _run(words: Sequence[str], folder: str) -> tuple[int, str]:
    """(exit status, what it said on standard error) of a program that can change nothing but `folder`."""
    said = os.memfd_create("said", os.MFD_CLOEXEC)
    child = os.fork()
    if child == 0:
        try:
            see_read_only(folder)
            null = os.open(os.devnull, os.O_RDWR)
            for target, given in enumerate((null, null, said)):
                os.dup2(given, target)
            os.execvp(words[0], list(words))
        except OSError as error:
            os.write(said, f"{words[0]}: {error.strerror}\n".encode())
        finally:
            os._exit(127)
    try:
        status = ended(child)
        text = os.pread(said, _LONGEST_COMPLAINT, 0).decode(errors="replace")
    finally:
        os.close(said)
    return status, text or (f"ended by {signal.Signals(-status).name}" if status < 0 else "")


def ended(child: int) -> int:
    """The exit code of a child, for which is waited; it is killed where the wait is broken off."""
    try:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    except BaseException:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise


def see_read_only(but: str) -> None:
    """Have this process, and what it starts, be able to change nothing on the host but the folder `but`. OSError."""
    uid, gid = os.getuid(), os.getgid()
    mounting.gain_no_privileges()
    mounting.unshare(mounting.NEW_USERS | mounting.NEW_MOUNTS)
    mounting.become_root_of(uid, gid, _SHOWN, _SHOWN)
    mounting.keep_to_ourselves()
    folder = mounting.taken(but, mounting.NO_SETUID | mounting.NO_DEVICES)
    mounting.make_read_only("/", below=True)
    mounting.put(folder, but)
