"""AutoDetect=nvidia: NVIDIA's GPUs as the driver's files in /proc tell, without a library. They tell nothing of MIG and of NVLink."""

from __future__ import annotations

from slurm.slurmd.gpus.found import FoundGpu, model
from slurm.slurmd.gpus.tree import Tree

FOLDER = "/proc/driver/nvidia/gpus"


def find(tree: Tree) -> list[FoundGpu]:
    """Every GPU that the driver has, in the order of their places on the PCI bus, which is how CUDA numbers them (CUDA_DEVICE_ORDER)."""
    found: list[FoundGpu] = []
    for address in sorted(tree.names(FOLDER)):
        facts = dict(_fact(line) for line in tree.text(f"{FOLDER}/{address}/information").splitlines())
        minor = facts.get("Device Minor", "")
        if not minor.isdecimal() or facts.get("GPU Excluded", "No") == "Yes":
            continue
        found.append(FoundGpu(model(facts.get("Model", "")), f"/dev/nvidia{minor}", str(len(found)), tree.near_cpus(address), (), address))
    return found


def _fact(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name.strip(), value.strip()
