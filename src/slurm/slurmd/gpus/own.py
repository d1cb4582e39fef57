"""The devices of this slurmd's node: what gres.conf says, or with AutoDetect what this machine has of it; and how that is printed and
told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

from slurm.config.config import Config
from slurm.config.gres import GresDevice, pools_of
from slurm.model.cpu_set import CpuSet
from slurm.model.node import GresPool
from slurm.slurmd.gpus import detect
from slurm.slurmd.gpus.found import FoundGpu
from slurm.slurmd.gpus.matching import Matching
from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.processors import Processors, machine_cores, shown


class Own(NamedTuple):
    """`devices` of the node in its Gres='s order; `told`: what does not agree."""

    devices: Sequence[GresDevice]
    told: Sequence[str]


def reported(devices: Sequence[GresDevice], threads: int) -> list[GresPool]:
    """Devices as slurmctld takes them up: `cores` are the node's CPUs, `threads` a core."""
    pools = pools_of(list(devices))
    for pool in pools:
        pool.cores = CpuSet.of({core * threads + thread for core in pool.cores for thread in range(threads)})
    return pools


def settle(config: Config, node: str, tree: Tree | None = None, library: object = None, allowed: Collection[int] | None = None) -> Own:
    """The devices of the node of that name on this machine, of whose CPUs slurmd may use those `allowed` (None: all).

    ConfigError where AutoDetect wants what is not there.
    """
    conf = config.nodes_by_name[node]
    way = config.detection.of(node)
    written = config.devices(node)
    if way == "off":
        return Own(written, [])
    tree = tree or Tree()
    look = detect.look(way, tree) if library is None else detect.look(way, tree, lambda _: library)
    here = Processors(conf.cpus, conf.threads_per_cpu, conf.threads, machine_cores(tree, allowed))
    matching = Matching(node, config.gres_lines, look.gpus, here.cores_of, conf.cpus // conf.threads)
    gpus = matching.devices(conf.gres)
    return Own([*gpus, *(device for device in written if device.name != "gpu")], [*look.told, *matching.told])


def lines(devices: Sequence[GresDevice], core_count: int) -> list[str]:
    """What `slurmd -G` prints of them."""
    made: list[str] = []
    for device in devices:
        parts = [f"Gres Name={device.name} Type={device.type or '(null)'} Count={device.count}"]
        if device.file:
            parts.append(f"Index={device.index} ID={_identity(device.name)} File={device.file}")
        else:
            parts.append(f"ID={_identity(device.name)}")
        if device.cores:
            parts.append(f"Cores={shown(device.cores)} CoreCnt={core_count}")
        made.append(" ".join([*parts, f"Links={','.join(map(str, device.links))}" if device.links else "(null)"]))
    return made


def found_lines(way: str, gpus: Sequence[FoundGpu]) -> list[str]:
    """What `slurmd -C` adds to a node's line for the GPUs that are there: their Gres=, and what was found how."""
    counted: dict[str, int] = {}
    for gpu in gpus:
        counted[gpu.type] = counted.get(gpu.type, 0) + 1
    gres = [f"gpu:{kind}:{count}" for kind, count in counted.items()]
    return [f"Gres={','.join(gres)}",
            *(f"Found {one} with Autodetect={way} (Substring of gpu name may be used instead)" for one in gres)] if gres else []


def _identity(name: str) -> int:
    """The number that Slurm gives a resource's name: its letters, each shifted by eight bits more than the one before."""
    number, shift = 0, 0
    for letter in name:
        number = (number + (ord(letter) << shift)) & 0xFFFFFFFF
        shift = (shift + 8) % 32
    return number
