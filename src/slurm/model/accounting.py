"""What accounting knows: records of jobs, steps, suspensions and nodes as they leave the controller, and as questions about the past find
them.

A record is complete: a later one of the same key replaces it. Times are seconds since the epoch (0: not yet), durations seconds, memory MB;
TRES are name → count as Slurm names them ("cpu", "mem" in MB, "node", "billing", "gres/gpu", "gres/gpu:a100", "license/matlab").
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.bounds import COUNT_MAX, Many, Moment, Name, Real, Text, Whole, Word
from slurm.model.ids import Digest, Gid, JobId, NodeName, StepId, Uid
from slurm.model.states import JobState

Tres = dict[str, int]
MOST = 2**63 - 1
"""No sum is larger, whatever nodes tell: databases have no room for more."""

Amount = Annotated[int, Whole(0, MOST)]
Rank = Annotated[int, Whole(0, 2**31 - 1)]
CpuSeconds = Annotated[float, Real(0, 1e12)]


class Extreme(msgspec.Struct, frozen=True):
    """The largest or smallest value among the tasks of a step: whose it is (`task` its rank in the step) and where that ran."""

    value: Amount
    node: Name
    task: Rank


class TresUsage(msgspec.Struct, frozen=True):
    """What the tasks of a step used of one thing: the sum over `tasks` tasks and the extremes among them.

    Units: cpu milliseconds; mem, vmem, fs/disk, gres/gpumem bytes; pages faults; gres/gpuutil percent; energy joules.
    """

    total: Amount
    tasks: Rank
    most: Extreme
    least: Extreme

    def plus(self, other: TresUsage) -> TresUsage:
        """Of both groups of tasks together."""
        return TresUsage(
            min(self.total + other.total, MOST), self.tasks + other.tasks,
            max(self.most, other.most, key=lambda extreme: extreme.value), min(self.least, other.least, key=lambda extreme: extreme.value))


TresUsages = Annotated[dict[Word, TresUsage], Many(64)]


class Usage(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a step used, on one node or on all: `taken` is Slurm's TRESUsageIn (read, consumed), `given` its TRESUsageOut (written)."""

    user_seconds: CpuSeconds = 0.0
    system_seconds: CpuSeconds = 0.0
    taken: TresUsages = {}
    given: TresUsages = {}

    def plus(self, other: Usage) -> Usage:
        """Of both together: other nodes of the same step."""
        return Usage(
            self.user_seconds + other.user_seconds, self.system_seconds + other.system_seconds,
            _plus(self.taken, other.taken), _plus(self.given, other.given))


def told_by(usage: Usage, node: NodeName) -> Usage:
    """What a node says was used on it: whatever names it wrote down, it ran there."""
    def here(table: dict[str, TresUsage]) -> dict[str, TresUsage]:
        return {name: TresUsage(one.total, one.tasks, Extreme(one.most.value, node, one.most.task),
            Extreme(one.least.value, node, one.least.task))
                for name, one in table.items()}

    return Usage(usage.user_seconds, usage.system_seconds, here(usage.taken), here(usage.given))


def _plus(one: dict[str, TresUsage], other: dict[str, TresUsage]) -> dict[str, TresUsage]:
    return {name: one[name].plus(other[name]) if name in one and name in other else one.get(name) or other[name] for name in one | other}


class JobRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="job"):
    """A job in one of its lives; key (cluster, id, restarts). The waiting tasks of an array are one record with `array_tasks` set."""

    id: JobId
    restarts: int = 0
    array_job: JobId = JobId(0)  # 0: not of an array
    array_task: int | None = None
    array_tasks: str = ""  # tasks that have not started, as in --array: "2-9%3"
    het_job: JobId = JobId(0)
    het_offset: int = 0

    uid: Uid
    gid: Gid
    user: str
    group: str
    account: str = ""
    association: int = 0  # its id in the database, 0: none
    qos: str = ""
    qos_requested: str = ""
    wckey: str = ""  # with a * before it: the user's default one, which nobody named
    wckey_id: int = 0  # its id in the database, 0: none
    partition: str = ""
    reservation: str = ""
    reservation_id: int = 0
    reservation_requested: str = ""

    name: str = ""
    kind: str = "batch"
    submit_line: str = ""
    work_dir: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    comment: str = ""
    admin_comment: str = ""
    system_comment: str = ""
    extra: str = ""
    container: str = ""
    licenses: str = ""
    constraints: str = ""
    mcs_label: str = ""
    script: Digest = Digest("")  # of a PayloadRecord, where AccountingStoreFlags keeps it
    environment: Digest = Digest("")

    state: JobState = JobState.PENDING
    flags: list[str] = []  # of model.states.JOB_FLAGS that end with it (requeued …), and how it was started: "SchedMain", "SchedBackfill"
    reason: str = ""  # Slurm's word why it last waited, or ended
    killed_by: Uid | None = None  # who cancelled it
    failed_node: str = ""
    priority: int = 0
    exclusive: str = ""
    oversubscribe: str = ""
    exit_status: int = 0  # wait statuses
    derived_status: int = 0
    submit_time: float = 0.0
    eligible_time: float = 0.0
    start_time: float = 0.0
    end_time: float = 0.0
    suspended_seconds: float = 0.0
    suspend_time: float = 0.0  # since when it is suspended, 0: it is not
    time_limit: int = -1  # seconds, -1 unlimited

    cpus_requested: int = 0
    nodes_requested: int = 0
    memory_requested: int = 0  # MB
    memory_per_cpu: bool = False
    requested: Tres = {}
    allocated: Tres = {}
    nodes: str = ""  # hostlist, "" while it waits
    node_count: int = 0


class StepRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="step"):
    """A step of a job; key (cluster, job, restarts, step). `usage` is None until something was measured."""

    job: JobId
    restarts: int = 0
    step: StepId
    name: str = ""
    state: JobState = JobState.RUNNING
    killed_by: Uid | None = None
    exit_status: int = 0
    start_time: float = 0.0
    end_time: float = 0.0
    suspended_seconds: float = 0.0
    ntasks: int = 1
    nodes: str = ""
    node_count: int = 1
    layout: str = ""  # distribution in Slurm's words: "Cyclic", "Block"
    allocated: Tres = {}
    submit_line: str = ""
    work_dir: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    container: str = ""
    cpu_freq_min: int = 0  # kHz, or 0
    cpu_freq_max: int = 0
    cpu_freq_governor: str = ""
    average_frequency: int = 0  # kHz
    usage: Usage | None = None


class SuspensionRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="suspension"):
    """A time in which a job was suspended; key (cluster, job, restarts, start)."""

    job: JobId
    restarts: int = 0
    start_time: float
    end_time: float = 0.0


class NodeEventRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="node"):
    """A time in which a node was down or drained; key (cluster, node, start). `state` as sinfo -N shows it in capitals."""

    node: NodeName
    start_time: float
    end_time: float = 0.0
    state: str = ""
    reason: str = ""
    reason_uid: Uid = Uid(0)
    tres: Tres = {}


class ClusterRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="cluster"):
    """What a cluster has from this moment on."""

    start_time: float
    nodes: str = ""
    tres: Tres = {}


class ReservationRecord(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True, tag="reservation"):
    """What an occurrence of a reservation is from `since` on; key (cluster, id, start). It replaces what was said of the time from `since`
    on.

    One whose end is not after `since` ended then, or never came to be.
    """

    id: int
    start_time: float
    since: float
    end_time: float
    name: str = ""
    nodes: str = ""
    flags: list[str] = []
    users: list[str] = []  # with a - before those who may not
    accounts: list[str] = []
    tres: Tres = {}


class PayloadRecord(msgspec.Struct, kw_only=True, frozen=True, tag="payload"):
    """A script or an environment ("NAME=value" with NUL between), kept once by content."""

    digest: Digest
    what: str  # script | environment
    content: bytes


AccountingRecord = JobRecord | StepRecord | SuspensionRecord | NodeEventRecord | ClusterRecord | ReservationRecord | PayloadRecord


class Outgoing(msgspec.Struct, frozen=True):
    """A record on its way to the database: `sequence` grows by one, without gaps, in one journal; a number that came before changes
    nothing."""

    sequence: int
    record: AccountingRecord


class JobRow(msgspec.Struct, frozen=True):
    """A job as the database answers for it: the record, its cluster, its steps in order; `index` is the database's own number of it."""

    cluster: str
    index: int
    job: JobRecord
    steps: list[StepRecord] = []


Wanted = Annotated[list[Name], Many(1000)]
"""Names that a question gives."""
WantedIds = Annotated[list[Annotated[int, Whole(0, MOST)]], Many(1000)]
WantedUids = Annotated[list[Annotated[Uid, Whole(0, 2**32 - 2)]], Many(1000)]
WantedGids = Annotated[list[Annotated[Gid, Whole(0, 2**32 - 2)]], Many(1000)]
WantedJobs = Annotated[
    list[tuple[Annotated[JobId, Whole(0, 2**31 - 1)], Annotated[int | None, Whole(0, COUNT_MAX)],
    Annotated[StepId | None, Whole(-10, COUNT_MAX)]]],
    Many(50_000)]
