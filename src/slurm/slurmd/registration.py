"""What a slurmd says first on its connection to slurmctld: which node it is, what its machine has, and what of jobs is on it."""

from __future__ import annotations

from collections.abc import Sequence

from slurm.model.version import SLURM_VERSION
from slurm.net.endpoint import Endpoint, mark_of
from slurm.slurmd.gpus import own
from slurm.slurmd.hardware import Hardware
from slurm.slurmd.settings import NodeSettings
from slurm.wire import node_messages as n


def registration(settings: NodeSettings, machine: Hardware, started: float, endpoint: str, holdings: list[n.Holding]) -> n.RegisterNode:
    """The message; `started` is when this slurmd was, `endpoint` where srun reaches it."""
    return n.RegisterNode(
        node=settings.node, cpus=machine.cpus, boards=machine.boards, sockets=machine.sockets, cores_per_socket=machine.cores_per_socket,
        threads_per_core=machine.threads_per_core, memory=machine.memory, tmp_disk=machine.tmp_disk, arch=machine.arch, os=machine.os,
        version=SLURM_VERSION, boot_time=machine.boot_time, boot_id=machine.boot_id, slurmd_start_time=started, endpoint=endpoint,
        hostname=settings.hostname, port=settings.port, holdings=holdings, beside=_mark(settings.listen), line=settings.line,
        gres=None if settings.detection == "off" else own.reported(settings.devices, settings.threads))


def _mark(listen: Sequence[Endpoint]) -> str:
    """What tells srun that it is on this very machine."""
    try:
        return mark_of(next(endpoint.path for endpoint in listen if endpoint.is_unix))
    except (OSError, StopIteration):
        return ""
