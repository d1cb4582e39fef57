"""THE protocol between commands and slurmctld: every request with its replies.

Commands send JSON objects {"type": "SubmitJob", ...} (they do not import this module: it needs msgspec); slurmctld decodes them into
these structs. A reply is {"type": "Submitted", ...} or {"type": "Failure", ...}. What slurmd speaks is in wire.node_messages.
New fields have defaults. What a field may hold stands in its type (model.bounds); who the caller is, net establishes (wire.credentials).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model import bounds
from slurm.model.accounting import Tres, Usage
from slurm.model.bounds import (
    Arguments,
    Count,
    Hosts,
    JobNumber,
    JobText,
    Many,
    Moment,
    Name,
    Real,
    Seconds,
    Status,
    StepNumber,
    Whole,
    Word,
)
from slurm.model.errors import SlurmError, describe
from slurm.model.priority import JobPriority, ShareNow
from slurm.model.request import AdminNote, BatchPayload, Components, JobRequest, StepParts, StepRequest
from slurm.model.statistics import Statistics
from slurm.wire.certificate_messages import Certified as Certified
from slurm.wire.certificate_messages import CertifyDaemon as CertifyDaemon
from slurm.wire.certificate_messages import CertifyUser as CertifyUser
from slurm.wire.crontab_messages import CrontabRead, CrontabWritten, ReadCrontab, WriteCrontab
from slurm.wire.follow_messages import Changed as Changed
from slurm.wire.follow_messages import Feed, Follow, ReadMetrics, ReadRights, RecordsListed, RightsRead
from slurm.wire.follow_messages import WatchEvents as WatchEvents
from slurm.wire.history_messages import HistoryRead, ReadHistory
from slurm.wire.message import Changes
from slurm.wire.message import Message as Message
from slurm.wire.node_changes import CreateNodes, CreatePartition, DeleteNodes, DeletePartition, RebootNodes
from slurm.wire.operation_messages import MoveToTop, NotifyJob, ResumeJobs, SetDebug, SuspendJobs, Takeover
from slurm.wire.output_messages import OutputRead as OutputRead
from slurm.wire.output_messages import ReadOutput as ReadOutput
from slurm.wire.plan_messages import Explained as Explained
from slurm.wire.plan_messages import ExplainJob as ExplainJob
from slurm.wire.plan_messages import PlanRead, ReadPlan
from slurm.wire.reservation_messages import CreateReservation, DeleteReservation, ReservationMade, UpdateReservation
from slurm.wire.step_layout import FindStep, StepFound
from slurm.wire.step_layout import TaskLayout as TaskLayout
from slurm.wire.token_messages import ActAs, ActingAs, TokenText
from slurm.wire.token_messages import MakeToken as MakeToken
from slurm.wire.token_messages import UserToken as UserToken
from slurm.wire.trigger_messages import ClearTriggers, ListTriggers, SetTrigger, TriggerMade, TriggersListed

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What a decoder raises for bytes that are no message: malformed, not UTF-8, nested without end."""

RequestKey = Annotated[str, bounds.Text(64)]
Signal = Annotated[int, Whole(0, 64)]
JobTexts = Annotated[list[JobText], Many(10_000)]
JobNumbers = Annotated[list[JobNumber], Many(10_000)]
Names = Annotated[list[Name], Many(1_000)]
Words = Annotated[list[Word], Many(100)]
NodeNames = Annotated[list[Name], Many(65_536)]
Entities = Annotated[list[Hosts], Many(1_000)]
"""Names of jobs, nodes or partitions; host lists among them."""
Fields = Annotated[list[Word], Many(128)]
"""Columns of a table."""
TimeFormat = Annotated[str, bounds.Text(128)]
Told = Annotated[str, bounds.Text(1024 * 1024, plain=False)]
ToldLines = Annotated[list[Told], Many(10_000)]
Patience = Annotated[float, Real(0, 86_400)]


