"""What the kernel holds a step to, by its cgroups: memory of the step and of its job, CPUs, devices. cgroup.conf's Constrain keys.

slurmd decides what that is (`slurmd.confining`), this writes it. Nothing is held back: what cannot be written keeps the step from running.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, NamedTuple

from slurm.slurmd.stepd import device_filter
from slurm.slurmd.stepd.cgroup import Cgroup, write
from slurm.slurmd.stepd.folder import StepRecord


class Memory(NamedTuple):
    """Bytes of memory and of swap, None: as much as there is. Swap is limited only where memory is."""

    ram: int | None
    swap: int | None


class Confined(NamedTuple):
    """What a step is held to, as its record has it (lists in place of tuples). Version 0: by nothing.

    `memory`, `cores`, `devices`: the version (1 or 2) of the cgroups that do it, and below which folder the step's group is; in version 2
    that is the folder of all. `step` and `job`: Memory. `cpus` as the kernel writes lists, "" for all. `denied`: device numbers as the
    kernel writes them.
    """

    memory: tuple[int, str] = (0, "")
    cores: tuple[int, str] = (0, "")
    devices: tuple[int, str] = (0, "")
    step: Sequence[int | None] = (None, None)
    job: Sequence[int | None] = (None, None)
    swappiness: int | None = None
    cpus: str = ""
    denied: Sequence[str] = ()

    @property
    def others(self) -> list[str]:
        """Folders of version 1 in which the step has a group."""
        return list(dict.fromkeys(folder for version, folder in (self.memory, self.cores, self.devices) if version == 1))


def group_of(record: StepRecord) -> Cgroup:
    """The groups of a step whose record names a cgroup."""
    return Cgroup(record.cgroup, record.key.folder_name, _confined(record).others)


def confine(group: Cgroup, record: StepRecord) -> None:
    """Make its groups and write what it is held to. OSError."""
    group.make()
    confined = _confined(record)
    name = record.key.folder_name
    _grant(record.cgroup, confined)
    version, folder = confined.memory
    if version:
        group.memory = os.path.join(folder, name)
        _limit(folder, version, Memory(*confined.job), confined.swappiness)
        _limit(group.memory, version, Memory(*confined.step), confined.swappiness)
    version, folder = confined.cores
    if version:
        path = os.path.join(folder, name)
        if version == 1:
            with open(os.path.join(folder, "cpuset.mems"), encoding="ascii") as file:
                write(os.path.join(path, "cpuset.mems"), file.read().strip())
        write(os.path.join(path, "cpuset.cpus"), confined.cpus)
    version, folder = confined.devices
    if version == 1:
        for device in confined.denied:
            write(os.path.join(folder, name, "devices.deny"), f"{device} rwm")
    elif version:
        device_filter.deny(os.path.join(folder, name), confined.denied)


def _confined(record: StepRecord) -> Confined:
    given: dict[str, Any] = dict(record.confined)
    return Confined(**given)


def _grant(parent: str, confined: Confined) -> None:
    """Have the groups below a job's limited, in version 2: each level must ask for it."""
    wanted = [name for (version, _), name in ((confined.memory, "+memory"), (confined.cores, "+cpuset")) if version == 2]
    if wanted:
        write(os.path.join(parent, "cgroup.subtree_control"), " ".join(wanted))


def _limit(path: str, version: int, bound: Memory, swappiness: int | None) -> None:
    if version == 2:
        if bound.ram is not None:
            write(os.path.join(path, "memory.max"), str(bound.ram))
        swap = os.path.join(path, "memory.swap.max")
        if bound.swap is not None and os.path.exists(swap):  # a kernel without swap has none
            write(swap, str(bound.swap))
        return
    if swappiness is not None:
        write(os.path.join(path, "memory.swappiness"), str(swappiness))
    if bound.ram is not None:
        write(os.path.join(path, "memory.limit_in_bytes"), str(bound.ram))
        if bound.swap is not None:  # what version 1 limits is both together, which must not be below the limit of memory
            write(os.path.join(path, "memory.memsw.limit_in_bytes"), str(bound.ram + bound.swap))
