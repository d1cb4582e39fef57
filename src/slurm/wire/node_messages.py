"""THE protocol between slurmd and slurmctld, MessagePack on one connection that slurmd keeps open; and what srun asks of slurmd.

Reports (what slurmd tells: BatchLaunched, LaunchRefused, StepEnded, JobGone) carry `serial`, a number that grows per slurmd; slurmd keeps
each on disk and repeats it after a reconnection until slurmctld acknowledges it with Acknowledged, which it does once the
event is in its journal. Orders (what slurmctld sends) may come twice: slurmd answers a repeated order with the same report.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.accounting import Amount, Usage
from slurm.model.bounds import (
    Arguments,
    Attempt,
    Count,
    Environment,
    JobNumber,
    Many,
    Memory,
    Moment,
    Name,
    Note,
    Path,
    Real,
    Status,
    StepNumber,
    Text,
    UserId,
    Variables,
    Whole,
    Word,
)
from slurm.model.cpu_set import NOTHING
from slurm.model.node import Cpus, GresPool
from slurm.model.request import Binding, Limits, Umask
from slurm.wire.messages import Failure, Message
from slurm.wire.output_messages import FileRead, ReadFile
from slurm.wire.relay_messages import ChannelData, ChannelGrant, CloseChannel, FromRelay
from slurm.wire.standby_messages import FromStandby

Port = Annotated[int, Whole(0, 65_535)]
Pids = Annotated[list[tuple[Annotated[int, Whole(1, 2**31 - 1)], Annotated[int, Whole(-1, 2**31 - 1)]]], Many(4_096)]
MOST_STEPS = 4_096
EVERY_STEP = -1
WantedSteps = Annotated[list[tuple[JobNumber, Attempt, StepNumber]], Many(MOST_STEPS)]
Sampling = Annotated[int, Whole(-1, 10**7)]
Serial = Annotated[int, Whole(0, 2**53)]
Epoch = Annotated[int, Whole(0, 2**53)]
Load = Annotated[float, Real(0, 1e6)]
Sentence = Annotated[str, Text(65_536, plain=False)]
Signed = Annotated[str, Text(4 * 1024 * 1024)]
Ranks = Annotated[list[Count], Many(65_536)]
Limit = Annotated[str, Text(words=("", "timeout", "lease"))]
Lines = Annotated[int, Whole(0, 65_535)]
TaskEnvironments = Annotated[list[Environment], Many(65_536)]
Programs = Annotated[list[Arguments], Many(65_536)]
Pools = Annotated[list[GresPool], Many(1_000)]
Mark = Annotated[str, Text(4_300)]
Wait = Annotated[int, Whole(0, 2**31 - 1)]
Beat = Annotated[float, Real(0.01, 86_400)]
TimeLeft = Annotated[float, Real(-1e12, 1e12)]
SignalNumber = Annotated[int, Whole(0, 64)]
Key = Annotated[bytes, Text(32)]
Script = Annotated[str, Text(64 * 1024 * 1024, plain=False)]
Expanded = Annotated[str, Text(65_536)]
"""A path whose patterns were expanded: what is too long for Linux is told by the step."""
WholeEnvironment = Annotated[dict[str, str], Variables(entries=65_536, most=8 * 1024 * 1024, longest=4 * 1024 * 1024)]
"""What the submitter sent within its bounds, and SLURM_* variables: what is too long for Linux is told by the step."""
NodeList = Annotated[list[Name], Many(65_536)]
Devices = Annotated[list[Path], Many(65_536)]
Attempts = Annotated[list[tuple[JobNumber, Attempt]], Many(100_000)]


CpuDistribution = Annotated[str, Text(words=("", "block", "cyclic", "fcyclic"))]
Cookie = Annotated[str, Text(64)]
Screen = Annotated[int, Whole(0, 999)]
MpiType = Annotated[str, Text(words=("", "pmi2", "pmix"))]
Places = Annotated[list[tuple[Name, Annotated[str, Text(1_048_576)]]], Many(65_536)]


class Holding(msgspec.Struct):
    """A step that slurmd has on its node, running or ended but not yet acknowledged."""

    job: JobNumber
    attempt: Attempt
    step: StepNumber
    running: bool = True


Holdings = Annotated[list[Holding], Many(100_000)]


class RegisterNode(Message):
    """First message of a slurmd → NodeAccepted or Failure. Memory and disk MB."""

    node: Name
    cpus: Count
    boards: Count
    sockets: Count
    cores_per_socket: Count
    threads_per_core: Count
    memory: Memory
    tmp_disk: Memory
    arch: Name
    os: Name
    version: Name
    boot_time: Moment
    slurmd_start_time: Moment
    endpoint: Path  # "unix:/path" or "tcp://host:port" where srun reaches this slurmd
    hostname: Name
    port: Port
    gres: Pools | None = None
    holdings: Holdings = []
    boot_id: Name = ""  # /proc/sys/kernel/random/boot_id; "": not known
    line: Expanded = ""  # the NodeName line by which a slurmd -Z has itself made
    beside: Mark = ""  # net.endpoint.mark_of its unix socket, by which a srun on the same machine knows that it is


class Order(Message, kw_only=True):
    """What a slurmctld tells a node to do, in its term as the leader: a node that knows a later term refuses it (core.events.EpochStarted).

    `epoch` 0: of a slurmctld that counts no terms.
    """

    epoch: Epoch = 0


class NodeAccepted(Order):
    """slurmctld knows this node. `unknown`: (job, attempt) pairs to end without report; `kill_wait` seconds; `heartbeat` seconds."""

    kill_wait: Wait
    heartbeat: Beat
    step_key: Key = b""  # public half of the Ed25519 key that signs step credentials
    now: Moment = 0.0  # slurmctld's clock, by which credentials expire
    unknown: Attempts = []
    cluster_name: Name = ""
    state: Name = ""  # names slurmctld's journal: epochs of two journals are not compared


class Overruled(Message):
    """An order was refused: its slurmctld leads no more, another one does, in term `epoch` of the journal `state`."""

    epoch: Epoch
    state: Name = ""


class Heartbeat(Message):
    """slurmd lives → Alive. Load as os.getloadavg()[0], memory MB."""

    load: Load
    free_memory: Memory


class Alive(Order):
    """So does slurmctld; `now` is what its clock shows."""

    now: Moment = 0.0


class Acknowledged(Order):
    """The report with this serial is in the journal."""

    serial: Serial


class LaunchBatch(Order):
    """Run a batch script → BatchLaunched or LaunchRefused. `environment` is complete: the submitter's plus SLURM_*."""

    job: JobNumber
    attempt: Attempt
    shown_id: Name
    uid: UserId
    gid: UserId
    user: Name
    script: Script
    argv: Arguments
    environment: WholeEnvironment
    work_dir: Path
    stdin: Expanded  # paths with % patterns already expanded, relative to work_dir
    stdout: Expanded
    stderr: Expanded
    append: bool
    umask: Umask
    rlimits: Limits = {}
    cpus: Cpus = NOTHING  # on this node
    memory: Memory = 0  # MB limit, 0 none
    devices: Devices = []  # device files of its GRES
    job_nodes: NodeList = []
    kill_wait: Wait = 30
    time_left: TimeLeft = -1.0  # seconds until the time limit, at which the node ends it by itself; negative: none
    lease: Count = 0  # seconds without a heartbeat after which the node ends it; 0: never
    sampling: Sampling = -1  # seconds from one look at what it uses to the next (--acctg-freq), 0: only at its end, -1: as the node has it
    prolog: Environment = {}  # what Prolog is told of the job


