"""AutoDetect=nvml: NVIDIA's GPUs by the driver's library (NVML, Python's nvidia-ml-py), with what they are divided into (MIG) and how they
are connected (NVLink)."""

from __future__ import annotations

from typing import Any

from slurm.slurmd.gpus.found import FoundGpu, model
from slurm.slurmd.gpus.tree import Tree

_MINORS = "/proc/driver/nvidia-caps/mig-minors"
_MAX_LINKS = 32


class NvmlError(Exception):
    """The library cannot speak with the driver."""


def find(library: Any, tree: Tree) -> list[FoundGpu]:  # noqa: ANN401 - the library has no types
    """Every GPU, or the instances of one that is divided; `library` is a module as nvidia-ml-py is one. NvmlError."""
    try:
        library.nvmlInit()
    except library.NVMLError as error:
        raise NvmlError(f"Failed to initialize NVML: {error}") from error
    try:
        handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(library.nvmlDeviceGetCount())]
        addresses = [_address(library.nvmlDeviceGetPciInfo(handle)) for handle in handles]
        order = sorted(range(len(handles)), key=addresses.__getitem__)
        found: list[FoundGpu] = []
        for number, index in enumerate(order):
            links = _links(library, handles[index], [addresses[other] for other in order], number)
            found += _of_one(library, tree, handles[index], number, addresses[index], links)
    except library.NVMLError as error:
        raise NvmlError(f"NVML does not tell of its GPUs: {error}") from error
    finally:
        library.nvmlShutdown()
    return found if len(found) == len(handles) else [one._replace(links=()) for one in found]


def _of_one(library: Any, tree: Tree, handle: object, number: int, address: str, links: tuple[int, ...]) -> list[FoundGpu]:  # noqa: ANN401
    minor, name = library.nvmlDeviceGetMinorNumber(handle), model(library.nvmlDeviceGetName(handle))
    whole = FoundGpu(name, f"/dev/nvidia{minor}", str(number), tree.near_cpus(address), links, address)
    if not _is_divided(library, handle):
        return [whole]
    minors = dict(line.split() for line in tree.text(_MINORS).splitlines() if len(line.split()) == 2)
    instances: list[FoundGpu] = []
    for place in range(library.nvmlDeviceGetMaxMigDeviceCount(handle)):
        try:
            instance = library.nvmlDeviceGetMigDeviceHandleByIndex(handle, place)
        except library.NVMLError_NotFound:
            continue
        part = f"gpu{minor}/gi{library.nvmlDeviceGetGpuInstanceId(instance)}"
        caps = [minors.get(f"{part}/access"), minors.get(f"{part}/ci{library.nvmlDeviceGetComputeInstanceId(instance)}/access")]
        files = [whole.file, *(f"/dev/nvidia-caps/nvidia-cap{cap}" for cap in caps if cap is not None)]
        instances.append(whole._replace(
            type=f"{name}_{_profile(library.nvmlDeviceGetName(instance))}", file=",".join(files),
            seen_as=_text(library.nvmlDeviceGetUUID(instance)), links=()))
    return instances


def _is_divided(library: Any, handle: object) -> bool:  # noqa: ANN401
    try:
        return bool(library.nvmlDeviceGetMigMode(handle)[0])
    except library.NVMLError_NotSupported:
        return False


def _profile(name: str | bytes) -> str:
    """ "NVIDIA A100-SXM4-40GB MIG 1g.5gb" → "1g.5gb"."""
    return model(_text(name).rpartition(" MIG ")[2])


def _links(library: Any, handle: object, addresses: list[str], number: int) -> tuple[int, ...]:  # noqa: ANN401
    """NVLinks to each GPU; empty where it has none, or none to another GPU (but to a switch)."""
    counted = [0] * len(addresses)
    for link in range(_MAX_LINKS):
        try:
            if library.nvmlDeviceGetNvLinkState(handle, link):
                there = _address(library.nvmlDeviceGetNvLinkRemotePciInfo(handle, link))
                if there in addresses:
                    counted[addresses.index(there)] += 1
        except (library.NVMLError_NotSupported, library.NVMLError_InvalidArgument):
            break
    if not any(counted):
        return ()
    counted[number] = -1
    return tuple(counted)


def _address(info: Any) -> str:  # noqa: ANN401
    """ "00000000:07:00.0" as NVML writes it → "0000:07:00.0" as the kernel does."""
    domain, _, rest = _text(info.busId).lower().partition(":")
    return f"{int(domain, 16):04x}:{rest}"


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value
