"""Events: what has happened, in past participles. The journal keeps them; `core.cluster.apply` folds them into state.

What is written of them says `journal.shapes`: a new field needs a line there and an upgrade (docs/adding.md). `at`: seconds since 1970.
"""

from __future__ import annotations

import msgspec

from slurm.model.accounting import Usage
from slurm.model.ids import Gid, JobId, NodeName, StepId, Uid
from slurm.model.job import Allocation, Job, Step
from slurm.model.job import Victim as Victim
from slurm.model.node import GresPool, Node
from slurm.model.partition import Partition
from slurm.model.policy import PolicyRecord, UsageReset
from slurm.model.reservation import Reservation
from slurm.model.settings import Settings
from slurm.model.states import Power
from slurm.model.trigger import Pull, Trigger


class Event(msgspec.Struct, kw_only=True, omit_defaults=True, tag=True):
    """Anything that changes the cluster."""

    at: float


class Configured(Event):
    """A configuration was loaded: at first start, after a change of slurm.conf, by `scontrol reconfigure`.

    What operators set by hand (drain, reasons, partition states) survives for nodes and partitions that still exist.
    """

    settings: Settings
    nodes: list[Node]
    partitions: list[Partition]
    may_run: bool = False  # see NodeLost; of nodes that are not configured any more
    keeps: str = ""  # of what `scontrol` made of partitions: "" nothing | state | all, those that it created too


class Submitted(Event):
    """A job or array passed admission; `job` is its complete first record, `components` those of the other components of a heterogeneous
    job."""

    job: Job
    components: list[Job] = []


class Eligible(Event):
    """The begin time, or the delay of an after:ID+minutes, of a job has come."""

    job: JobId