"""(job or array, task, step)"""
Between = tuple[Annotated[int, Whole(0, MOST)], Annotated[int, Whole(0, MOST)]]


class JobFilter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Which jobs are asked for; what is empty does not restrict. Several values of one field: any of them.

    `since` and `until` bound the time in which a job was in one of `states` (without states: in which it waited or ran), as in sacct(1).
    """

    clusters: Wanted = []  # []: the asking cluster
    all_clusters: bool = False
    jobs: WantedJobs = []
    users: Wanted = []
    uids: WantedUids = []
    gids: WantedGids = []
    accounts: Wanted = []
    associations: WantedIds = []
    partitions: Wanted = []
    qos: Wanted = []
    wckeys: Wanted = []
    names: Wanted = []
    reasons: Wanted = []
    constraints: Wanted = []
    nodes: Annotated[list[Annotated[NodeName, Text(1024)]], Many(65_536)] = []  # it ran on one of them
    states: Annotated[list[JobState], Many(100)] = []
    flags: Wanted = []
    since: Moment = 0.0
    until: Moment = 0.0
    cpus: Between | None = None
    node_counts: Between | None = None
    time_limits: Between | None = None  # seconds
    duplicates: bool = False  # also lives that ended with a requeue, and earlier jobs of the same id
    steps: bool = True


class EventFilter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Which events are asked for: those that touch `since` to `until` (0: from ever, for ever); what is empty does not restrict."""

    clusters: Wanted = []  # []: the asking cluster
    all_clusters: bool = False
    kind: Annotated[str, Text(words=("", "cluster", "node"))] = ""
    nodes: Annotated[list[Annotated[NodeName, Text(1024)]], Many(65_536)] = []
    reasons: Wanted = []
    states: Wanted = []  # words of a state, in any case: it has one of them
    users: Wanted = []
    open_only: bool = False
    since: Moment = 0.0
    until: Moment = 0.0


class EventRow(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """An event of a cluster (`node` "": what the cluster had in this time) or of a node, which was out of service; `end` 0: it lasts."""

    cluster: str
    node: str = ""
    start: float
    end: float = 0.0
    state: str = ""
    reason: str = ""
    uid: int = -1
    user: str = ""
    tres: Tres = {}
    nodes: str = ""


class ReservationFilter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Which reservations are asked for: those that touch `since` to `until` (0: for ever); what is empty does not restrict."""

    clusters: Wanted = []  # []: the asking cluster
    all_clusters: bool = False
    ids: WantedIds = []
    names: Wanted = []
    nodes: Annotated[list[Annotated[NodeName, Text(1024)]], Many(65_536)] = []
    since: Moment = 0.0
    until: Moment = 0.0


class ReservationRow(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """An occurrence of a reservation, as it was at last; `reserved` and `allocated` are TRES-seconds: what it held up to
    now, for so many `seconds`, and what jobs in it had."""

    cluster: str
    id: int
    name: str
    start: float
    end: float
    nodes: str = ""
    flags: list[str] = []
    users: list[str] = []
    accounts: list[str] = []
    tres: Tres = {}
    seconds: int = 0
    reserved: Tres = {}
    allocated: Tres = {}


class UsageFilter(msgspec.Struct, kw_only=True, omit_defaults=True, frozen=True):
    """Which sums are asked for: whole hours of each cluster's time zone from `since` up to `until`; what is empty does not restrict."""

    clusters: Wanted = []  # []: the asking cluster
    all_clusters: bool = False
    accounts: Wanted = []
    users: Wanted = []
    wckeys: Wanted = []
    tres: Wanted = []
    since: Moment = 0.0
    until: Moment = 0.0


class ClusterUsage(msgspec.Struct, frozen=True):
    """What became of a cluster's TRES: TRES-seconds, `total` the sum of all; `planned` idle while jobs that could run waited for more."""

    cluster: str
    tres: str
    total: int
    allocated: int
    down: int
    planned_down: int
    idle: int
    planned: int


class AssociationUsage(msgspec.Struct, frozen=True):
    """TRES-seconds that jobs of one association had allocated; `association` 0: the account and the user have none."""

    cluster: str
    association: int
    account: str
    user: str
    tres: str
    seconds: int


class WckeyUsage(msgspec.Struct, frozen=True):
    """TRES-seconds that a user's jobs of one wckey had allocated."""

    cluster: str
    wckey: str
    user: str
    tres: str
    seconds: int