class Hello(Message):
    """First message on a TCP connection: a token (wire.credentials) that says who calls. On a unix socket the kernel says it. No reply."""

    token: TokenText = ""


class Welcome(Message):
    """What answers a Hello where both sides prove themselves by MUNGE: the server's credential (net.munge_proof)."""

    token: str


class Failure(Message):
    """The request was refused; fields as `model.errors.describe` gives them."""

    kind: Word
    name: Name
    message: Told
    hints: ToldLines = []
    preface: ToldLines = []  # lines printed before it, each as an error of its own


def failure(error: SlurmError) -> Failure:
    """The reply that carries an error."""
    return msgspec.convert(describe(error), Failure)


class Done(Message, omit_defaults=False):
    """The request was carried out; `lines` are for standard error, warnings of ours; `sizes`: variables of a job that gave nodes back."""

    lines: list[str] = []
    sizes: dict[str, str] = {}


class Text(Message, omit_defaults=False):
    """Finished text for standard output, exit status with it."""

    text: str = ""
    errors: list[str] = []
    exit_code: int = 0
    unchanged: bool = False  # nothing has changed since Describe.since: there is no text
    version: str = ""  # of what Describe.unless is for: the same text has the same


class Rows(Message, omit_defaults=False):
    """A table: one list of cell texts a row, in the order of the fields asked for."""

    rows: list[list[str]] = []
    total: int = 0  # of ListJobs: how many there are, whatever part was asked for


# --- submission -------------------------------------------------------------------------------------------------------


class SubmitJob(Message):
    """Queue a batch job or array → Submitted. A request with the `key` of an earlier one of this user is answered with the job that one
    made.

    `components`: what the other components of a heterogeneous job ask for; the script runs in the first one, which `request` asks for.
    """

    request: JobRequest
    payload: BatchPayload
    key: RequestKey = ""
    components: Components = []
    user: Name = ""  # as whom, name or uid, and of which group: for root
    group: Name = ""


class Submitted(Message):
    """The job is on disk. `warnings` are lines for standard error (it can never start …)."""

    job_id: int
    warnings: list[str] = []


class TestJob(Message):
    """--test-only: when would it start? → WillRun."""

    request: JobRequest


class WillRun(Message):
    """`sbatch: Job 61 to start at … a using 1 processors on nodes cn01 in partition debug`; start 0: not within the window."""

    job_id: int
    start: float
    processors: int
    nodes: str
    partition: str


class AllocateJob(Message):
    """salloc, srun outside a job → Pending (at once, when it has to wait), then Granted on the same connection.

    While the connection is open the controller holds the allocation for it; when it breaks the client has 60 s to come back with
    AttachAllocation, else the job is cancelled. A client that goes away in order sends Relinquish. `key` and `components` as in SubmitJob.
    """

    request: JobRequest
    key: RequestKey = ""
    components: Components = []


class AttachAllocation(Message):
    """A client that lost its connection takes its allocation up again → Pending or Granted."""

    job_id: JobNumber


class Pending(Message):
    """Queued; `notes` are lines for standard error ("Requested partition configuration not available now")."""

    job_id: int
    notes: list[str] = []


class Notified(Message):
    """Somebody who may says something to the holder of an allocation (scontrol notify)."""

    text: str


class Granted(Message):
    """Resources are given. `environment` holds the SLURM_* variables of the allocation."""

    job_id: int
    nodes: str
    node_names: list[str]
    cpus_per_node: str  # "4(x2)"
    tasks_per_node: str
    partition: str
    environment: dict[str, str] = {}
    time_limit: int = -1
    waited: bool = False
    components: list[Granted] = []  # of a heterogeneous job: each of its components, the first one too


class JobEnded(Message):
    """Pushed to whoever holds or watches an allocation or job: it has ended."""

    job_id: int
    state: str
    exit_status: int = 0
    derived_status: int = 0
    reason: str = ""


class Relinquish(Message):
    """Give an allocation back with a final wait status → Done."""

    job_id: JobNumber
    status: Status = 0


