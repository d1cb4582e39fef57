"""Shape: what an embedded cluster consists of, and the slurm.conf and gres.conf that say so."""

from __future__ import annotations

from typing import NamedTuple

DEFAULT_GPU_TYPE = "emulated"
ORDINARY_MB = 2048
"""A CPU of an emulated node has so much memory where nothing else was asked for: what ordinary programs need (`import torch` takes 0.4
GB)."""
LOCAL = "local.conf"
"""The user's own part of slurm.conf, beside it: further partitions, limits, `NodeName=DEFAULT Feature=…`."""
KILL_WAIT = 5
"""Seconds from SIGTERM to SIGKILL: people at a laptop wait for it."""


class Shape(NamedTuple):
    """Nodes of equal size. Memory MB; `gpu_files` device files of one node's GPUs ("" each where they are emulated)."""

    nodes: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    memory: int
    gpus: int
    gpu_type: str
    gpu_files: tuple[str, ...]
    emulated: bool  # nodes claim more or other than this machine has

    @property
    def cpus(self) -> int:
        """CPUs of one node."""
        return self.sockets * self.cores_per_socket * self.threads_per_core

    @property
    def memory_per_cpu(self) -> int:
        """What a job gets for each CPU when it does not say how much memory it needs."""
        return max(1, self.memory // self.cpus)

    @property
    def names(self) -> list[str]:
        """Node names in order."""
        width = max(2, len(str(self.nodes)))
        return [f"cn{number:0{width}d}" for number in range(1, self.nodes + 1)]

    @property
    def ranged(self) -> str:
        """The names as slurm.conf has them."""
        return self.names[0] if self.nodes == 1 else f"cn[{self.names[0][2:]}-{self.names[-1][2:]}]"


def slurm_conf(shape: Shape, name: str, folder: str, host: str, user: str, local: str = "") -> str:
    """The text of the cluster's slurm.conf; everything it writes lies under `folder`. `local` is the text of the user's own part, which is
    included and goes before what stands here."""
    gres = f" Gres=gpu:{shape.gpu_type}:{shape.gpus}" if shape.gpus else ""
    lines = [
        f"# Written by `slurm up`, anew after each `slurm down`: lines of yours belong into {LOCAL} beside it. Cluster {name}.",
        f"ClusterName={name}",
        f"SlurmctldHost={host}(127.0.0.1)",
        f"SlurmUser={user}",
        f"SlurmdUser={user}",
        "# Peers are on this machine and the kernel says who they are; no port is opened.",
        "AuthType=auth/local",
        f'StateSaveLocation="{folder}/state"',
        f'SlurmctldPidFile="{folder}/run/slurmctld.pid"',
        f'SlurmdPidFile="{folder}/run/slurmd-%n.pid"',
        f'SlurmctldLogFile="{folder}/log/slurmctld.log"',
        f'SlurmdLogFile="{folder}/log/slurmd-%n.log"',
        f'SlurmdSpoolDir="{folder}/spool/%n"',
        "# Nodes lie on this machine: one that says nothing for so long has died, and its jobs with it.",
        "SlurmdTimeout=30",
        "ReturnToService=2",
        f"KillWait={KILL_WAIT}",
        "# No node will be added: what no partition can ever run is refused, and does not wait for ever.",
        "EnforcePartLimits=ALL",
        "MaxArraySize=1000001",
        "MaxJobCount=1000000",
        "SelectType=select/cons_tres",
        "SelectTypeParameters=CR_Core_Memory",
        f"DefMemPerCPU={shape.memory_per_cpu}",
        "# Whoever holds more memory than asked for is killed within a second, as on a cluster with cgroups.",
        "JobAcctGatherType=jobacct_gather/linux",
        "JobAcctGatherParams=OverMemoryKill",
        "JobAcctGatherFrequency=1",
        "SchedulerType=sched/backfill",
        "AccountingStorageType=accounting_storage/slurmdbd",
    ]
    if shape.gpus:
        lines.append("GresTypes=gpu")
    if shape.emulated:
        lines.append("SlurmdParameters=config_overrides")
    if local:
        own = {line.partition("=")[0].strip().lower() for line in local.splitlines() if "=" in line.partition("#")[0]}
        lines = [line for line in lines if line.partition("=")[0].lower() not in own]
        lines.append(f"Include {LOCAL}")
    lines += [
        f"NodeName={shape.ranged} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={shape.cpus} Sockets={shape.sockets} "
        f"CoresPerSocket={shape.cores_per_socket} ThreadsPerCore={shape.threads_per_core} RealMemory={shape.memory}{gres} State=UNKNOWN",
        f"PartitionName=debug Nodes={shape.ranged} Default=YES MaxTime=INFINITE State=UP",
    ]
    if shape.gpus:
        lines.append(f"PartitionName=gpu Nodes={shape.ranged} MaxTime=INFINITE State=UP")
    return "\n".join(lines) + "\n"


def slurmdbd_conf(name: str, folder: str, user: str) -> str:
    """The text of its slurmdbd.conf."""
    lines = (
        f"# Written by `slurm up`, as slurm.conf. Cluster {name}.",
        "AuthType=auth/local",
        f"SlurmUser={user}",
        f'PidFile="{folder}/run/slurmdbd.pid"',
        f'LogFile="{folder}/log/slurmdbd.log"',
        "StorageType=accounting_storage/sqlite",
        f'StorageLoc="{folder}/state/accounting.db"',
        "TrackWCKey=yes",
    )
    return "\n".join(lines) + "\n"


def gres_conf(shape: Shape) -> str:
    """The text of gres.conf, "" without GPUs."""
    if not shape.gpus:
        return ""
    if any(shape.gpu_files):
        return "".join(f"Name=gpu Type={shape.gpu_type} File={path}\n" for path in shape.gpu_files)
    return f"Name=gpu Type={shape.gpu_type} Count={shape.gpus}\n"


def emulated(real: Shape, *, nodes: int, cpus: int | None, memory: int | None, gpus: int | None, gpu_type: str) -> Shape:
    """Nodes that claim what was asked for, whatever this machine has; where nothing was, this machine's CPUs and memory for each CPU in
    plenty."""
    count = cpus or max(1, real.cpus)
    size = memory or max(real.memory, count * ORDINARY_MB)
    return Shape(
        nodes=nodes, sockets=1, cores_per_socket=count, threads_per_core=1, memory=size, gpus=gpus or 0,
        gpu_type=gpu_type or DEFAULT_GPU_TYPE, gpu_files=("",) * (gpus or 0), emulated=True)