class Start(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What a component of a heterogeneous job was given."""

    job: JobId
    allocation: Allocation


class Started(Event):
    """Resources were given to a job, or to task `task` of array record `job`, which then gets the id `started`.

    `components`: what the other components of a heterogeneous job were given, at the same moment.
    """

    job: JobId
    allocation: Allocation
    task: int | None = None
    started: JobId = JobId(0)  # 0: the record's own id (no array, or the array's last task)
    time_limit: int | None = None  # seconds, where --time-min let it start with less than it asked for
    components: list[Start] = []


class Launched(Event):
    """The batch host confirmed that this attempt's script runs."""

    job: JobId
    attempt: int
    lease: int = 0  # Job.lease


class LaunchFailed(Event):
    """A node could not start this attempt; nothing of it runs there."""

    job: JobId
    attempt: int
    node: NodeName
    why: str


class Prepared(Event):
    """The Prolog of this attempt has run on the node, or PrologSlurmctld (`node` "")."""

    job: JobId
    attempt: int
    node: NodeName


class PreparationFailed(Event):
    """The Prolog of this attempt failed on the node, or PrologSlurmctld (`node` "")."""

    job: JobId
    attempt: int
    node: NodeName
    why: str


class EpilogEnded(Event):
    """EpilogSlurmctld of this attempt has ended; `why` says how it failed, "" when it did not."""

    job: JobId
    attempt: int
    why: str = ""


class BatchExited(Event):
    """The batch script of this attempt ended with a wait status; `oom`: the kernel killed it for memory."""

    job: JobId
    attempt: int
    status: int
    oom: bool = False
    limit: str = ""  # timeout | lease: its slurmstepd ended it for that by itself
    why: str = ""  # a sentence for its owner: what kept it from running, what slurmstepd saw
    began: bool = True  # False: it could not run
    usage: Usage | None = None


class AllocationRelinquished(Event):
    """salloc or srun gave its allocation back; `status` is the wait status it ends with."""

    job: JobId
    status: int = 0


class NodeFreed(Event):
    """No process of this attempt is left on the node."""

    job: JobId
    attempt: int
    node: NodeName


class Warned(Event):
    """The --signal warning of this attempt was sent."""

    job: JobId
    attempt: int


class Stopped(Event):
    """Somebody sent SIGSTOP to a running job (`stopped`), or SIGCONT."""

    job: JobId
    attempt: int
    stopped: bool


class Suspended(Event):
    """A running job is to hold still and leave its CPUs to others. `why`: operator | preemption | gang; a gang keeps its CPUs."""

    job: JobId
    attempt: int
    why: str = "operator"
    by: Uid = Uid(0)


class Resumed(Event):
    """A suspended job goes on, on the CPUs that it had."""

    job: JobId
    attempt: int
    why: str = "operator"
    by: Uid = Uid(0)


class Preempted(Event):
    """Jobs give way to `job`, or to task `task` of array record `job`, which gets a record of its own: it is promised this allocation."""

    job: JobId
    allocation: Allocation
    victims: list[Victim]
    task: int | None = None
    time_limit: int | None = None


class PromiseEnded(Event):
    """What a job was promised it cannot get any more: a node of it is gone, or the job may not start."""

    job: JobId


class GraceEnded(Event):
    """The GraceTime of a job that gives way is over."""

    job: JobId
    attempt: int


class TimedOut(Event):
    """The time limit of this attempt was reached, or (`why`: Slurm's word for it) a limit on what its group may use."""

    job: JobId
    attempt: int
    why: str = ""


class DeadlinePassed(Event):
    """A pending job can no longer end before its --deadline."""

    job: JobId


class Cancelled(Event):
    """Somebody cancelled a job, or tasks of an array record that have not started (`tasks` as ranges; None: all of it)."""

    job: JobId
    by: Uid
    tasks: list[tuple[int, int, int]] | None = None


class CronPlanned(Event):
    """The next run of a job that scrontab made is planned for `moment`, in seconds since the epoch."""

    job: JobId
    moment: float


class CrontabReplaced(Event):
    """A user's crontab is another one (`text` "": none), whose lines made `jobs`; those of the one before do not run again."""

    uid: Uid
    user: str
    by: Uid
    text: str = ""
    jobs: list[JobId] = []


class TriggerSet(Event):
    """strigger --set."""

    trigger: Trigger


class TriggersCleared(Event):
    """Nobody waits for what these triggers wait for."""

    triggers: list[int]


class TriggerPulled(Event):
    """What a trigger waits for has happened."""

    trigger: int
    pull: Pull


class TriggerDone(Event):
    """The program of a trigger has run for its earliest pull."""

    trigger: int


class Held(Event):
    """A pending job was held, by its owner or by an administrator; `task` one waiting task of an array, which gets a record of its own."""

    job: JobId
    admin: bool = False
    task: int | None = None


class Released(Event):
    """A hold was lifted (and a requeue delay with it); `task` as in Held."""

    job: JobId
    task: int | None = None


SPECIAL_EXIT = "special_exit"


class Requeued(Event):
    """A job goes back to the queue once its processes are gone; `hold`: held there; `why` for reason and log, SPECIAL_EXIT: held so that
    all see it."""

    job: JobId
    by: Uid
    hold: bool = False
    why: str = ""


class JobUpdated(Event):
    """`scontrol update`: JobRequest or Job fields with their new values (MessagePack), already checked by core.update; `task` as in
    Held."""

    job: JobId
    changes: dict[str, msgspec.Raw]
    task: int | None = None


class JobShrunk(Event):
    """A running job gave nodes back."""

    job: JobId
    attempt: int
    nodes: list[NodeName]


class StepCreated(Event):
    """An srun got a step of a running job."""

    job: JobId
    step: Step


class StepEnding(Event):
    """Somebody ended one step; its nodes are told until each has said that it is over."""

    job: JobId
    attempt: int
    step: StepId
    why: str = "cancelled"


class StepExited(Event):
    """A step's tasks on one node all ended; `status` the highest wait status among them."""

    job: JobId
    attempt: int
    step: StepId
    node: NodeName
    status: int
    oom: bool = False
    usage: Usage | None = None


class NodeRegistered(Event):
    """A slurmd connected and said what its machine has; `gres` only when it detected devices."""

    node: NodeName
    cpus: int
    boards: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    memory: int
    tmp_disk: int
    arch: str = ""
    os: str = ""
    version: str = ""
    boot_time: float = 0.0
    boot_id: str = ""
    slurmd_start_time: float = 0.0
    address: str = ""
    hostname: str = ""
    port: int = 0
    gres: list[GresPool] | None = None
    rebooted: bool = False  # the machine was started anew since its last registration: nothing survived there


class NodeLost(Event):
    """A node did not answer for SlurmdTimeout.

    `may_run`: what it ran may still run there (False in journals of before this was known, which took it for over). `together`: every node
    that is lost at this moment.
    """

    node: NodeName
    why: str = "Not responding"
    may_run: bool = False
    together: list[NodeName] = []


class NodeReturned(Event):
    """A node that was lost registered with this attempt still on it."""

    job: JobId
    attempt: int
    node: NodeName


class NodeFenced(Event):
    """It is proven that nothing is left of these attempts, (job, attempt), on a node; `why` says by what."""

    node: NodeName
    attempts: list[tuple[JobId, int]]
    why: str = ""


class ProofWaived(Event):
    """The next attempt of a job does not wait any longer for the proof that the earlier one is over; `why`: lease | requeue_unproven."""

    job: JobId
    attempt: int
    why: str = ""


class NodeSilent(Event):
    """A node's connection broke; it is not used for new jobs until it is back."""

    node: NodeName


class NodeUpdated(Event):
    """`scontrol update nodename=`: state words as given (drain, resume, down, idle, undrain …), reason, weight, features, comment."""

    node: NodeName
    by: Uid
    by_name: str = ""
    state: str = ""
    reason: str | None = None
    weight: int | None = None
    features: list[str] | None = None
    comment: str | None = None
    extra: str | None = None
    may_run: bool = False  # as in NodeLost, when it is set DOWN while nobody hears of it
    address: str | None = None
    hostname: str | None = None
    resume_after: float | None = None  # the moment, 0: never


class PartitionUpdated(Event):
    """`scontrol update partitionname=`: Partition fields with their new values, already checked."""

    partition: str
    changes: dict[str, msgspec.Raw]


class PartitionCreated(Event):
    """`scontrol create partitionname=`, already checked; a default one takes that from the others."""

    partition: Partition


class PartitionDeleted(Event):
    """`scontrol delete partitionname=`."""

    partition: str


class NodesCreated(Event):
    """Nodes were made while the cluster runs, by `scontrol create nodename=` or a slurmd -Z; `members`: partition → those that it gains."""

    nodes: list[Node]
    members: dict[str, list[NodeName]] = {}


class NodesDeleted(Event):
    """`scontrol delete nodename=`; nothing runs there."""

    nodes: list[NodeName]


class PowerChanged(Event):
    """A node begins to go down, is off, begins to come up, or is found to be on. `empty`: it is proven that nothing runs there any more."""

    node: NodeName
    power: Power
    empty: bool = False


class ResumeFailed(Event):
    """A node did not come up within ResumeTimeout, or not anew within it (`reboot`)."""

    node: NodeName
    reboot: bool = False


class RebootAsked(Event):
    """`scontrol reboot`: as soon as nothing runs there, with `asap` nothing new does; `next`: "" | RESUME | DOWN."""

    node: NodeName
    by: Uid
    by_name: str = ""
    asap: bool = False
    next: str = ""
    reason: str = ""


class RebootIssued(Event):
    """The node's slurmd, or the RebootProgram of the controller, was told to start the node anew."""

    node: NodeName


class RebootCancelled(Event):
    """`scontrol cancel_reboot`, of a reboot that was not issued yet."""

    node: NodeName


class ReservationCreated(Event):
    """`scontrol create reservation`, already checked, nodes chosen."""

    reservation: Reservation


class ReservationUpdated(Event):
    """A reservation is as this record says: by `scontrol update`, or because other nodes were found for those that failed."""

    reservation: Reservation


class ReservationBegun(Event):
    """The start of a reservation has come."""

    name: str


class ReservationEnded(Event):
    """A reservation is over, was purged, or deleted by somebody (`by`). `next`: start and end of what follows, of one that repeats."""

    name: str
    next: tuple[float, float] | None = None
    by: Uid | None = None


class Purged(Event):
    """Finished jobs older than MinJobAge left the controller's memory."""

    jobs: list[JobId]


class NumberingContinued(Event):
    """The accounting database knows jobs of this cluster, from before this state began, with ids up to `above`: new ones get higher ids."""

    above: JobId


class RecordsMissed(Event):
    """The accounting database lost records that had arrived: those of these jobs are sent again, and with `nodes` those of nodes and
    cluster."""

    jobs: list[JobId]
    nodes: bool = False


class PolicyChanged(Event):
    """slurmdbd told of its policy: what was added, changed or removed. `whole`: these records, with those staged before, are all there is.

    `staged`: one part of a whole policy; it holds nothing until the last part, which is not staged, came.
    """

    records: list[PolicyRecord] = []
    resets: list[UsageReset] = []
    whole: bool = False
    staged: bool = False


class Accrued(Event):
    """The age of these waiting jobs counts from now on: limits on accruing jobs leave room for them."""

    jobs: list[JobId]


class UsagePeriodEnded(Event):
    """PriorityUsageResetPeriod is over: nothing was used."""


class ClockSet(Event):
    """slurmctld's clock was set forward (back: below 0) by so many seconds; `at` is of the new clock."""

    by: float


class EpochStarted(Event):
    """A slurmctld took the lead: what follows, until the next of these, is of this epoch. `holder`: its name in SlurmctldHost."""

    epoch: int
    holder: str = ""


AnyEvent = (
    Configured | Submitted | Eligible | Started | Launched | LaunchFailed | BatchExited | AllocationRelinquished | NodeFreed | Warned
    | Stopped | TimedOut | DeadlinePassed | Cancelled | Held | Released | Requeued | JobUpdated | StepCreated | StepEnding | StepExited
    | NodeRegistered | NodeLost | NodeReturned | NodeFenced | ProofWaived | NodeSilent | NodeUpdated | PartitionUpdated | Purged
    | NumberingContinued | RecordsMissed | PolicyChanged | Accrued | UsagePeriodEnded | ReservationCreated | ReservationUpdated
    | ReservationBegun | ReservationEnded | Prepared | PreparationFailed | EpilogEnded | CronPlanned | CrontabReplaced | TriggerSet
    | TriggersCleared | TriggerPulled | TriggerDone | PartitionCreated | PartitionDeleted | NodesCreated | NodesDeleted | PowerChanged
    | ResumeFailed | RebootAsked | RebootIssued | RebootCancelled | ClockSet | Suspended | Resumed | Preempted | PromiseEnded | GraceEnded
    | JobShrunk | EpochStarted
)


class Caller(msgspec.Struct, frozen=True):
    """Who makes a request, as the kernel or a credential vouches for; never what a client wrote down.

    `unelevated`: a compute node speaks for him, so that AdminLevel and accounts that he coordinates do not count.
    """

    uid: Uid
    gid: Gid
    user: str
    group: str = ""
    groups: tuple[str, ...] = ()  # names, for AllowGroups
    host: str = ""
    unelevated: bool = False
