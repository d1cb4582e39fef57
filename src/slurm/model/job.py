"""Job: one record a job, an array's tasks that have not started sharing one; and what a started job holds.

Written only by `core.lifecycle` (state) and `core.cluster.apply` (everything else).
"""

from __future__ import annotations

import msgspec

from slurm.model.accounting import Usage
from slurm.model.cpu_set import CpuSet
from slurm.model.crontab import CronEntry
from slurm.model.ids import Gid, JobId, NodeName, StepId, Uid
from slurm.model.request import JobRequest, PayloadRef, StepRequest
from slurm.model.states import JobState, Reason


class Owner(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who a job runs as: ids from the credential, names as the controller knows them."""

    uid: Uid
    gid: Gid
    user: str
    group: str


class NodeShare(msgspec.Struct, omit_defaults=True):
    """What one job holds on one node: CPUs, memory MB, gres name → device indexes."""

    node: NodeName
    cpus: CpuSet
    memory: int = 0
    gres: dict[str, CpuSet] = msgspec.field(default_factory=dict)
    tasks: int = 1

    @property
    def cpu_count(self) -> int:
        """CPUs held on this node."""
        return len(self.cpus)


class Allocation(msgspec.Struct, omit_defaults=True):
    """What a started job holds, node by node in rank order; `batch_host` is the first."""

    shares: list[NodeShare]
    partition: str
    exclusive: bool = False
    licenses: dict[str, int] = msgspec.field(default_factory=dict)
    reservation: str = ""  # in which it runs
    reservation_id: int = 0

    @property
    def nodes(self) -> list[NodeName]:
        """Names in rank order."""
        return [share.node for share in self.shares]

    @property
    def cpu_count(self) -> int:
        """CPUs on all nodes together."""
        return sum(share.cpu_count for share in self.shares)

    @property
    def memory(self) -> int:
        """MB on all nodes together."""
        return sum(share.memory for share in self.shares)


class DependencyClause(msgspec.Struct, omit_defaults=True):
    """One condition on another job: `kind` as in --dependency, `state` unfulfilled | fulfilled | failed."""

    kind: str
    job: JobId = JobId(0)
    task: int | None = None  # None with `whole_array`: every task
    whole_array: bool = False
    delay: int = 0  # seconds after the start, for after:ID+minutes
    state: str = "unfulfilled"
    since: float = 0.0  # when the delay began to run, 0: not yet


class ArrayPart(msgspec.Struct, omit_defaults=True):
    """The tasks of an array that have not started: disjoint ranges (first, last, step), in order; `limit` 0: no % limit."""

    ranges: list[tuple[int, int, int]]
    limit: int = 0
    count: int = 0  # tasks in the whole array as submitted, for SLURM_ARRAY_TASK_COUNT
    lowest: int = 0
    highest: int = 0
    step: int = 1


class Step(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A step of a running job. `exit_status` is the highest wait status of its tasks, None while it runs."""

    id: StepId
    name: str
    start_time: float
    request: StepRequest = msgspec.field(default_factory=StepRequest)
    shares: list[NodeShare] = msgspec.field(default_factory=list)
    ntasks: int = 1
    nodes_left: list[NodeName] = msgspec.field(default_factory=list)
    state: JobState = JobState.RUNNING
    exit_status: int | None = None
    end_time: float = 0.0
    launcher: str = ""
    ending: str = ""  # why it is being ended, "" when it is not
    oom: bool = False  # the kernel killed something of it for memory, on some node
    suspended_seconds: float = 0.0  # of suspensions of its job that are over
    usage: Usage | None = None  # of the nodes on which it ended; None: nothing was measured
    ports: list[int] = msgspec.field(default_factory=list)  # kept for it on each of its nodes while it runs there

    @property
    def nodes(self) -> list[NodeName]:
        """Names in rank order."""
        return [share.node for share in self.shares]


class LostAttempt(msgspec.Struct, kw_only=True, omit_defaults=True):
    """An attempt on nodes that are not heard of, while its job shows as requeued. It is open: it goes on when they return.

    `intact`: none of its processes was ended by us. `returned`: nodes that have come back with it.
    """

    allocation: Allocation
    partition: str
    batch_host: NodeName
    since: float
    start_time: float
    launched: bool
    signalled: bool
    steps: dict[int, Step]
    intact: bool = True
    returned: list[NodeName] = msgspec.field(default_factory=list)
    suspended_by: str = ""  # it was suspended when it was heard of last: Job.suspended_by


class Victim(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A job that gives way: how (cancel | requeue | suspend), and after how many seconds of grace."""

    job: JobId
    mode: str
    grace: int = 0


class Promise(msgspec.Struct, omit_defaults=True):
    """What a waiting job gets as soon as those that hold it are gone: `victims` gave way for it at `since` (seconds since the epoch)."""

    allocation: Allocation
    since: float
    victims: list[JobId]
    time_limit: int | None = None  # as in Started


class Job(msgspec.Struct, kw_only=True, omit_defaults=True):
    """A job, or the tasks of an array that have not started yet (`array_part` set).

    Times are seconds since the epoch, 0: not yet. `attempt` counts starts; each launch and completion carries it.
    `exit_status` is a wait status (exit code << 8 | signal).
    """

    id: JobId
    owner: Owner
    association: int = 0  # whom it counts for, 0: nobody known
    key: str = ""  # of the submission, for a request that comes twice; the tasks of an array share it
    request: JobRequest  # shared by the tasks of an array; replaced, never changed in place, once shared
    payload: PayloadRef = msgspec.field(default_factory=PayloadRef)
    partition: str = ""  # the partition it waits in or runs in
    state: JobState = JobState.PENDING
    flags: list[str] = msgspec.field(default_factory=list)  # names of states.JOB_FLAGS
    reason: str = Reason.NONE  # of the fold: held, dependency, ended; the planner's verdicts are kept beside (see sched)
    reason_text: str = ""  # who cancelled it, which node failed …

    array_job: JobId = JobId(0)  # 0: not of an array
    array_task: int | None = None
    array_part: ArrayPart | None = None

    het: tuple[JobId, ...] = ()  # of a component of a heterogeneous job: the ids of all of them in order, the leader's first

    priority: int = 0  # what users see; derived by the planner from the record and the time, so in no event
    held: str = ""  # "" | user | admin
    dependency: list[DependencyClause] = msgspec.field(default_factory=list)
    dependency_any: bool = False  # True: one fulfilled clause is enough
    queue_place: int = 0  # of a waiting job: those with lower numbers came before it; of others the number that they had

    submit_time: float = 0.0
    not_before: float = 0.0  # begin time or requeue delay still to come; 0 once Eligible
    eligible_time: float = 0.0
    accrue_time: float = 0.0
    start_time: float = 0.0
    end_time: float = 0.0
    resize_time: float = 0.0  # when it last gave nodes back while it ran
    suspend_time: float = 0.0  # when it was suspended last, or resumed
    suspended_seconds: float = 0.0  # in suspensions that are over
    suspended_by: str = ""  # operator | preemption | gang; "": it is not suspended
    without_cpus: bool = False  # its CPUs are free for others, as of a suspended job; memory, devices and licences it keeps
    time_limit: int = -1  # seconds, -1 unlimited; what counts for this job after defaults
    end_by: float = 0.0  # of a running job: when its reservation ends it, 0: never
    kill_at: float = 0.0  # of a job that gives way: when its GraceTime is over
    preempt_time: float = 0.0  # when it was chosen to give way
    preempt_mode: str = ""  # of a job that gives way: cancel | requeue | suspend
    preempted_for: JobId = JobId(0)  # the job it gives way to
    promise: Promise | None = None  # of a waiting job for which others give way

    memory_peak: int = 0  # MB on a node, the most that one of its ended steps held as far as it was measured
    attempt: int = 0
    restarts: int = 0
    allocation: Allocation | None = None
    batch_host: NodeName = NodeName("")
    nodes_left: list[NodeName] = msgspec.field(default_factory=list)  # nodes that still hold processes of this attempt
    lost: LostAttempt | None = None  # set while its attempt is on silent nodes; allocation, batch_host and steps are in it then
    unproven: list[NodeName] = msgspec.field(default_factory=list)  # of a waiting job: nodes where an earlier attempt may still run
    launched: bool = False  # the batch host confirmed that the script runs
    # nodes whose Prolog has yet to run (PrologFlags=Alloc); "": PrologSlurmctld
    preparing: list[NodeName] = msgspec.field(default_factory=list)
    epilog_due: bool = False  # EpilogSlurmctld of its present attempt has yet to end
    requeue_after: bool = False  # back to pending, once its nodes are clean
    hold_after: bool = False
    signalled: bool = False  # the --signal warning was sent
    exit_status: int = 0
    derived_status: int = 0
    next_step: int = 0
    steps: dict[int, Step] = msgspec.field(default_factory=dict)
    last_node_failed: str = ""
    cron: CronEntry | None = None  # of a job that scrontab made: when it runs again
    lease: int = 0  # seconds without a heartbeat after which its slurmstepds end this attempt, as its batch host confirmed; 0: never

    @property
    def het_job(self) -> JobId:
        """The leader of the heterogeneous job that it is a component of, 0 for any other job."""
        return self.het[0] if self.het else JobId(0)

    @property
    def het_offset(self) -> int:
        """Which component it is, from 0; 0 for any other job."""
        return self.het.index(self.id) if self.het else 0

    @property
    def runs_script(self) -> bool:
        """Whether a batch script is started for this record; a heterogeneous job has one, in its first component."""
        return self.request.kind == "batch" and self.het_job in (0, self.id)

    @property
    def completing(self) -> bool:
        """Whether it has ended but some of its nodes are not clean yet."""
        return "completing" in self.flags

    @property
    def seconds_before_suspension(self) -> float:
        """How long it had run when it was suspended or resumed last, 0 when it never was."""
        return max(0.0, self.suspend_time - self.start_time - self.suspended_seconds) if self.suspend_time else 0.0

    @property
    def holding(self) -> Allocation | None:
        """What it holds, also while nobody hears of the nodes."""
        return self.lost.allocation if self.lost is not None else self.allocation

    @property
    def awaited(self) -> list[NodeName]:
        """The nodes on which an earlier attempt may still run; [] when nothing of it is in the way of the next one."""
        if self.lost is not None:
            return [name for name in self.nodes_left if name not in self.lost.returned]
        return self.unproven

    @property
    def shown_id(self) -> str:
        """`123`, `123_4` for a task of an array, `123+1` for a component; unstarted tasks show as `render` decides."""
        if self.het:
            return f"{self.het_job}+{self.het_offset}"
        return f"{self.array_job}_{self.array_task}" if self.array_task is not None else str(self.id)
