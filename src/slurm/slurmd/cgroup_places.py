"""Where this machine's cgroups are, and which of them slurmd may make groups in: of version 2, of version 1, or of both side by side.

Not here: the groups of a step (`stepd.cgroup`), what they hold it to (`confining`, `stepd.confinement`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from slurm.config.cgroup import AUTODETECT, DISABLED, VERSION_1, VERSION_2, CgroupConf
from slurm.slurmd.stepd.cgroup import write

_HOLDING = ("freezer", "pids", "name=systemd", "cpuacct")
"""Hierarchies of version 1 in which processes can be kept together, the best one first."""
_LEAF = "slurmd"
"""Where slurmd goes itself in version 2: a group whose children are limited has no processes of its own."""


class Mount(NamedTuple):
    """A mounted hierarchy: its folder, version, and controllers (of version 2: none here)."""

    folder: str
    version: int
    controllers: tuple[str, ...]


class Places:
    """The groups of one slurmd, called `name` in each hierarchy, as cgroup.conf lets it choose them."""

    def __init__(self, name: str, conf: CgroupConf | None = None) -> None:
        self._name = name
        self._conf = conf or CgroupConf()
        self._own = _own_groups()
        self._mounts = [mount for mount in mounts() if self._chosen(mount)]
        self.made: list[str] = []
        """Its own groups, the one that holds processes together first."""

    def holding(self) -> str:
        """The group below which steps make theirs, made now; "" where none can be made."""
        for mount in self._mounts:
            if mount.version == 2 and (path := self._make(mount, "")):
                return path
        for controller in _HOLDING:
            for mount in self._mounts:
                if controller in mount.controllers and (path := self._make(mount, controller)):
                    return path
        return ""

    def of_controller(self, controller: str) -> tuple[int, str]:
        """The version and the group by which slurmd can limit what `controller` limits, made now; OSError that says why there is none."""
        for mount in self._mounts:
            if mount.version == 2 and controller == "devices":
                continue  # no controller but a program for each group: where version 1 has it, that is used
            if mount.version == 2 and controller in _read(os.path.join(mount.folder, "cgroup.controllers")):
                return 2, self._enable(mount, controller)
            if controller in mount.controllers and (path := self._make(mount, controller)):
                if controller == "cpuset":
                    _fill(path)
                return 1, path
        if controller == "devices":
            for mount in self._mounts:
                if mount.version == 2 and (path := self._make(mount, "")):
                    return 2, path
        raise OSError(95, f"no cgroup of controller {controller} can be made here")

    def beside(self, prefix: str) -> list[str]:
        """The groups beside its own whose names begin so."""
        found: list[str] = []
        for parent, own in map(os.path.split, self.made):
            with contextlib.suppress(OSError):
                found += [entry.path for entry in os.scandir(parent) if entry.name.startswith(prefix) and entry.name != own
                    and entry.is_dir()]
        return found

    def _chosen(self, mount: Mount) -> bool:
        plugin, root = self._conf.plugin, self._conf.mountpoint.rstrip("/")
        if plugin == DISABLED or not (mount.folder == root or mount.folder.startswith(root + "/")):
            return False
        return plugin == AUTODETECT or plugin == (VERSION_1 if mount.version == 1 else VERSION_2)

    def _make(self, mount: Mount, controller: str) -> str:
        path = self._path(mount, controller)
        try:
            os.makedirs(path, exist_ok=True)
        except OSError:
            return ""
        if not os.access(os.path.join(path, "cgroup.procs"), os.W_OK):
            with contextlib.suppress(OSError):  # somebody else's
                os.rmdir(path)
            return ""
        if path not in self.made:
            self.made.append(path)
        return path

    def _path(self, mount: Mount, controller: str) -> str:
        return os.path.join(mount.folder, self._own.get(controller, "/").strip("/"), self._name)

    def _enable(self, mount: Mount, controller: str) -> str:
        """Have a controller of version 2 in slurmd's group. OSError."""
        path = self._make(mount, "")
        if not path:
            raise OSError(1, f"no cgroup can be made in {os.path.dirname(self._path(mount, ''))}")
        above = os.path.dirname(path)
        if self._conf.enable_controllers:
            _enable_down_to(mount.folder, above, controller)
        if controller not in _read(os.path.join(above, "cgroup.controllers")):
            raise OSError(95, f"{above} has no controller {controller} (EnableControllers=yes, or Delegate=yes in slurmd's unit)")
        if controller not in _read(os.path.join(above, "cgroup.subtree_control")):
            try:
                write(os.path.join(above, "cgroup.subtree_control"), f"+{controller}")
            except OSError:
                _step_down(above)
                write(os.path.join(above, "cgroup.subtree_control"), f"+{controller}")
        write(os.path.join(path, "cgroup.subtree_control"), f"+{controller}")
        return path


def mounts() -> list[Mount]:
    """The mounted hierarchies."""
    found: list[Mount] = []
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as file:
        for line in file:
            fields = line.split()
            if len(fields) > 3 and fields[2] in ("cgroup", "cgroup2"):
                version = 2 if fields[2] == "cgroup2" else 1
                found.append(Mount(fields[1], version, tuple(fields[3].split(",")) if version == 1 else ()))
    return found


def _own_groups() -> dict[str, str]:
    """Controller ("" for version 2) → where this process is in its hierarchy; of version 2, what is above the leaf that slurmd may be
    in."""
    found: dict[str, str] = {}
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        for line in file:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if not controllers and os.path.basename(path) == _LEAF:
                path = os.path.dirname(path)
            found.update(dict.fromkeys(controllers.split(","), path))
    return found


def _enable_down_to(root: str, folder: str, controller: str) -> None:
    """EnableControllers=yes: what the levels above do not hand down by themselves. OSError."""
    parts = os.path.relpath(folder, root).split("/")
    levels: Iterator[str] = (os.path.join(root, *parts[:count]) for count in range(len(parts)) if parts != ["."])
    for level in levels:
        if controller not in _read(os.path.join(level, "cgroup.subtree_control")):
            write(os.path.join(level, "cgroup.subtree_control"), f"+{controller}")


def _step_down(group: str) -> None:
    """Move slurmd and what else is in its group into a leaf of it: with processes in it, it could not limit what is below. OSError."""
    leaf = os.path.join(group, _LEAF)
    os.makedirs(leaf, exist_ok=True)
    for pid in _read(os.path.join(group, "cgroup.procs")):
        with contextlib.suppress(ProcessLookupError):
            write(os.path.join(leaf, "cgroup.procs"), pid)


def _fill(path: str) -> None:
    """A group of version 1's cpuset has no CPUs and no memory until somebody says which: those of the group above."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        with open(os.path.join(path, name), encoding="ascii") as file:
            if file.read().strip():
                continue
        with open(os.path.join(os.path.dirname(path), name), encoding="ascii") as file:
            write(os.path.join(path, name), file.read().strip())


def _read(path: str) -> list[str]:
    try:
        with open(path, encoding="ascii") as file:
            return file.read().split()
    except OSError:
        return []
