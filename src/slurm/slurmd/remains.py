"""What a killed slurmstepd left on this node: found by the step's cgroup, by the mark in its environment, by what slurmstepd had noted, by
descent.

All of it rests on slurmd's own record of the step, nothing on what its user sent. Each call walks through /proc: not for the event loop.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterable

from slurm.slurmd.stepd import folder, tree
from slurm.slurmd.stepd.cgroup import Cgroup
from slurm.slurmd.stepd.confinement import group_of
from slurm.slurmd.stepd.folder import StepKey, StepRecord
from slurm.slurmd.stepd.tasks import MARK


def instance_of(root: str) -> str:
    """What tells one steps folder from any other of this machine, also from an earlier one at the same place. OSError."""
    found = os.stat(root)
    return f"{found.st_dev:x}.{found.st_ino:x}"


def mark_of(instance: str, key: StepKey) -> str:
    """The value by which a step's processes are known."""
    return f"{instance}:{key.folder_name}"


def kill(path: str, record: StepRecord, strays: Iterable[int]) -> list[int]:
    """SIGKILL to all that is left of the step whose folder is `path`; their pids, none once nothing is left and its cgroup is removed.

    `strays` came to us when slurmstepd and zygote were killed.
    """
    table = [process for process in tree.processes() if process.state != "Z"]
    found = {process.pid for process in table if process.pid in set(strays)}
    found.update(tree.belonging(MARK, record.mark, table) if record.mark else ())
    found.update(_noted(path, record, table))
    for pid in list(found):
        found.update(tree.descendants(pid, table))
    found.discard(os.getpid())
    tree.send(found, signal.SIGKILL)
    if record.cgroup:
        found.update(clear(group_of(record)))
    return sorted(found)


def clear(group: Cgroup) -> list[int]:
    """SIGKILL to all in a cgroup, which is removed when none is left; the pids that were in it."""
    left = group.pids()
    if left:
        group.kill()
        return left
    try:
        group.remove()
    except OSError:
        return group.pids()  # somebody came in meanwhile, or the kernel still holds it: the next look tells
    return []


def groups_in(parents: Iterable[str]) -> list[tuple[str, str]]:
    """(folder, name) of what is below slurmd's own groups; steps whose memory is limited have theirs below one of their job's."""
    found: list[tuple[str, str]] = []
    for parent in parents:
        for name in _folders_in(parent):
            if not folder.is_job_name(name):
                found.append((parent, name))
                continue
            job = os.path.join(parent, name)
            found += [(job, step) for step in _folders_in(job)]
            with contextlib.suppress(OSError):  # a step is in it
                os.rmdir(job)
    return found


def _folders_in(path: str) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(path) if entry.is_dir()]
    except OSError:
        return []


def _noted(path: str, record: StepRecord, table: list[tree.Process]) -> set[int]:
    """Processes that slurmstepd had noted and what is in their sessions; a number that was given anew meanwhile is somebody else's."""
    noted = dict(folder.noted_processes(path))
    by_pid = {process.pid: process for process in table}
    same = {pid for pid, started in noted.items() if pid in by_pid and by_pid[pid].started == started}
    # A session's number is not given anew while one process is in it; with its leader gone, its members are of the step if they are its
    # owner's.
    for process in table:
        leader = noted.get(process.session)
        if leader is not None and process.started >= leader and (process.session in same
                or process.session not in by_pid) and _owner(process.pid) == record.uid:
            same.add(process.pid)
    return same


def _owner(pid: int) -> int:
    try:
        return os.stat(f"/proc/{pid}").st_uid
    except OSError:
        return -1
