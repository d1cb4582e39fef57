"""Partition: a named set of nodes with limits; one row of `PartitionName=` and what `scontrol update` made of it."""

from __future__ import annotations

import msgspec

from slurm.model.ids import NodeName
from slurm.model.settings import Settings


class Partition(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A partition. Durations are seconds (-1: unlimited, None: none given); counts 0 for no limit below, -1 for none above."""

    name: str
    nodes: list[NodeName] = msgspec.field(default_factory=list)  # in configuration order
    nodes_text: str = ""  # as written: "ALL" shows NodeSets=ALL
    default: bool = False
    state: str = "UP"  # UP | DOWN | DRAIN | INACTIVE
    max_time: int = -1
    default_time: int | None = None
    over_time_limit: int | None = None
    max_nodes: int = -1
    min_nodes: int = 0
    max_cpus_per_node: int = -1
    max_cpus_per_socket: int = -1
    def_mem_per_cpu: int | None = None
    def_mem_per_node: int | None = None
    max_mem_per_cpu: int | None = None
    max_mem_per_node: int | None = None
    allow_groups: str = "ALL"
    allow_accounts: str = "ALL"
    deny_accounts: str = ""
    allow_qos: str = "ALL"
    deny_qos: str = ""
    alloc_nodes: str = "ALL"
    alternate: str = ""
    qos: str = ""
    priority_tier: int = 1
    priority_job_factor: int = 1
    oversubscribe: str = "NO"  # NO | YES[:n] | FORCE[:n] | EXCLUSIVE
    exclusive: str = "NO"  # NO | USER | NODE …
    hidden: bool = False
    root_only: bool = False
    disable_root_jobs: bool = False
    req_resv: bool = False
    lln: bool = False
    grace_time: int = 0
    preempt_mode: str = ""
    tres_billing_weights: str = ""
    job_defaults: str = ""  # notation.job_defaults
    topology: str = ""  # name of the topology that its nodes are chosen by, "": the default one
    select_type: str = ""  # SelectTypeParameters of its own: CR_CORE, CR_SOCKET_MEMORY …
    suspend_time: int | None = None  # of its nodes, -1: never; None: the cluster's, as the following
    suspend_timeout: int | None = None
    resume_timeout: int | None = None
    power_down_on_idle: bool = False
    position: int = 0

    def selects(self, settings: Settings) -> tuple[str, bool]:
        """The unit in which its CPUs are given out, and whether memory is: SelectTypeParameters of its own, where the cluster gives out
        cores or sockets."""
        if not self.select_type or settings.select_unit == "cpu":
            return settings.select_unit, settings.select_memory
        return "socket" if "SOCKET" in self.select_type else "core", "MEMORY" in self.select_type