class BatchLaunched(Message):
    """The script of this attempt runs, since the durable record of it was written; `lease` as it was taken up."""

    serial: Serial
    job: JobNumber
    attempt: Attempt
    lease: Count = 0


class LaunchRefused(Message):
    """It cannot run here and nothing of it does; `drain` asks that the node be drained."""

    serial: Serial
    job: JobNumber
    attempt: Attempt
    why: Sentence
    drain: bool = False


class StepEnded(Message):
    """All tasks of a step on this node ended; step -5 is the batch script. `usage`: what they used; None: nothing was measured.

    `why`: a sentence for the job's owner; `began` False: it could not run. `drain`: why the node must be drained, "" when it need not.
    """

    serial: Serial
    job: JobNumber
    attempt: Attempt
    step: StepNumber
    status: Status
    oom: bool = False
    why: Sentence = ""
    began: bool = True
    drain: Sentence = ""
    limit: Limit = ""  # timeout | lease: its slurmstepd ended it for that by itself
    usage: Usage | None = None


class JobGone(Message):
    """Answer to TerminateJob: no process of this attempt is left here, and its Epilog has run.

    `drain`: why the node must be drained, "" when it need not.
    """

    serial: Serial
    job: JobNumber
    attempt: Attempt
    drain: Sentence = ""


