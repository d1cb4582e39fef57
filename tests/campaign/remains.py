"""What may not be left when every job has ended: processes, cgroups, sockets, files, resources that are not free, tracebacks."""

from __future__ import annotations

import os
import re
from pathlib import Path

from tests.campaign.faults import inside, title_of
from tests.system.machines import Machine, Machines

RESOURCES = "resources that are not free at the end"
PROCESSES = "processes left"
CGROUPS = "cgroups left"
FILES = "files and sockets left"
TRACEBACKS = "tracebacks in logs"
KINDS = (RESOURCES, PROCESSES, CGROUPS, FILES, TRACEBACKS)
_DAEMONS = ("slurmctld", "slurmd", "slurmstepd: idle")
_STATE = {"audit.log", "clock", "history", "journal.db", "journal.db-wal", "journal.db-shm", "journal.db.lock", "credential.key", "tls.cert", "tls.key"}


def look(machines: Machines) -> dict[str, list[str]]:
    """Kind → what was found, in sentences."""
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    shown = machines["head"].ok("scontrol", "show", "node", "-o")
    for line in shown.splitlines():
        name = re.findall(r"NodeName=(\S+)", line)[0]
        used = {key: value for key, value in re.findall(r"\b(CPUAlloc|AllocMem)=(\d+)", line) if value != "0"}
        if used:
            found[RESOURCES].append(f"{name}: {used}")
        state = re.findall(r"\bState=(\S+)", line)[0]
        if state != "IDLE":
            found[RESOURCES].append(f"{name}: {state}")
    for machine in machines:
        found[PROCESSES] += [f"{machine.name}: pid {process.pid} {title_of(process)}" for process in inside(machine) if not _is_daemon(title_of(process))]
        found[FILES] += _files(machine)
        for log in machine.run_folder.glob("*.log"):
            lines = log.read_text(errors="replace").splitlines()
            found[TRACEBACKS] += [f"{machine.name}: {log.name}: " + " | ".join(lines[number:number + 30])
                                  for number, line in enumerate(lines) if line.startswith("Traceback")]
    for node in machines.nodes:
        device, inode = node.ok("stat", "-c", "%d %i", "/run/spool/steps").split()
        own = f"slurmd_{node.name}.{int(device):x}.{int(inode):x}"  # other clusters on this machine may have nodes of these names
        found[CGROUPS] += _groups(own)
    return found


def _groups(own: str) -> list[str]:
    """The cgroups below one that is called so; those of other clusters come and go meanwhile."""
    return [path for path, _, _ in os.walk("/sys/fs/cgroup") if own in Path(path).parent.parts]


def _is_daemon(title: str) -> bool:
    # nsenter is what the test itself is in a machine with.
    return title.startswith(_DAEMONS) or " -m slurm.slurm" in title or title.startswith("nsenter ")


def _files(machine: Machine) -> list[str]:
    seen = machine.ok("sh", "-c", "ls -A /run/spool/steps 2>/dev/null; true").split()
    told = [f"{machine.name}: step folder {name}" for name in seen]
    seen = machine.ok("sh", "-c", "ls -A /run/state 2>/dev/null; true").split()
    told += [f"{machine.name}: state file {name}" for name in seen if name not in _STATE]
    sockets = {path.name for path in machine.run_folder.iterdir() if path.is_socket()}
    daemon = "slurmctld" if machine.name == "head" else "slurmd"
    return told + [f"{machine.name}: socket {name}" for name in sorted(sockets) if not name.startswith(daemon)]
