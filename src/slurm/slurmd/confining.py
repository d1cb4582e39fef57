"""What the steps of this node are held to by the kernel, as cgroup.conf says: read once, worked out for each step's record.

Source of the sums: cgroup.conf(5).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Sequence

from slurm.config.cgroup import DISABLED, CgroupConf
from slurm.config.gres import GresDevice
from slurm.model.errors import ConfigError
from slurm.slurmd.cgroup_places import Places
from slurm.slurmd.stepd.confinement import Confined, Memory

_MB = 1 << 20


class Confining:
    """Confines steps below the groups of `places`. `total` is the node's memory (MB), `gres` its devices.

    ConfigError where the kernel cannot.
    """

    def __init__(self, conf: CgroupConf, places: Places, total: int, gres: Sequence[GresDevice]) -> None:
        self._conf = conf
        self._total = total * _MB
        self._memory = self._cores = self._devices = (0, "")
        self.hides_devices = conf.devices  # from the steps that do not hold them
        self._files = {file for device in gres for file in device.file.split(",") if file}
        if conf.constrains and conf.plugin == DISABLED:
            raise ConfigError(message="cgroup.conf constrains jobs, but has CgroupPlugin=disabled", hints=["take out the one or the other"])
        if conf.ram or conf.swap:
            self._memory = _place(places, "memory", "ConstrainRAMSpace" if conf.ram else "ConstrainSwapSpace")
        if conf.cores:
            self._cores = _place(places, "cpuset", "ConstrainCores")
        if conf.devices:
            self._devices = _place(places, "devices", "ConstrainDevices")

    def of(self, holding: str, job: str, memory: int, job_memory: int, cpus: Collection[int], devices: Iterable[str]) -> tuple[str,
            dict[str, object]]:
        """The folder below which a step's group is made, and its Confined as a dict.

        `holding` is slurmd's own group, `job` names the job's attempt, memory is MB (0: none was asked for), `cpus` are this machine's
        ("none": they are not bound), `devices` the device files that are the step's.
        """
        if not holding or not self._conf.constrains:
            return holding, {}
        version, folder = self._memory
        if version == 1:
            folder = os.path.join(folder, job)
        elif version == 2:
            holding = folder = os.path.join(holding, job)
        confined = Confined(
            memory=(version, folder), cores=(self._cores[0], holding if self._cores[0] == 2 else self._cores[1]) if cpus else (0, ""),
            devices=(self._devices[0], holding if self._devices[0] == 2 else self._devices[1]),
            step=self._space(memory or job_memory), job=self._space(job_memory or memory), swappiness=self._conf.swappiness,
            cpus=",".join(map(str, sorted(cpus))), denied=self._denied(devices) if self._devices[0] else ())
        return holding, confined._asdict()

    def _space(self, memory: int) -> Memory:
        """What a job or step may hold that was given `memory` MB; one that was given none may have what the node has."""
        conf = self._conf
        if not self._memory[0]:
            return Memory(None, None)
        least, most = conf.min_ram * _MB, int(self._total * conf.max_ram / 100)
        ram = min(max(int(memory * _MB * conf.allowed_ram / 100), least), most) if memory else most
        if not conf.swap:
            return Memory(ram, None)
        both = min(ram + int(memory * _MB * conf.allowed_swap / 100), max(ram, int(self._total * conf.max_swap / 100)))
        return Memory(ram, both - ram)

    def _denied(self, devices: Iterable[str]) -> list[str]:
        """Numbers of the node's GRES devices that are none of these; a file that is not there cannot be used by anybody."""
        given = set(map(_number, devices))
        others = (_number(file) for file in sorted(self._files))
        return list(dict.fromkeys(number for number in others if number and number not in given))


def _place(places: Places, controller: str, key: str) -> tuple[int, str]:
    try:
        return places.of_controller(controller)
    except OSError as error:
        raise ConfigError(message=f"cgroup.conf has {key}=yes, but {error.strerror}", hints=[
            "slurmd must run as root on a machine whose cgroups are writable, or the key be taken out"]) from error


def _number(path: str) -> str:
    """Kind and numbers of a device file as the kernel writes them, "c 195:0"; "" for what is none."""
    try:
        found = os.stat(path)
    except OSError:
        return ""
    if stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        return f"{'c' if stat.S_ISCHR(found.st_mode) else 'b'} {os.major(found.st_rdev)}:{os.minor(found.st_rdev)}"
    return ""