class ExternStep(msgspec.Struct, kw_only=True):
    """What a node needs to hold the extern step of a job (PrologFlags=Contain); fields as in LaunchBatch."""

    uid: UserId
    gid: UserId
    user: Name
    cpus: Cpus = NOTHING
    memory: Memory = 0
    devices: Devices = []
    kill_wait: Wait = 30
    time_left: TimeLeft = -1.0
    lease: Count = 0
    sampling: Sampling = -1


class PrepareJob(Order):
    """Run the Prolog of this attempt, then begin its extern step where it has one → JobPrepared."""

    job: JobNumber
    attempt: Attempt
    prolog: Environment = {}
    extern: ExternStep | None = None


class CheckHealth(Order):
    """Run HealthCheckProgram."""


class RebootNode(Order):
    """Run RebootProgram: nothing runs there."""


class JobPrepared(Message):
    """The Prolog of this attempt has run here; `failed` says how it failed, "" when it did not.

    A failure is told without being asked for.
    """

    serial: Serial
    job: JobNumber
    attempt: Attempt
    failed: Sentence = ""


class TerminateJob(Order):
    """End every process of this attempt here; `why` as in core.effects.Terminate, `message` the line for the job's error file."""

    job: JobNumber
    attempt: Attempt
    why: Word
    kill_wait: Wait
    at: Moment = 0.0
    epilog: Environment = {}  # what Epilog is told of the job


class LimitJob(Order):
    """The time limit of an attempt is so many seconds away; negative: it has none."""

    job: JobNumber
    attempt: Attempt
    time_left: TimeLeft


class SuspendJob(Order):
    """The processes of an attempt are to hold still (after SIGTSTP and `grace` seconds), or to go on. The latest one counts."""

    job: JobNumber
    attempt: Attempt
    suspended: bool
    grace: Wait = 2


class SignalJob(Order):
    """Send a signal; see core.effects.Signal. step None: all steps but the batch shell."""

    job: JobNumber
    attempt: Attempt
    signal: SignalNumber
    step: StepNumber | None = None
    batch: bool = False
    full: bool = False
    number: Serial = 0  # to be confirmed by SignalTaken; a number that came before is confirmed again and does nothing


class NotifyJob(Message):
    """Write a line into the error file of a job's batch script, if it runs; as it is lost when it does not arrive, it is sent once."""

    job: JobNumber
    attempt: Attempt
    text: Note


class SignalTaken(Message):
    """A signal was sent to what it was for, or nothing of that is left here."""

    number: Serial


class AskUsage(Message):
    """What do these steps use now? → UsageTold, soon.

    `wanted` are (job, attempt, step), step EVERY_STEP for every step of the attempt that runs here.
    """

    number: Serial
    wanted: WantedSteps
    pids: bool = False


class StepNow(msgspec.Struct, kw_only=True):
    """What a running step uses on this node; `memory` bytes that it holds now, `pids` its processes, each with the rank of the task that it
    is, or -1."""

    job: JobNumber
    attempt: Attempt
    step: StepNumber
    usage: Usage | None = None
    memory: Amount = 0
    pids: Pids = []


StepsNow = Annotated[list[StepNow], Many(MOST_STEPS)]


class UsageTold(Message):
    """Answer to AskUsage; steps whose slurmstepd did not answer are left out."""

    number: Serial
    steps: StepsNow = []


