"""What this machine has: processors, memory, disk, GPUs. Read from the kernel; nothing of the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from slurm.config.gres import GresDevice
from slurm.model.errors import ConfigError
from slurm.model.node import GresPool

_MEGABYTE = 1 << 20


class Hardware(NamedTuple):
    """Counts, and MB of memory and of /tmp; `boot_time` in seconds since the epoch."""

    cpus: int
    boards: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    memory: int
    tmp_disk: int
    arch: str
    os: str
    boot_time: float
    boot_id: str = ""

    def conf_line(self, node: str) -> str:
        """The NodeName line that describes it, as `slurmd -C` prints it."""
        return (f"NodeName={node} CPUs={self.cpus} Boards={self.boards} SocketsPerBoard={self.sockets} "
                f"CoresPerSocket={self.cores_per_socket} "
                f"ThreadsPerCore={self.threads_per_core} RealMemory={self.memory}")


def look(tmp_fs: str = "/tmp") -> Hardware:
    """What there is now; `tmp_fs` lies on the disk for temporary files. ConfigError when it does not exist."""
    sockets, cores, threads = _topology()
    try:
        disk = os.statvfs(tmp_fs)
    except OSError as error:
        raise ConfigError(message=f"TmpFS={tmp_fs} cannot be looked at: {error.strerror}", hints=[
            f"make the folder {tmp_fs} on this node, or set TmpFS in slurm.conf to the one that jobs use (default: /tmp)"]) from error
    system = os.uname()
    return Hardware(
        cpus=sockets * cores * threads, boards=1, sockets=sockets, cores_per_socket=cores, threads_per_core=threads,
        memory=psutil.virtual_memory().total // _MEGABYTE, tmp_disk=disk.f_frsize * disk.f_blocks // _MEGABYTE,
        arch=system.machine, os=f"{system.sysname} {system.release} {system.version}", boot_time=psutil.boot_time(), boot_id=_boot_id())


def missing_devices(devices: Iterable[GresDevice]) -> list[str]:
    """One sentence for each device file of gres.conf that is not on this machine."""
    told: dict[str, str] = {}
    for device in devices:
        for file in filter(None, device.file.split(",")):
            try:
                os.stat(file)
            except OSError as error:
                told.setdefault(file, f"can't stat gres.conf file {file}: {error.strerror}")
    return list(told.values())


def load() -> tuple[float, int]:
    """(load average of the last minute, free memory in MB)."""
    return os.getloadavg()[0], psutil.virtual_memory().free // _MEGABYTE


def real_cpus() -> frozenset[int]:
    """The CPU numbers that this process may bind to."""
    return frozenset(os.sched_getaffinity(0))


def uptime(now: float) -> str:
    """Since boot, as `slurmd -C` prints it: 0-01:02:03."""
    seconds = int(now - psutil.boot_time())
    return f"{seconds // 86400}-{seconds // 3600 % 24:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


def gpus() -> list[GresPool]:
    """NVIDIA's GPUs, one pool a model, as NVML tells; empty without the library or the driver."""
    try:
        import pynvml
    except ImportError:
        return []
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return []
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        found = sorted((_model(pynvml.nvmlDeviceGetName(h)), pynvml.nvmlDeviceGetMinorNumber(h)) for h in handles)
    finally:
        pynvml.nvmlShutdown()
    pools: list[GresPool] = []
    for position, (model, minor) in enumerate(found):
        if not pools or pools[-1].type != model:
            pools.append(GresPool(name="gpu", type=model, count=0, first=position))
        pools[-1].count += 1
        pools[-1].files.append(f"/dev/nvidia{minor}")
    return pools


def _boot_id() -> str:
    """What the kernel calls this boot, "" where it does not say."""
    try:
        return _line("/proc/sys/kernel/random/boot_id")
    except OSError:
        return ""


def _model(name: str | bytes) -> str:
    text = name.decode() if isinstance(name, bytes) else name
    return text.lower().replace(" ", "_")


def _topology() -> tuple[int, int, int]:
    """(sockets, cores a socket, threads a core), such that their product is the number of CPUs."""
    cpus = os.cpu_count() or 1
    packages: set[str] = set()
    cores: set[tuple[str, str]] = set()
    for cpu in range(cpus):
        place = f"/sys/devices/system/cpu/cpu{cpu}/topology"
        try:
            package, core = _line(f"{place}/physical_package_id"), _line(f"{place}/core_id")
        except OSError:
            return 1, cpus, 1
        packages.add(package)
        cores.add((package, core))
    sockets = len(packages)
    per_socket = max(1, len(cores) // sockets)
    threads = max(1, cpus // (sockets * per_socket))
    if sockets * per_socket * threads != cpus:
        return 1, cpus, 1
    return sockets, per_socket, threads


def _line(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()
