"""What this machine has: processors, memory, disk, GPUs. Read from the kernel; nothing of the configuration."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import NamedTuple

import psutil

from slurm.config.gres import GresDevice
from slurm.model.errors import ConfigError
from slurm.model.node import GresPool
from slurm.slurmd.gpus import detect
from slurm.slurmd.gpus.found import FoundGpu
from slurm.slurmd.gpus.own import found_lines
from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.processors import machine_cores

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
    """The GPUs of this machine, one pool a model, whichever way of AutoDetect finds any."""
    pools: list[GresPool] = []
    for position, gpu in enumerate(sorted(_find()[1], key=lambda gpu: gpu.type)):
        if not pools or pools[-1].type != gpu.type:
            pools.append(GresPool(name="gpu", type=gpu.type, count=0, first=position))
        pools[-1].count += 1
        pools[-1].files.append(gpu.file)
    return pools


def gpu_lines() -> list[str]:
    """What `slurmd -C` says of the GPUs that are here: `Gres=…`, then a sentence for each model; [] where there are none."""
    return found_lines(*_find())


def _find() -> tuple[str, list[FoundGpu]]:
    """The GPUs of this machine, and the way of AutoDetect that found them."""
    for way in ("nvml", "nvidia", "rsmi", "oneapi", "nrt"):
        try:
            found = detect.look(way).gpus
        except ConfigError:
            continue  # its library is not here: the next way is gone
        if found:
            return way, found
    return "", []


def _boot_id() -> str:
    """What the kernel calls this boot, "" where it does not say."""
    try:
        return _line("/proc/sys/kernel/random/boot_id")
    except OSError:
        return ""


def _topology() -> tuple[int, int, int]:
    """(sockets, cores a socket, threads a core), such that their product is the number of CPUs."""
    cores = machine_cores(Tree())
    cpus = sum(len(core.cpus) for core in cores) or os.cpu_count() or 1
    sockets = len({core.socket for core in cores}) or 1
    per_socket = max(1, len(cores) // sockets)
    threads = max(1, cpus // (sockets * per_socket))
    if sockets * per_socket * threads != cpus:
        return 1, cpus, 1
    return sockets, per_socket, threads


def _line(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read().strip()
