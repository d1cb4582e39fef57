"""What the system under the daemons says: clock, cgroups, file systems, firewalls, SELinux, units. Read only, nothing is made."""

from __future__ import annotations

import ctypes
import ipaddress
import os
import shutil
import subprocess
from glob import glob

import psutil

from slurm.commands.doctor.facts import File
from slurm.config.cgroup import AUTODETECT, DISABLED, VERSION_1, VERSION_2, CgroupConf
from slurm.slurmd.cgroup_places import mounts

_TIMEX_BYTES, _TIME_ERROR = 256, 5
COMMAND_SECONDS = 5.0


def look_at(path: str, purpose: str) -> File:
    """A file or folder as it stands."""
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return File(path, purpose)
    except OSError as error:
        return File(path, purpose, problem=error.strerror or str(error))
    return File(path, purpose, exists=True, uid=facts.st_uid, mode=facts.st_mode & 0o7777)


def boot_id() -> str:
    """What the kernel calls this boot: two machines never have the same."""
    return _line("/proc/sys/kernel/random/boot_id")


def clock_is_kept() -> bool | None:
    """Whether a time server keeps the clock, None where the kernel does not say."""
    state = int(ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES)))
    return None if state < 0 else state != _TIME_ERROR


def selinux_enforces() -> bool:
    """Whether SELinux refuses what its policy does not allow."""
    return _line("/sys/fs/selinux/enforce") == "1"


def firewalls() -> list[str]:
    """Those that are at work: ufw, firewalld."""
    found = []
    if "ENABLED=yes" in _text("/etc/ufw/ufw.conf"):
        found.append("ufw")
    if shutil.which("firewall-cmd") and _said(["firewall-cmd", "--state"]) == "running":
        found.append("firewalld")
    if os.geteuid() == 0 and not found and shutil.which("nft"):
        rules = _said(["nft", "list", "ruleset"])
        if any("hook input" in line and "policy drop" in line for line in rules.splitlines()):
            found.append("nftables")
    return found


def units(names: list[str]) -> dict[str, str]:
    """Whether systemd starts these at boot: enabled, disabled, not-found; nothing where systemd does not run."""
    if not os.path.isdir("/run/systemd/system"):
        return {}
    return {name: _said(["systemctl", "is-enabled", f"{name}.service"]) or "not-found" for name in names}


def gpu_files() -> list[str]:
    """Device files of GPUs."""
    return sorted(path for path in glob("/dev/nvidia[0-9]*") + glob("/dev/dri/renderD*") if not os.path.isdir(path) and "nvidia" in path)


def is_loopback(address: str) -> bool:
    """Whether an address is this machine's alone."""
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def kind_of_file_system(path: str) -> str:
    """The kind of the file system that an existing path lies on, as /proc/mounts has it."""
    path = os.path.realpath(path)
    best, kind = "", ""
    for line in _text("/proc/self/mounts").splitlines():
        fields = line.split()
        folder = fields[1].replace("\\040", " ")
        if len(folder) >= len(best) and (path == folder or path.startswith(folder.rstrip("/") + "/")):
            best, kind = folder, fields[2]
    return kind


def program_of(pid: int | None) -> tuple[str, str]:
    """A process's name and the file it runs; "" what is not told."""
    try:
        process = psutil.Process(pid) if pid else None
        return (process.name(), process.exe()) if process else ("", "")
    except (psutil.Error, OSError):
        return "", ""


def pid_in(path: str) -> int:
    """The running process whose number stands in a pid file that nobody locks, as other Slurms write them; 0 for none."""
    text = _line(path)
    if not text.isdecimal() or not psutil.pid_exists(int(text)):
        return 0
    return int(text) if program_of(int(text))[0].startswith("slurm") else 0


def cgroup_problems(conf: CgroupConf) -> list[str]:
    """Why the kernel cannot hold jobs to what cgroup.conf asks, a sentence each."""
    wanted = {"ConstrainCores": "cpuset"} if conf.cores else {}
    if conf.ram or conf.swap:
        wanted["ConstrainRAMSpace" if conf.ram else "ConstrainSwapSpace"] = "memory"
    if conf.devices:
        wanted["ConstrainDevices"] = "devices"
    if conf.plugin == DISABLED:
        return ["cgroup.conf constrains jobs and has CgroupPlugin=disabled"] if wanted else []
    root = conf.mountpoint.rstrip("/")
    chosen = [mount for mount in mounts() if (mount.folder == root or mount.folder.startswith(root + "/"))
              and conf.plugin in (AUTODETECT, VERSION_1 if mount.version == 1 else VERSION_2)]
    if not chosen:
        return [f"no cgroup file system is mounted below {root} (CgroupMountpoint, CgroupPlugin={conf.plugin})"]
    found = []
    for key, controller in wanted.items():
        ways = [mount.folder for mount in chosen if (controller in mount.controllers if mount.version == 1 else
                controller == "devices" or controller in _text(f"{mount.folder}/cgroup.controllers").split())]
        if not ways:
            found.append(f"{key}=yes, and the kernel offers no cgroup controller {controller} below {root}")
        elif all(os.statvfs(folder).f_flag & os.ST_RDONLY for folder in ways):
            found.append(f"{key}=yes, and {ways[0]} is mounted read-only")
    return found


def _said(words: list[str]) -> str:
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read()
    except OSError:
        return ""


def _line(path: str) -> str:
    return _text(path).strip()
