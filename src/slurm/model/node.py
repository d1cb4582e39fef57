"""Node: a computer, what it has by configuration, what its slurmd reported, and what jobs hold on it."""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.bounds import Count, Many, Name, Path, Whole
from slurm.model.cpu_set import NOTHING, CpuSet, run
from slurm.model.ids import JobId, NodeName
from slurm.model.states import NodeState, Power

Files = Annotated[list[Path], Many(65_536)]
Cpus = Annotated[CpuSet, Whole(0, 65_535)]


class GresPool(msgspec.Struct, omit_defaults=True):
    """The devices of one gres name and type on a node, numbered from `first` in the node's index space of that name.

    `files` are the device files in index order ("" where there is none); `cores` near CPUs, none where gres.conf does not say.
    """

    name: Name
    type: Name
    count: Count
    first: Count = 0
    files: Files = msgspec.field(default_factory=list)
    cores: Cpus = NOTHING
    consumed: bool = True  # False (no_consume): jobs ask for it and none has it for himself

    @property
    def devices(self) -> CpuSet:
        """Its indexes."""
        return CpuSet.run(self.count, self.first)


class Remains(msgspec.Struct, frozen=True, omit_defaults=True):
    """An attempt of which processes may still be on a node that was not heard of. `waived`: the next attempt does not wait for a proof."""

    job: JobId
    attempt: int
    waived: bool = False


class Node(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A node. Memory and disk MB; `cpus_used` are held by jobs, and of `gres_used` name → device indexes."""

    name: NodeName
    address: str = ""
    hostname: str = ""
    port: int = 6818
    boards: int = 1
    sockets: int = 1
    cores_per_socket: int = 1
    threads_per_core: int = 1
    cpus: int = 1
    memory: int = 1
    tmp_disk: int = 0
    weight: int = 1
    features: list[str] = msgspec.field(default_factory=list)
    gres: list[GresPool] = msgspec.field(default_factory=list)
    position: int = 0  # order in the configuration
    spec_cores: int = 0  # CoreSpecCount
    spec_cpus: Cpus = NOTHING  # CPUs that are set aside for the system: those of CoreSpecCount or CpuSpecList
    spec_memory: int = 0  # MB set aside for the system (MemSpecLimit)

    state: NodeState = NodeState.UNKNOWN  # UNKNOWN | IDLE | DOWN | FUTURE; allocated and mixed follow from cpus_used
    drain: bool = False
    responding: bool = False
    reason: str = ""
    reason_user: str = ""
    reason_uid: int = 0
    reason_time: float = 0.0
    comment: str = ""
    extra: str = ""

    line: str = ""  # the NodeName line by which it was made while the cluster ran, "" for a node of slurm.conf
    by_slurmd: bool = False  # slurmd -Z brought that line
    cloud: bool = False  # State=CLOUD
    power: Power = Power.ON
    power_since: float = 0.0  # when that began
    power_asked: str = ""  # what is to come: "" | up | down | down_asap | down_force
    reboot: str = ""  # "" | requested | for_job (before a job with --reboot begins) | issued
    reboot_since: float = 0.0
    reboot_next: str = ""  # the state after a reboot: "" as before | RESUME | DOWN
    resume_after: float = 0.0  # when a node that is down or drained resumes by itself, 0: never

    registered: bool = False
    arch: str = ""
    os: str = ""
    version: str = ""
    boot_time: float = 0.0
    boot_id: str = ""  # as the kernel made it for this boot, "" of a slurmd that does not say
    slurmd_start_time: float = 0.0
    last_busy_time: float = 0.0
    last_heard: float = 0.0  # not part of what replay restores exactly: set at registration and by NodeLost
    cpu_load: float = 0.0
    free_memory: int = 0

    cpus_used: CpuSet = NOTHING
    memory_used: int = 0
    gres_used: dict[str, CpuSet] = msgspec.field(default_factory=dict)
    jobs: set[JobId] = msgspec.field(default_factory=set)
    completing: set[JobId] = msgspec.field(default_factory=set)
    suspended: set[JobId] = msgspec.field(default_factory=set)  # those of `jobs` whose CPUs here are free for others
    remains: list[Remains] = msgspec.field(default_factory=list)
    exclusive_user: int = -1  # uid that holds the node with --exclusive=user, -1: none

    @property
    def threads(self) -> int:
        """Threads of a core that count as CPUs: one where the configuration says that a CPU is a core."""
        return 1 if self.threads_per_core == 1 else max(1, self.cpus // max(1, self.sockets * self.cores_per_socket))

    @property
    def job_cpus(self) -> int:
        """The CPUs that are there for jobs, as bits: all but those set aside for the system."""
        return run(self.cpus) & ~self.spec_cpus.bits

    @property
    def job_cpu_count(self) -> int:
        """How many these are."""
        return self.cpus - len(self.spec_cpus)

    @property
    def job_memory(self) -> int:
        """The memory that is there for jobs, MB."""
        return self.memory - self.spec_memory

    def aside(self, cores: int, *, lowest_first: bool = False) -> CpuSet:
        """The CPUs of `cores` cores that are set aside: of each socket in turn its highest core that is left, from the last socket on.

        `lowest_first` (spec_cores_first): the lowest core, from the first socket on. Cores that are set aside anyway come before all
        others.
        """
        of = [CpuSet.run(self.threads, core * self.threads) for core in range(self.cpus // self.threads)]
        kept = [core for core in of if not core.isdisjoint(self.spec_cpus)]
        turns = [socket * self.cores_per_socket + core for core in range(self.cores_per_socket) for socket in range(self.sockets)]
        if not lowest_first:
            last = self.sockets * self.cores_per_socket - 1
            turns = [last - turn for turn in turns]
        others = [of[turn] for turn in turns if turn < len(of) and of[turn].isdisjoint(self.spec_cpus)]
        taken = NOTHING
        for core in (kept + others)[:cores]:
            taken |= core
        return taken

    def consumes(self, name: str) -> bool:
        """Whether whoever gets this resource has it for himself."""
        return all(pool.consumed for pool in self.gres if pool.name == name)

    def devices(self, name: str, type: str = "") -> CpuSet:
        """Indexes of the devices of this gres name (and type)."""
        bits = 0
        for pool in self.gres:
            if pool.name == name and type in ("", pool.type):
                bits |= run(pool.count, pool.first)
        return CpuSet(bits)

    @property
    def tenants(self) -> int:
        """Jobs that keep a whole-node job away: all but the suspended ones."""
        return len(self.jobs) - len(self.suspended)

    @property
    def usable(self) -> bool:
        """Whether jobs may be given it now, also where it has to be powered up for them: not while something is left of attempts that
        were given up elsewhere."""
        there = self.responding if self.power is Power.ON else self.power is not Power.GOING_DOWN
        return self.state is NodeState.IDLE and there and not self.drain and not self.remains and self.reboot in ("", "requested")

    @property
    def is_ready(self) -> bool:
        """Whether what was started here may run: it has power, and has not still to boot."""
        return self.power is Power.ON and self.reboot in ("", "requested")
