"""AutoDetect=rsmi and oneapi: AMD's and Intel's GPUs as the kernel's own drivers (amdgpu; i915, xe) tell in /sys, without the vendors'
libraries."""

from __future__ import annotations

from slurm.slurmd.gpus.found import FoundGpu, model
from slurm.slurmd.gpus.tree import Tree

_DRM = "/sys/class/drm"
_KFD = "/sys/class/kfd/kfd/topology/nodes"
_XGMI = "11"
_IDS = ("/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids")


def amd(tree: Tree) -> list[FoundGpu]:
    """AMD's GPUs, in the order in which ROCm numbers them: that of the compute driver's nodes; with their XGMI links."""
    by_file = {one.file: one for one in _of_vendor(tree, "1002", ("amdgpu",))}
    nodes = _compute_nodes(tree)
    order = [file for file in nodes.values() if file in by_file] or sorted(by_file, key=lambda file: by_file[file].address)
    numbers = {node: order.index(file) for node, file in nodes.items() if file in order}
    links = _xgmi(tree, numbers, len(order))
    return [by_file[file]._replace(seen_as=str(number), links=links.get(number, ())) for number, file in enumerate(order)]


def intel(tree: Tree) -> list[FoundGpu]:
    """Intel's GPUs in the order of their places on the PCI bus."""
    found = sorted(_of_vendor(tree, "8086", ("i915", "xe")), key=lambda one: one.address)
    return [one._replace(seen_as=str(number)) for number, one in enumerate(found)]


def _of_vendor(tree: Tree, vendor: str, drivers: tuple[str, ...]) -> list[FoundGpu]:
    found: list[FoundGpu] = []
    for name in tree.names(_DRM):
        device = f"{_DRM}/{name}/device"
        if not name.startswith("renderD") or tree.text(f"{device}/vendor") != f"0x{vendor}" or tree.target(
                f"{device}/driver") not in drivers:
            continue
        address = tree.target(device)
        code = tree.text(f"{device}/device").removeprefix("0x")
        known = tree.text(f"{device}/product_name") or _product(tree, vendor, code) or f"{'amd' if vendor == '1002' else 'intel'} {code}"
        found.append(FoundGpu(model(known), f"/dev/dri/{name}", "", tree.near_cpus(address), (), address))
    return found


def _product(tree: Tree, vendor: str, code: str) -> str:
    """A device's name in the list of PCI ids that the distribution keeps; of "Chip [Product]" the product."""
    inside = False
    for line in (next(filter(None, map(tree.text, _IDS)), "")).splitlines():
        if line[:1] not in ("\t", "#", ""):
            inside = line.startswith(vendor)
        elif inside and line.startswith(f"\t{code} "):
            name = line.strip().removeprefix(code).strip()
            return name[name.index("[") + 1:].rstrip("]") if name.endswith("]") and "[" in name else name
    return ""


def _compute_nodes(tree: Tree) -> dict[str, str]:
    """Node of the compute driver → the device file of its GPU; the processors' nodes have none."""
    found: dict[str, str] = {}
    for node in tree.names(_KFD):
        minor = _properties(tree, f"{_KFD}/{node}/properties").get("drm_render_minor", "0")
        if minor not in ("0", "-1"):
            found[node] = f"/dev/dri/renderD{minor}"
    return found


def _xgmi(tree: Tree, numbers: dict[str, int], count: int) -> dict[int, tuple[int, ...]]:
    """GPU → its links to each; only those that have any."""
    found: dict[int, tuple[int, ...]] = {}
    for node, number in numbers.items():
        counted = [0] * count
        for link in tree.names(f"{_KFD}/{node}/io_links"):
            facts = _properties(tree, f"{_KFD}/{node}/io_links/{link}/properties")
            if facts.get("type") == _XGMI and facts.get("node_to", "") in numbers:
                counted[numbers[facts["node_to"]]] += 1
        if any(counted):
            counted[number] = -1
            found[number] = tuple(counted)
    return found


def _properties(tree: Tree, path: str) -> dict[str, str]:
    return dict(line.split() for line in tree.text(path).splitlines() if len(line.split()) == 2)
