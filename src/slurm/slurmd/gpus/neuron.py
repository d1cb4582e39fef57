"""AutoDetect=nrt: AWS' Trainium and Inferentia devices as their driver tells in /sys; programs name them by their cores."""

from __future__ import annotations

from slurm.slurmd.gpus.found import FoundGpu, model
from slurm.slurmd.gpus.tree import Tree

_CLASS = "/sys/class/neuron_device"
_DEV = "/dev"


def find(tree: Tree) -> list[FoundGpu]:
    """Every device in order; its cores are numbered on from those of the device before."""
    found: list[FoundGpu] = []
    first = 0
    for name in tree.names(_DEV):
        if not name.removeprefix("neuron").isdecimal() or not name.startswith("neuron"):
            continue
        told = f"{_CLASS}/{name}"
        count = tree.text(f"{told}/core_count") or tree.text(f"{told}/info/core_count")
        cores = int(count) if count.isdecimal() and int(count) else 1
        kind = tree.text(f"{told}/info/architecture/device_name") or "neuron"
        seen_as = ",".join(map(str, range(first, first + cores)))
        first += cores
        address = tree.target(f"{told}/device")
        found.append(FoundGpu(model(kind), f"{_DEV}/{name}", seen_as, tree.near_cpus(address) if address else frozenset(), (), address))
    return found