class LostDevice(msgspec.Struct, kw_only=True):
    """A device of the node that is lost: of which GRES, its index there, and how that shows."""

    name: Name
    index: Count
    why: Note


class DevicesLost(Message):
    """Which devices of the node are lost now: said when that changes, and after each registration where there are any."""

    lost: Annotated[list[LostDevice], Many(65_536)] = []


class TerminateStep(Order):
    """End one step's processes here."""

    job: JobNumber
    attempt: Attempt
    step: StepNumber
    why: Word
    kill_wait: Wait


class ShutdownNode(Order):
    """slurmd, stop; steps go on."""


class ReconfigureNode(Order):
    """slurmd, read your configuration again; `kill_wait` and `heartbeat` as in NodeAccepted."""

    kill_wait: Wait
    heartbeat: Beat


class LaunchStep(Message):
    """srun → slurmd, first message of its connection: run these tasks. On a unix socket the connection carries wire.step_io frames with
    stepd afterwards; over TLS a StepTicket is the answer. A step_io frame as answer tells what came of a step that was begun before.

    `ranks` are this node's global ranks. Paths with patterns expand per task in stepd; "" in stdout/stderr: to srun. `stdin`: "all" (every
    task), "none", a rank as text, or a path.
    """

    credential: Signed
    ranks: Ranks
    node_rank: Count
    ntasks: Count
    argv: Arguments
    environment: Environment
    work_dir: Path
    stdin: Path = "all"
    stdout: Path = ""
    stderr: Path = ""
    append: bool = False
    umask: Umask = 0o022
    rlimits: Limits = {}
    pty: bool = False
    rows: Lines = 24
    cols: Lines = 80
    task_environment: TaskEnvironments = []  # per rank of this node, over `environment`
    multi_prog: Programs = []  # per rank of this node, its own argv
    kill_on_bad_exit: bool = False
    task_prolog: Path = ""  # a program that is run before each task, as its user
    task_epilog: Path = ""
    gpu_bind: Binding = ""  # notation.gpu_bind: which of the step's GPUs here each task sees
    cpu_bind: Binding = ""  # notation.cpu_bind
    cpus_per_task: Count = 0
    threads_per_core: Count = 0  # of the threads of each core so many are used, 0: all
    distribution: CpuDistribution = ""  # of CPUs over sockets: block, cyclic, fcyclic
    mpi: MpiType = ""  # what the tasks may ask their slurmstepd when they begin MPI
    places: Places = []  # with `mpi`: each node of the step with its ranks, as "0-3,8"
    wait_for_children: bool = False  # processes that tasks leave are not ended with them: the step lasts until they are gone
    x11_cookie: Cookie = ""  # in hexadecimal digits, what X clients of this node show; "": they are not forwarded
    x11_screen: Screen = 0


class AttachStep(Message):
    """sattach → slurmd, first message of its connection: show this step.

    What follows is as after LaunchStep; input goes to its tasks too. `credential`: what slurmctld gave for it, for
    who comes from another machine.
    """

    job: JobNumber
    attempt: Attempt
    step: StepNumber
    credential: Signed = ""


class StepTicket(Message):
    """slurmd → srun or sattach over TLS: the step begins when a second connection comes to the same port, soon, that begins with
    wire.step_io.ticket(ticket).

    After the ticket follows the TLS handshake with the node's slurmstepd. `ticket` in hexadecimal digits; it is good once.
    """

    ticket: str


FromNode = (
    RegisterNode | Heartbeat | JobPrepared | BatchLaunched | LaunchRefused | StepEnded | JobGone | SignalTaken | UsageTold | Overruled
    | FromRelay | FromStandby | FileRead | DevicesLost
)
ToNode = (
    NodeAccepted | Alive | Acknowledged | LaunchBatch | PrepareJob | CheckHealth | RebootNode | TerminateJob | LimitJob | SuspendJob
    | SignalJob | NotifyJob | TerminateStep
    | AskUsage | ReadFile | ShutdownNode | ReconfigureNode | Failure | ChannelData | ChannelGrant | CloseChannel
)
