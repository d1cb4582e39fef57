"""Machines with GPUs as their kernels show them, written into a folder; and an NVML that tells what a test says."""

import itertools
import os
from pathlib import Path
from types import SimpleNamespace


class Machine:
    """Files below `root`, as `slurm.slurmd.gpus.tree.Tree` reads them."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def file(self, path: str, text: str = "") -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    def link(self, path: str, target: str) -> None:
        place = self.root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        os.symlink(target, place)

    def processors(self, sockets: int = 2, cores: int = 4, threads: int = 2, order: str = "threads sockets cores") -> None:
        """As Linux numbers them on x86: first one thread of every core of every socket, then the others. `order` names what changes with
        the number, the slowest first."""
        counts = {"threads": threads, "sockets": sockets, "cores": cores}
        for cpu, places in enumerate(itertools.product(*(range(counts[word]) for word in order.split()))):
            at = dict(zip(order.split(), places, strict=True))
            self.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/physical_package_id", f"{at['sockets']}\n")
            self.file(f"/sys/devices/system/cpu/cpu{cpu}/topology/core_id", f"{at['cores']}\n")

    def pci(self, address: str, cpus: str) -> None:
        self.file(f"/sys/bus/pci/devices/{address}/local_cpulist", f"{cpus}\n")

    def nvidia(self, address: str, minor: int, cpus: str, model: str = "NVIDIA A100-SXM4-40GB") -> None:
        self.file(f"/proc/driver/nvidia/gpus/{address}/information", (
            f"Model: \t\t {model}\nIRQ:   \t\t 217\nGPU UUID: \t GPU-4711-{minor}\nVideo BIOS: \t 92.00.45.00.03\nBus Type: \t PCIe\n"
            f"DMA Size: \t 47 bits\nBus Location: \t {address}\nDevice Minor: \t {minor}\nGPU Firmware: \t 535.104\nGPU Excluded:\t No\n"))
        self.pci(address, cpus)

    def drm(self, minor: int, address: str, vendor: str, device: str, driver: str, cpus: str, **facts: str) -> None:
        place = f"/sys/devices/pci0000/{address}"
        for name, text in {"vendor": vendor, "device": device, **facts}.items():
            self.file(f"{place}/{name}", f"{text}\n")
        self.link(f"{place}/driver", f"../../../bus/pci/drivers/{driver}")
        self.link(f"/sys/class/drm/renderD{minor}/device", f"../../../devices/pci0000/{address}")
        self.pci(address, cpus)


class NVMLError(Exception):
    pass


class NotSupported(NVMLError):
    pass


class NotFound(NVMLError):
    pass


class Nvml:
    """As nvidia-ml-py: `gpus` are dicts of address, minor, name, and where they have them links (addresses) and instances."""

    NVMLError, NVMLError_NotSupported, NVMLError_NotFound, NVMLError_InvalidArgument = NVMLError, NotSupported, NotFound, NotSupported

    def __init__(self, *gpus: dict) -> None:
        self.gpus = gpus
        self.is_open = 0

    def nvmlInit(self):
        self.is_open += 1

    def nvmlShutdown(self):
        self.is_open -= 1

    def nvmlDeviceGetCount(self):
        return len(self.gpus)

    def nvmlDeviceGetHandleByIndex(self, index):
        return self.gpus[index]

    def nvmlDeviceGetPciInfo(self, gpu):
        return SimpleNamespace(busId=f"0000{gpu['address'].upper()}".encode())

    def nvmlDeviceGetMinorNumber(self, gpu):
        return gpu["minor"]

    def nvmlDeviceGetName(self, gpu):
        return gpu["name"]

    def nvmlDeviceGetMigMode(self, gpu):
        if "instances" not in gpu:
            raise NotSupported("Not Supported")
        return (1, 1)

    def nvmlDeviceGetMaxMigDeviceCount(self, gpu):
        return 7

    def nvmlDeviceGetMigDeviceHandleByIndex(self, gpu, place):
        if place not in gpu["instances"]:
            raise NotFound("Not Found")
        return gpu["instances"][place]

    def nvmlDeviceGetGpuInstanceId(self, instance):
        return instance["gi"]

    def nvmlDeviceGetComputeInstanceId(self, instance):
        return 0

    def nvmlDeviceGetUUID(self, instance):
        return instance["uuid"]

    def nvmlDeviceGetNvLinkState(self, gpu, link):
        if link >= len(gpu.get("links", ())):
            raise NotSupported("Not Supported")
        return 1

    def nvmlDeviceGetNvLinkRemotePciInfo(self, gpu, link):
        return SimpleNamespace(busId=f"0000{gpu['links'][link].upper()}")


def a100(minor: int, address: str, **more) -> dict:
    return {"name": "NVIDIA A100-SXM4-40GB", "minor": minor, "address": address, **more}
