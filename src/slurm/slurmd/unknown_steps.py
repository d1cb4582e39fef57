"""Processes of steps that this slurmd's spool does not know (any more), whatever became of the spool: emptied, replaced, another one since.

They are known by what the spool cannot take with it: the mark in the environment of a step's tasks, the name of its cgroup, the journal
that its slurmstepd holds open. Each names the slurmd: `identity_of`. What descends from such a process goes with it. Each call walks
through /proc: not for the event loop. Not here: what a step left that the spool does know (`remains`).
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import stat
from collections.abc import Iterable
from typing import NamedTuple

from slurm.slurmd import remains
from slurm.slurmd.stepd import folder, tree
from slurm.slurmd.stepd.cgroup import Cgroup, remove_empty
from slurm.slurmd.stepd.folder import StepKey, StepRecord
from slurm.slurmd.stepd.tasks import MARK

_DELETED = " (deleted)"
_ZYGOTE = b"slurmd: zygote"
_SLURMD = b"slurmd -N "


class Own(NamedTuple):
    """This slurmd among all of the machine, now and earlier: `identity` is the same after each start, `instance` begins with it and a
    dot."""

    node: str
    identity: str
    instance: str

    @property
    def group(self) -> str:
        """The name of its cgroups."""
        return f"slurmd_{self.node}.{self.instance}"

    @property
    def groups(self) -> str:
        """How the names of its cgroups and of those of earlier ones begin."""
        return f"slurmd_{self.node}.{self.identity}."


def identity_of(cluster: str, node: str, pid_file: str) -> str:
    """What one slurmd after another of this node of this cluster has in common on this machine, and with no other. OSError.

    Only one at a time holds a pid file. Machines that share a process table (containers) have networks or file systems of their own.
    """
    place = os.path.realpath(os.path.dirname(os.path.abspath(pid_file)))
    parts = (cluster, node, place, os.path.basename(pid_file), str(os.stat(place).st_dev), str(os.stat("/proc/self/ns/net").st_ino))
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]


def end(root: str, own: Own, cgroups: Iterable[str], earlier: Iterable[str] = ()) -> list[int]:
    """SIGKILL to every process of a step of this slurmd, or of an earlier one, that does not run by the folders in `root`; their pids.

    `cgroups` are its own groups, `earlier` those of earlier ones: what is in them is killed as well, what is empty in them is removed.
    What a living slurmd started is left alone.
    """
    table = [process for process in tree.processes() if process.state != "Z"]
    look = _Look(root, own)
    spared = {os.getpid(), *tree.descendants(os.getpid(), table)}
    found: set[int] = set()
    parents = {process.pid: process.parent for process in table}
    for process in table:
        if process.pid not in spared and look.is_unknown(process.pid) and not look.has_living_slurmd(process.pid, parents):
            found.update((process.pid, *tree.descendants(process.pid, table)))
    found -= spared
    for pid in found:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # a program that runs as another user: it is told as left
            os.kill(pid, signal.SIGKILL)
    for parent, name in remains.groups_in(cgroups):
        if not look.runs(f"{own.instance}:{name}"):
            found.update(remains.clear(Cgroup(parent, name)))
    for path in earlier:
        instance = os.path.basename(path).removeprefix(f"slurmd_{own.node}.")
        for parent, name in remains.groups_in([path]):
            group = Cgroup(parent, name)
            if not look.runs(f"{instance}:{name}") and not any(look.has_living_slurmd(pid, parents) for pid in group.pids()):
                found.update(remains.clear(group))
        remove_empty(path)
    return sorted(found)


def supervisor(mark: str) -> int:
    """The slurmstepd of the step with this mark, wherever its folder went; 0 when none lives."""
    for process in tree.processes():
        if process.state != "Z":
            held = _held(process.pid)
            if held is not None and held.record.mark == mark:
                return process.pid
    return 0


def is_supervisor(pid: int, key: StepKey) -> bool:
    """Whether a process lives and is in the folder of this step, also when that was moved or removed: as its slurmstepd is."""
    return bool(pid) and _step_at(pid) == key and _is_ours(pid)


class _Held(NamedTuple):
    """A journal that some slurmstepd holds open: what it says, and which file it is."""

    record: StepRecord
    file: os.stat_result


class _Look:
    """What is known of steps during one look."""

    def __init__(self, root: str, own: Own) -> None:
        self._root = root
        self._own = own
        self._prefix = f"{MARK}={own.identity}.".encode()
        self._group = re.compile(rf"/(?:{re.escape(own.groups)})([0-9a-f]+\.[0-9a-f]+)((?:/[^/\n]*)*)$", re.MULTILINE)
        self._known: dict[str, bool] = {}

    def is_unknown(self, pid: int) -> bool:
        """Whether a process is of a step of ours that does not run by the spool."""
        marks = [mark for mark in (self._in_environment(pid), self._in_cgroup(pid)) if mark]
        if marks:
            return not any(self.runs(mark) for mark in marks)
        held = _held(pid)
        return held is not None and held.record.mark.startswith(f"{self._own.identity}.") and not self._has(held)

    def runs(self, mark: str) -> bool:
        """Whether the step with this mark has begun and has not ended, as its folder says."""
        if mark not in self._known:
            self._known[mark] = self._read(mark)
        return self._known[mark]

    def has_living_slurmd(self, pid: int, parents: dict[int, int]) -> bool:
        """Whether the zygote from which a process descends has its slurmd still: another one, whose steps these are.

        A step's own processes may call themselves so: neither counts that runs as another user or is of a step of ours.
        """
        while pid > 1:
            parent = parents.get(pid, 0)
            if _content(f"/proc/{pid}/cmdline").startswith(_ZYGOTE) and self._may_be_a_daemon(pid):
                return _content(f"/proc/{parent}/cmdline").startswith(_SLURMD) and self._may_be_a_daemon(parent)
            pid = parent
        return False

    def _may_be_a_daemon(self, pid: int) -> bool:
        return _is_ours(pid) and not self._in_environment(pid) and self._in_cgroup(pid).rpartition(":")[2] == ""

    def _read(self, mark: str) -> bool:
        name = mark.rpartition(":")[2]
        if folder.parse_folder_name(name) is None:
            return False
        try:
            journal = folder.read(os.path.join(self._root, name))
        except NotADirectoryError:
            return False
        return journal is not None and journal.ended is None and journal.record.mark == mark

    def _has(self, held: _Held) -> bool:
        try:
            return os.path.samestat(held.file, os.stat(os.path.join(self._root, held.record.key.folder_name, folder.JOURNAL)))
        except OSError:
            return False

    def _in_environment(self, pid: int) -> str:
        for entry in _content(f"/proc/{pid}/environ").split(b"\0"):
            if entry.startswith(self._prefix):
                return entry.decode(errors="replace").partition("=")[2]
        return ""

    def _in_cgroup(self, pid: int) -> str:
        found = self._group.search(_content(f"/proc/{pid}/cgroup").decode(errors="replace"))
        if found is None:
            return ""
        name = next((part for part in found[2].split("/") if folder.parse_folder_name(part) is not None), "")
        return f"{self._own.identity}.{found[1]}:{name}"


def _held(pid: int) -> _Held | None:
    """The journal that a slurmstepd of slurmd's own user holds, of a step that has not ended; None for any other process.

    Nobody else can make one of these pass for it: the process and the file are slurmd's user's.
    """
    if _step_at(pid) is None or not _is_ours(pid):
        return None
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return None
    for number in numbers:
        path = f"/proc/{pid}/fd/{number}"
        try:
            if os.path.basename(os.readlink(path)).removesuffix(_DELETED) != folder.JOURNAL:
                continue
            file = os.stat(path)
            if stat.S_ISREG(file.st_mode) and file.st_uid == os.geteuid():
                journal = folder.read_lines(_content(path))
                if journal is not None and journal.ended is None:
                    return _Held(journal.record, file)
        except (OSError, ValueError, TypeError, KeyError):  # it has ended meanwhile, or that is no journal
            continue
    return None


def _step_at(pid: int) -> StepKey | None:
    """The step in whose folder a process is, by the folder's name."""
    try:
        return folder.parse_folder_name(os.path.basename(os.readlink(f"/proc/{pid}/cwd")).removesuffix(_DELETED))
    except OSError:
        return None


def _is_ours(pid: int) -> bool:
    """Whether a process is that of slurmd's own user, by its real and its saved uid: slurmstepd takes another effective one at times.

    Not by whom /proc/PID belongs to: that is root for a process of anybody's which lets nobody look into it.
    """
    line = next((line for line in _content(f"/proc/{pid}/status").split(b"\n") if line.startswith(b"Uid:")), b"")
    return line.split()[1:4:2] == [b"%d" % os.geteuid()] * 2


def _content(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""
