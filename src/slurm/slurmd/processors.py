"""The one map between a node's CPUs as Slurm numbers them and the machine's as the kernel does.

Slurm numbers socket after socket, in it core after core, in it thread after thread. The kernel often numbers otherwise: first one thread
of every core, then the others. What slurmctld hands out and what gres.conf's Cores= names is in Slurm's numbers; affinity, cpusets and
what /sys tells of devices is in the kernel's.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from slurm.slurmd.gpus.tree import Tree, cpu_list

_CPUS = "/sys/devices/system/cpu"
_MEMORY = "/sys/devices/system/node"


class Core(NamedTuple):
    """A core of the machine: which socket it is in, and the kernel's numbers of its CPUs, the lowest first."""

    socket: int
    cpus: tuple[int, ...]


def machine_cores(tree: Tree, allowed: Collection[int] | None = None) -> list[Core]:
    """The machine's cores in Slurm's order, without CPUs that are offline or, where `allowed` is given, that are not in it.

    Where the kernel does not tell of cores each CPU is one. [] where it tells of no CPUs at all and `allowed` is None.
    """
    found: dict[tuple[int, int, int, str], list[int]] = {}
    for name in tree.names(_CPUS):
        number = name.removeprefix("cpu")
        if not number.isdecimal() or tree.text(f"{_CPUS}/{name}/online") == "0" or (allowed is not None and int(number) not in allowed):
            continue
        package, die, core = (tree.text(f"{_CPUS}/{name}/topology/{what}") for what in ("physical_package_id", "die_id", "core_id"))
        if not core.isdecimal():
            return [Core(0, (cpu,)) for cpu in sorted(_numbers(tree) if allowed is None else allowed)]
        siblings = tree.text(f"{_CPUS}/{name}/topology/thread_siblings_list")
        found.setdefault((_number(package), _number(die), int(core), siblings), []).append(int(number))
    if not found:
        return [Core(0, (cpu,)) for cpu in sorted(allowed or ())]
    return [Core(where[0], tuple(sorted(cpus))) for where, cpus in sorted(found.items(), key=lambda item: (item[0][:3], min(item[1])))]


def memory_domains(tree: Tree) -> list[frozenset[int]]:
    """The CPUs, in the kernel's numbers, near each NUMA node that has any, by its number."""
    texts = (tree.text(f"{_MEMORY}/{name}/cpulist") for name in tree.names(_MEMORY)
        if name.startswith("node") and name.removeprefix("node").isdecimal())
    return [cpus for text in texts if (cpus := cpu_list(text))]


class Processors:
    """A node's CPUs on this machine. `cpus`: how many it has; `each`: of how many hardware threads one is by the node's description;
    `threads`: how many of them are a core.

    A node that is described with as many CPUs as the machine has cores has the cores, with all their threads. One with more CPUs than the
    machine is only emulated: those that are too many are nowhere.
    """

    def __init__(self, cpus: int, each: int, threads: int, machine: Sequence[Core]) -> None:
        self.machine = machine
        self._threads = threads
        places = [core.cpus for core in machine]
        if cpus != len(machine):
            order = [cpu for core in machine for cpu in core.cpus]
            places = [tuple(order[first: first + each]) for first in range(0, len(order) // each * each, each)]
        self._places = places
        self._emulated = cpus > len(places)

    def of(self, cpus: Iterable[int]) -> list[int]:
        """The machine's CPUs, in rising order, that these of the node are; [] where some are nowhere."""
        found: list[int] = []
        for cpu in cpus:
            if cpu >= len(self._places):
                return []
            found += self._places[cpu]
        return sorted(found)

    def cores_of(self, cpus: Collection[int]) -> list[int]:
        """The node's cores that have any of these CPUs of the machine; [] where the node is emulated."""
        if self._emulated:
            return []
        return sorted({number // self._threads for number, place in enumerate(self._places) if any(cpu in cpus for cpu in place)})

    @property
    def count(self) -> int:
        """CPUs of the node that can be on this machine."""
        return len(self._places)


def shown(cores: Sequence[int]) -> str:
    """Numbers in rising order as Slurm writes them: "0-3,8"."""
    parts: list[list[int]] = []
    for core in cores:
        if parts and core == parts[-1][1] + 1:
            parts[-1][1] = core
        else:
            parts.append([core, core])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in parts)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _numbers(tree: Tree) -> list[int]:
    return [int(name.removeprefix("cpu")) for name in tree.names(_CPUS) if name.removeprefix("cpu").isdecimal()]
