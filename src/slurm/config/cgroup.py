"""cgroup.conf: what the kernel is to hold jobs to. It has effect on nodes whose TaskPlugin has task/cgroup.

Not here: where a machine's cgroups are and how they are written (`slurmd`). Source: cgroup.conf(5).
"""

from __future__ import annotations

from typing import NamedTuple

from slurm.config import schema, values
from slurm.config.reader import Problem, Record

AUTODETECT, DISABLED, VERSION_1, VERSION_2 = "autodetect", "disabled", "cgroup/v1", "cgroup/v2"


class CgroupConf(NamedTuple):
    """A cgroup.conf.

    Spaces are percent of what a job was given, `max_*` percent of the node's memory, `min_ram` MB; `swappiness` None: as it is.
    """

    plugin: str = AUTODETECT
    mountpoint: str = "/sys/fs/cgroup"
    enable_controllers: bool = False
    cores: bool = False
    devices: bool = False
    ram: bool = False
    swap: bool = False
    allowed_ram: float = 100.0
    allowed_swap: float = 0.0
    max_ram: float = 100.0
    max_swap: float = 100.0
    min_ram: int = 30
    swappiness: int | None = None

    @property
    def constrains(self) -> bool:
        """Whether it holds jobs to anything."""
        return self.cores or self.devices or self.ram or self.swap


_KEYS = {
    "CgroupPlugin": "plugin", "CgroupMountpoint": "mountpoint", "EnableControllers": "enable_controllers", "ConstrainCores": "cores",
    "ConstrainDevices": "devices", "ConstrainRAMSpace": "ram", "ConstrainSwapSpace": "swap", "AllowedRAMSpace": "allowed_ram",
    "AllowedSwapSpace": "allowed_swap", "MaxRAMPercent": "max_ram", "MaxSwapPercent": "max_swap", "MinRAMSpace": "min_ram",
    "MemorySwappiness": "swappiness",
}


def read_cgroup(records: list[Record], problems: list[Problem]) -> CgroupConf:
    """What the records of a cgroup.conf say, the last line first; what is wrong is added to `problems`."""
    found: dict[str, object] = {}
    for record in records:
        for entry in record.entries:
            field = _KEYS.get(entry.row.name)
            if field is None or entry.row.standing != schema.EFFECTIVE:
                continue
            try:
                value = values.read(entry.row, entry.text)
            except ValueError as error:
                problems.append(Problem(entry.origin, f"{entry.row.name}={entry.text} is no value for {entry.row.name}", str(error)))
                continue
            if field == "swappiness" and isinstance(value, int) and value > 100:
                problems.append(Problem(entry.origin, f"MemorySwappiness={value} is above 100", "write a number from 0 to 100"))
                continue
            found[field] = float(str(value)) if entry.row.kind == "portion" else value
    return CgroupConf()._replace(**found)  # type: ignore[arg-type]
