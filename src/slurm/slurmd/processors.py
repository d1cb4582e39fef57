"""The machine's CPUs in the order in which Slurm numbers them: socket after socket, in it core after core, in it thread after thread.

The kernel often numbers otherwise: first one thread of every core, then the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from slurm.slurmd.gpus.tree import Tree

_CPUS = "/sys/devices/system/cpu"


def in_order(tree: Tree, threads: int) -> list[int]:
    """The machine's CPU for each of Slurm's numbers; [] where the kernel does not tell or cores have not `threads` threads each."""
    cores: dict[tuple[int, int], list[int]] = {}
    for name in tree.names(_CPUS):
        number = name.removeprefix("cpu")
        if not number.isdecimal():
            continue
        package, core = (tree.text(f"{_CPUS}/{name}/topology/{what}") for what in ("physical_package_id", "core_id"))
        if not core.isdecimal():
            return []
        cores.setdefault((int(package) if package.isdecimal() else 0, int(core)), []).append(int(number))
    if any(len(cpus) != threads for cpus in cores.values()):
        return []
    return [cpu for _, cpus in sorted(cores.items()) for cpu in sorted(cpus)]


def cores_of(cpus: Collection[int], order: Sequence[int], threads: int) -> list[int]:
    """The cores, in Slurm's numbers, that have any of these CPUs of the machine."""
    return sorted({place // threads for place, cpu in enumerate(order) if cpu in cpus})


def shown(cores: Sequence[int]) -> str:
    """Numbers in rising order as Slurm writes them: "0-3,8"."""
    parts: list[list[int]] = []
    for core in cores:
        if parts and core == parts[-1][1] + 1:
            parts[-1][1] = core
        else:
            parts.append([core, core])
    return ",".join(f"{low}-{high}" if high > low else str(low) for low, high in parts)