class WaitJob(Message):
    """sbatch -W: answers JobEnded when the job (all tasks of an array) has ended; exit status the highest among tasks."""

    job_id: JobNumber


class WaitReady(Message):
    """scontrol wait_job → Done when its nodes are ready, Failure when it ended."""

    job_id: JobNumber


# --- steps ------------------------------------------------------------------------------------------------------------


class CreateStep(Message):
    """srun inside an allocation → StepGranted, or Failure (NotNow: resources busy; srun retries when `immediate` is 0).

    A step over several components has the same number in each; it is made whole or not at all.
    """

    job_id: JobNumber
    request: StepRequest
    het_group: Count | None = None  # the component of heterogeneous job `job_id`; None: the job of that number itself
    components: StepParts = []  # for a step over several components: the others


class StepGranted(Message):
    """A step; `credential` goes to each slurmd with LaunchStep."""

    job_id: int
    attempt: int
    step_id: int
    layout: list[TaskLayout]
    credential: str
    environment: dict[str, str] = {}
    time_limit: int = -1
    kill_wait: int = 30  # seconds, for what srun says when the step is ended
    components: list[StepGranted] = []  # of a step over several components: those of the others, whose ranks follow


class FinishStep(Message):
    """srun says that the step's tasks all ended or could not start → Done; slurmd's own reports come first when nodes live."""

    job_id: JobNumber
    step_id: StepNumber
    status: Status = 0


# --- control ----------------------------------------------------------------------------------------------------------


