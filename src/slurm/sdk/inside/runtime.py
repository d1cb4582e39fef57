"""JobContext: what a task may know about the job it runs in, read from the variables that Slurm sets."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path

from slurm.notation import hostlist

DEFAULT_MASTER_PORT = 29500
FIRST_PORT, PORTS = 20000, 12000
"""Where the tasks of a job meet when nobody says otherwise: one of these, by its id."""


@dataclass(frozen=True)
class JobContext:
    """The job around a task. What Slurm did not set, as outside a job, is None.

    Attributes:
        job_id: The job's number.
        step_id: That of the step in it.
        node_rank: Which of the job's nodes this one is, from 0.
        rank: Which of all tasks this one is, from 0.
        local_rank: Which of the tasks on this node.
        world_size: How many tasks there are.
        num_nodes: How many nodes.
        local_world_size: How many tasks on each node.
        gpus_per_node: How many GPUs on each node.
        hostnames: The nodes, in Slurm's order.
        master_addr: Where rank 0 can be reached.
        master_port: The port that the environment names for that, else 29500.
        environment: All `SLURM_*` variables.
        created_at: When this was read: UTC, ISO 8601, to the second.
        output_dir: The job's folder.
        rendezvous_port: A port of this job's own, for `torch_distributed_env`; 0 where there is none.
    """

    job_id: str | None
    step_id: str | None
    node_rank: int | None
    rank: int | None
    local_rank: int | None
    world_size: int | None
    num_nodes: int | None
    local_world_size: int | None
    gpus_per_node: int | None
    hostnames: tuple[str, ...] = ()
    master_addr: str | None = None
    master_port: int = DEFAULT_MASTER_PORT
    environment: dict[str, str] = field(default_factory=dict)
    created_at: str = ""
    output_dir: Path | None = None
    rendezvous_port: int = 0

    def torch_distributed_env(self, *, master_port: int | None = None) -> dict[str, str]:
        """The variables that torch.distributed's env:// reads; those that are not known are left out.

        MASTER_PORT is that of the environment, else one of this job's own: jobs that share a node must not meet at the same port.
        MASTER_ADDR is the first node, or where a resolver does not know that (as with emulated nodes), the address from which srun was
        called.
        """
        found = {
            "MASTER_ADDR": self._meeting_point(), "MASTER_PORT": master_port or self.rendezvous_port or self.master_port,
            "WORLD_SIZE": self.world_size, "RANK": self.rank,
            "LOCAL_RANK": self.local_rank, "LOCAL_WORLD_SIZE": self.local_world_size, "NODE_RANK": self.node_rank}
        return {name: str(value) for name, value in found.items() if value is not None and value != ""}

    def _meeting_point(self) -> str | None:
        launched = self.environment.get("SLURM_LAUNCH_NODE_IPADDR")
        if self.master_addr is None or not launched or self.master_addr not in self.hostnames:
            return self.master_addr
        import socket

        try:
            socket.getaddrinfo(self.master_addr, None)
        except socket.gaierror:
            return launched
        return self.master_addr


def build_job_context(env: Mapping[str, str] | None = None) -> JobContext:
    """The context that these variables describe, those of this process by default."""
    env = os.environ if env is None else env
    listed = next((env[name] for name in ("SLURM_STEP_NODELIST", "SLURM_NODELIST", "SLURM_JOB_NODELIST") if env.get(name)), "")
    hosts = tuple(hostlist.expand(listed)) if listed else ()
    nodes = _number(env, "SLURM_NNODES", "SLURM_JOB_NUM_NODES")
    return JobContext(
        job_id=env.get("SLURM_JOB_ID"), step_id=env.get("SLURM_STEP_ID"), node_rank=_number(env, "SLURM_NODEID"),
        rank=_number(env, "SLURM_PROCID"), local_rank=_number(env, "SLURM_LOCALID"), world_size=_number(env, "SLURM_NTASKS", "WORLD_SIZE"),
        num_nodes=nodes if nodes is not None else len(hosts) or None, local_world_size=_number(env, "SLURM_NTASKS_PER_NODE"),
        gpus_per_node=_number(env, "SLURM_GPUS_PER_NODE", "SLURM_GPUS_ON_NODE"), hostnames=hosts,
        master_addr=env.get("MASTER_ADDR") or (hosts[0] if hosts else env.get("SLURM_LAUNCH_NODE_IPADDR")),
        master_port=_number(env, "MASTER_PORT", "SLURM_SRUN_COMM_PORT") or DEFAULT_MASTER_PORT,
        environment={name: value for name, value in env.items() if name.startswith("SLURM_")},
        created_at=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), output_dir=Path(env["JOB_DIR"]) if env.get("JOB_DIR") else None,
        rendezvous_port=_number(env, "MASTER_PORT") or _own_port(env.get("SLURM_JOB_ID", "")))


def export_ranks(environ: MutableMapping[str, str]) -> None:
    """Set what torch.distributed and its relatives look for, in a task of several; an address or a port that is set already stays."""
    found = build_job_context(environ).torch_distributed_env()
    environ.update({**found, **{name: environ[name] for name in ("MASTER_ADDR", "MASTER_PORT") if name in environ}})


def _own_port(job: str) -> int:
    """The same on all nodes of a job; below those that the kernel gives away by itself."""
    return FIRST_PORT + int(job) % PORTS if job.isdigit() else 0


def current_job_context() -> JobContext:
    """The context of this process."""
    return build_job_context()


def _number(env: Mapping[str, str], *names: str) -> int | None:
    """The leading number of the first of these variables that has one: "4(x2)" and "h100:4" hold 4."""
    for name in names:
        found = re.match(r"(?:[A-Za-z]\w*:)?(\d+)", env.get(name, ""))
        if found:
            return int(found[1])
    return None