class JobFilter(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Which jobs; empty lists: any. `ids` as written: "12", "12_3", "12_[1-3]", "12.0"."""

    ids: JobTexts = []
    users: Names = []  # names or uids
    accounts: Names = []
    partitions: Names = []
    names: Names = []
    states: Words = []  # words of states.STATE_NAMES; squeue's default is pending, running, suspended, completing
    qos: Names = []
    reservations: Names = []
    licenses: Names = []
    nodes: NodeNames = []  # expanded host names
    wckeys: Names = []
    mine: bool = False
    not_mine: bool = False
    running_over: Seconds = -1  # seconds a running job must have run for at least, -1: any
    running_under: Seconds = -1  # … at most
    visible_only: bool = False  # no jobs of hidden partitions
    all_states: bool = False


class CancelJobs(Message):
    """scancel → Cancelled. `signal` 0: end them; `steps` as "12.0". Jobs the caller has no right to come back as errors."""

    filter: JobFilter
    signal: Signal = 0
    batch: bool = False
    full: bool = False
    hurry: bool = False
    admin_comment: AdminNote = ""  # for operators
    cron: bool = False  # jobs of scrontab too, where ScronParameters=explicit_scancel keeps them


class Cancelled(Message):
    """What scancel reports: ids acted on (for -v), and "id: message" refusals with Slurm's error name."""

    done: list[str] = []
    refused: list[tuple[str, str, str]] = []  # id, error name, message
    unknown: list[str] = []


class UpdateJob(Message):
    """scontrol update jobid=: keys as Slurm spells them (options.table knows them) with their texts → Done."""

    ids: JobText
    changes: Changes


class HoldJobs(Message):
    """scontrol hold/uhold → Done."""

    ids: JobTexts
    user: bool = False


class ReleaseJobs(Message):
    """scontrol release → Done."""

    ids: JobTexts


class RequeueJobs(Message):
    """scontrol requeue / requeuehold → Done. `special`: held as SPECIAL_EXIT."""

    ids: JobTexts
    hold: bool = False
    special: bool = False


class UpdateNode(Message):
    """scontrol update nodename= → Done."""

    nodes: Hosts
    changes: Changes


class UpdatePartition(Message):
    """scontrol update partitionname= → Done."""

    name: Name
    changes: Changes


class Ping(Message):
    """scontrol ping → Pong."""


class ReadStatistics(Message):
    """How busy slurmctld was → StatisticsRead. `reset`: an operator has them begin again at nothing."""

    reset: bool = False


class StatisticsRead(Message):
    """The counters, as they were before a reset."""

    statistics: Statistics
    trouble: str = ""  # as Pong has it


class ControllerSeen(msgspec.Struct):
    """One slurmctld of slurm.conf; `mode`: primary, backup, or backup1 and so on. `up`: it leads or stands by."""

    host: str
    mode: str
    up: bool = True


class Pong(Message):
    """Who answers."""

    host: str
    mode: str = "primary"
    version: str = ""
    release: str = ""  # of slurm-py; "" of those before it said so
    pid: int = 0
    started: float = 0.0
    trouble: str = ""  # what an operator should know at once, a sentence
    leads: bool = True  # False: it stands by
    controllers: list[ControllerSeen] = []  # all of them, by rank, where there are several


class Reconfigure(Message):
    """scontrol reconfigure → Done."""


class Shutdown(Message):
    """scontrol shutdown [slurmctld|controller] → Done; slurmds too unless `controller_only`."""

    controller_only: bool = False


class Quiesce(Message):
    """Start no job for so many seconds, since an orderly end of the cluster follows (`slurm down`) → Done."""

    seconds: Patience


class BatchScript(Message):
    """scontrol write batch_script → Text."""

    job_id: JobText


# --- looking ----------------------------------------------------------------------------------------------------------


class ListJobs(Message):
    """squeue → Rows of the named fields (names of render.fields), filtered and sorted by the controller.

    Of them `most` (0: all) from number `first` on.
    """

    fields: Fields
    filter: JobFilter = msgspec.field(default_factory=JobFilter)
    sort: Name = ""  # as squeue -S
    expand_arrays: bool = False  # -r
    steps: bool = False  # -s: rows are steps
    start: bool = False  # --start
    per_partition: bool = False  # -P
    array_length: Count = 64  # SLURM_BITSTR_LEN: longest list of array task ids, 0: whole
    time_format: TimeFormat = ""  # SLURM_TIME_FORMAT
    convert: bool = True  # False: --noconvert
    first: Count = 0
    most: Count = 0
    at: Moment = 0.0  # --at: as it was then, 0: now


class ListNodes(Message):
    """sinfo → Rows; lines are grouped by equal fields unless `by_node`."""

    fields: Fields
    partitions: Names = []
    nodes: NodeNames = []
    states: Words = []
    by_node: bool = False
    exact: bool = False
    responding: bool | None = None
    sort: Name = ""
    reasons: bool = False
    show_hidden: bool = False
    summarize: bool = False
    time_format: TimeFormat = ""  # SLURM_TIME_FORMAT
    convert: bool = True  # False: --noconvert


class ListRecords(Message):
    """Some fields of jobs (render.feed.JOB), as Slurm's JSON has them → RecordsListed.

    `unless`: what that said when it was asked before.
    """

    fields: Fields
    filter: JobFilter = msgspec.field(default_factory=JobFilter)
    unless: Name = ""


class Describe(Message):
    """scontrol show, and --json of squeue, sinfo, scontrol → Text.

    `what`: job | step | node | partition | config | daemons | jobs_json | nodes_json | partitions_json | sinfo_json …
    """

    what: Word
    names: Entities = []
    detail: bool = False
    oneline: bool = False
    format: Word = ""  # "" | json | yaml
    filter: JobFilter | None = None
    arguments: Arguments = []  # the command's own argument list, for the "meta" part of JSON
    array_length: Count = 64  # SLURM_BITSTR_LEN: longest list of array task ids, 0: whole
    time_format: TimeFormat = ""  # SLURM_TIME_FORMAT
    hidden: bool | None = None  # hidden partitions too; None: for root
    future: bool = False  # nodes in state FUTURE too
    since: Moment = 0.0  # of jobs and partitions: only if one of them has changed after this moment; 0: whatever has happened
    unless: Name = ""  # … only if Text.version is another one now


class FindUsage(Message):
    """sstat, scontrol listpids, slurm top: what running steps use now → UsageFound. `ids` as "12", "12_3", "12.0", "12.batch"; []: every
    running job of the caller's, an operator's: of anybody. Others' jobs are refused. `nodes`: only what runs on these; []: wherever it
    runs."""

    ids: JobTexts = []
    nodes: NodeNames = []
    pids: bool = False


class StepProcess(msgspec.Struct, frozen=True):
    """A process of a step; `task` is the rank of the task that began with it, -1 for those that tasks started."""

    node: str
    pid: int
    task: int
    local: int = -1  # the task's number on its node


class RunningStep(msgspec.Struct, kw_only=True):
    """A step that runs, what it has used on all of its nodes that answered (None: none did), and the bytes that it holds now."""

    job_id: int
    step: str  # "86.batch", "88_1.0"
    nodes: str
    ntasks: int
    usage: Usage | None = None
    memory: int = 0
    allocated: Tres = {}
    pids: list[StepProcess] = []
    silent: str = ""  # its nodes that did not answer in time
    sluid: str = ""  # of its job
    job_memory: int = 0  # MB that its job has on all of its nodes, 0 where memory is not given out


class UsageFound(Message, omit_defaults=False):
    """Steps in order of their jobs; `refused` as in Cancelled."""

    steps: list[RunningStep] = []
    refused: list[tuple[str, str, str]] = []  # what was asked for, error name, message


class ListShares(Message):
    """sshare → SharesListed. `users`, `accounts`: associations of these only, empty: of all; accounts themselves are always among them."""

    users: Names = []
    accounts: Names = []


class SharesListed(Message):
    """Parents before those below them, users before accounts."""

    cluster: str
    shares: list[ShareNow] = []
    tres: list[str] = []  # the cluster's, in order


class ListPriorities(Message):
    """sprio → PrioritiesListed: of jobs that wait. Empty lists: of all."""

    jobs: JobTexts = []
    users: Names = []
    partitions: Names = []


class PrioritiesListed(Message):
    """By ids. `weights` by factor: age, assoc, fairshare, jobsize, partition, qos; `tres_weights` by TRES. `type`: PriorityType."""

    cluster: str
    priority_type: str
    jobs: list[JobPriority] = []
    weights: dict[str, int] = {}
    tres_weights: dict[str, float] = {}


Request = (
    SubmitJob | TestJob | AllocateJob | AttachAllocation | Relinquish | WaitJob | WaitReady | CreateStep | CertifyUser | CertifyDaemon
    | ReadPlan | ReadHistory
    | FinishStep | CancelJobs | UpdateJob | HoldJobs | ReleaseJobs | RequeueJobs | SuspendJobs | ResumeJobs | NotifyJob | UpdateNode
    | UpdatePartition | CreateReservation
    | UpdateReservation | DeleteReservation | Ping | MakeToken | ActAs | Reconfigure | Shutdown | Quiesce | BatchScript | ListJobs
    | ListNodes | Describe | FindUsage | ExplainJob | WatchEvents | ReadStatistics | ListShares | ListPriorities | ReadCrontab
    | WriteCrontab | FindStep | SetTrigger | ListTriggers | ClearTriggers | MoveToTop | SetDebug | Takeover | ReadRights | Follow | ReadMetrics
    | ListRecords | ReadOutput | CreateNodes | DeleteNodes | CreatePartition | DeletePartition | RebootNodes
)
Reply = (
    Failure | PlanRead | HistoryRead
    | Done | Text | Rows | Submitted | WillRun | Pending | Granted | JobEnded | StepGranted | Certified | Welcome | Cancelled
    | Pong | UserToken | ActingAs | Changed | Explained | CrontabRead | CrontabWritten | StepFound | TriggerMade | TriggersListed
    | ReservationMade | UsageFound | StatisticsRead | SharesListed | PrioritiesListed | RightsRead | Feed
    | RecordsListed | OutputRead
)
