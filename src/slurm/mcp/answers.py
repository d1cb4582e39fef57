"""What the tools answer: one model a kind of answer, from which the tools' output schemas are made."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from slurm.model.explanation import Explanation
from slurm.notation import moment
from slurm.render.explanation import lines
from slurm.sdk.following.inspection import JobRecord, NodeRow, PartitionRow, QueueRow
from slurm.sdk.following.past import Ending


class JobLine(BaseModel):
    """A job in the queue, or those elements of an array that wait still."""

    job_id: str = Field(description='"12", "12_3" for an element of an array, "12_[4-9]" for elements that wait')
    name: str
    user: str
    state: str = Field(description="Slurm's word: PENDING, RUNNING, COMPLETED, FAILED, CANCELLED, TIMEOUT, OUT_OF_MEMORY …")
    partition: str
    elements: int = Field(description="how many jobs this line stands for")
    nodes: int
    cpus: int
    nodelist: str = Field(description="where it runs; empty while it waits")
    elapsed: str = Field(description="[days-]hours:minutes:seconds")
    time_limit: str
    reason: str = Field(description="Slurm's word for why it waits or ended, empty when there is nothing to say")
    why: str = Field(description="the reason in plain words")


class JobList(BaseModel):
    """Jobs, the newest last; `total` of them match, `jobs` are some of these from `offset` on."""

    jobs: list[JobLine]
    total: int
    offset: int
    jobs_by_state: dict[str, int] = Field(description="over all that match, an array's elements counted singly")


class JobDetails(BaseModel):
    """All that the cluster knows of one job."""

    job_id: str
    name: str
    user: str
    account: str
    state: str
    reason: str
    why: str = Field(description="why it waits, or how it ended, in plain words")
    exit_code: str = Field(description='"code:signal"; "0:0" is success')
    partition: str
    qos: str
    nodes: int
    cpus: int
    nodelist: str
    requested: str = Field(description="resources that it asked for, such as cpu=4,mem=8G,node=1")
    allocated: str = Field(description="resources that it has or had")
    dependency: str
    submitted: str
    started: str = Field(description="for a job that waits: when it is expected to start, if the cluster says so")
    ended: str = Field(description="for a job that runs: when its time limit ends it")
    elapsed: str
    time_limit: str
    command: str
    working_directory: str
    stdout: str
    stderr: str
    source: Literal["controller", "accounting"] = Field(description="accounting knows less: of jobs that the controller has forgotten")


class Jobs(BaseModel):
    """One job, or the elements of an array: those that have begun, then those that wait."""

    jobs: list[JobDetails]
    total: int


class Explained(BaseModel):
    """Why a job waits, what would start it and when."""

    job_id: str
    state: str
    reason: str = Field(description="Slurm's word for why it waits")
    explanation: list[str] = Field(description="all there is to say, in plain sentences; lines that begin with blanks belong to the one "
                                               "above them")
    jobs_before: int = Field(description="jobs that are looked at before it in its partition")
    waits_for_jobs: list[str] = Field(description="jobs that it depends on, and jobs that have to end where it is to start")
    unsuited_nodes: dict[str, str] = Field(description="nodes of its partition that do not come into question, and why")
    expected_start: str = Field(description="empty when it cannot be told")
    expected_nodes: str


def ended(found: Ending) -> Explained:
    """How a job ended, as an answer."""
    return Explained(job_id=found.id, state=found.state, reason=found.reason, explanation=found.lines, jobs_before=0, waits_for_jobs=[],
        unsuited_nodes={}, expected_start="", expected_nodes="")


def past_job(row: JobRecord) -> PastJob:
    """A job of accounting as an answer."""
    return PastJob(
        job_id=row.id, name=row.name, user=row.user, account=row.account, partition=row.partition, state=row.state, exit_code=row.exit_code,
        submitted=row.submit, started=row.start, ended=row.end, elapsed=row.used, time_limit=row.limit, nodes=str(row.nodes), cpus=str(row.cpus),
        requested=row.requested, nodelist=row.nodelist)


def explained(found: Explanation) -> Explained:
    """An explanation as an answer."""
    waits = found.state == "PENDING"
    return Explained(job_id=found.job, state=found.state, reason=found.reason, explanation=lines(found), jobs_before=found.before,
                     waits_for_jobs=list(dict.fromkeys(one.job for one in (*found.waits_for, *found.holders))),
                     unsuited_nodes=dict(found.unsuited),
                     expected_start=moment.show(found.start) if waits and found.start else "", expected_nodes=found.nodes if waits else "")


class PastJob(BaseModel):
    """A job as accounting knows it."""

    job_id: str
    name: str
    user: str
    account: str
    partition: str
    state: str
    exit_code: str
    submitted: str
    started: str
    ended: str
    elapsed: str
    time_limit: str
    nodes: str
    cpus: str
    requested: str = Field(description="resources that it asked for, such as cpu=4,mem=8G,node=1")
    nodelist: str


class PastJobs(BaseModel):
    """Jobs of a time, in order of their submission; `total` of them match, `jobs` are some of these from `offset` on."""

    jobs: list[PastJob]
    total: int
    offset: int
    jobs_by_state: dict[str, int]


class Use(BaseModel):
    """Hours of a resource that an account, or a user in it, had."""

    cluster: str
    account: str
    user: str = Field(description="empty: the whole account, with those below it")
    tres: str = Field(description="cpu, mem (megabytes) or gres/gpu")
    hours: int


class Usage(BaseModel):
    """Who used how much, whole hours as far as they are summed up."""

    used: list[Use]


class Output(BaseModel):
    """Some of what a job has written. To read on, ask again with `offset` = `end`."""

    job_id: str
    path: str
    text: str
    start: int = Field(description="byte of the file where the text begins")
    end: int = Field(description="byte of the file behind the text")
    more: bool = Field(description="whether there was more behind it already")
    state: str = Field(description="how the job stands; what has not ended may write more")
    restarts: int = Field(description="how often it was started anew, which empties the file unless the job appends; while it is PENDING "
                                      "then, the text is that of the run before")


class Submitted(BaseModel):
    """A job that the cluster has accepted and will not lose."""

    job_id: str
    script_path: str
    working_directory: str
    stdout: str
    stderr: str
    state: str
    why: str
    validated: str = Field(default="", description="what the cluster said beforehand: when and where it would start")


class Validated(BaseModel):
    """What the cluster would say to a script; nothing was submitted."""

    valid: bool
    message: str = Field(description="when and where it would start, or why it would be refused")
    hint: str


class JobEnd(BaseModel):
    """How one job, or an element of an array, stands."""

    job_id: str
    state: str = Field(description="UNKNOWN when the cluster has forgotten it")
    exit_code: str = Field(description='"code:signal"; empty while it has not ended, or where nobody remembers')
    successful: bool
    why: str


class Waited(BaseModel):
    """How jobs stand after waiting. `finished` is false when the time was over first: ask again."""

    finished: bool
    waited_seconds: float
    jobs: list[JobEnd]


class Cancelled(BaseModel):
    """What became of one job that was to be cancelled."""

    job_id: str
    result: Literal["cancelled", "ending", "ended", "refused", "unknown"] = Field(
        description="cancelled: it has ended by this; ending: it was told to and has not yet; ended: it had ended by itself; refused; "
                    "unknown: no such job")
    state: str
    message: str


class CancelledJobs(BaseModel):
    """What became of each job, in the order asked for."""

    jobs: list[Cancelled]


class Partition(BaseModel):
    """A partition, the queue that a job is submitted to."""

    name: str
    default: bool
    available: str
    time_limit: str
    nodes: int
    nodes_by_state: dict[str, int]
    cpus: dict[str, int] = Field(description="allocated, idle, other (on nodes that are down), total")
    memory_mb: str = Field(description="of a node; a + where nodes differ")
    gres: str
    nodelist: str


class Partitions(BaseModel):
    """The partitions that the user may see."""

    partitions: list[Partition]


class Node(BaseModel):
    """A node; memory in megabytes."""

    name: str
    state: str
    usable: bool = Field(description="whether jobs may start there")
    partitions: list[str]
    cpus: int
    cpus_allocated: int
    memory_mb: int
    memory_allocated_mb: int
    gpus: int
    gpus_allocated: int
    gpu_type: str
    load: float | None
    features: str
    reason: str = Field(description="why it is down or drained")


class Nodes(BaseModel):
    """Nodes; `total` of them match, `nodes` are the first of these."""

    nodes: list[Node]
    total: int


class Environment(BaseModel):
    """A cluster that a Slurmfile describes. Passwords and the like are not told."""

    name: str
    backend: str
    hostname: str
    current: bool = Field(description="whether it is the one that these tools act on")


class Environments(BaseModel):
    """The environments of the Slurmfile; none when there is no Slurmfile, and the tools act on the cluster of this machine."""

    slurmfile: str
    environments: list[Environment]


class Shares(BaseModel):
    """How much of something is given to jobs, and how much there is."""

    allocated: int
    total: int


class ClusterStatus(BaseModel):
    """The cluster at one glance."""

    backend: str
    user: str = Field(description="as whom jobs are submitted")
    jobs_by_state: dict[str, int]
    own_jobs_by_state: dict[str, int]
    nodes_by_state: dict[str, int]
    unusable_nodes: list[Node]
    cpus: Shares
    memory_mb: Shares
    gpus: Shares
    partitions: list[str]


def job_line(row: QueueRow) -> JobLine:
    """A line of the queue as an answer."""
    return JobLine(job_id=row.id, name=row.name, user=row.user, state=row.state, partition=row.partition, elements=row.tasks,
        nodes=row.nodes, cpus=row.cpus,
                   nodelist=row.nodelist, elapsed=row.used, time_limit=row.limit, reason=row.reason,
                   why=row.why)


def job_details(job: JobRecord, source: Literal["controller", "accounting"] = "controller") -> JobDetails:
    """A record as an answer."""
    return JobDetails(
        job_id=job.id, name=job.name, user=job.user, account=job.account, state=job.state, reason=job.reason,
        why=job.why, exit_code=job.exit_code, partition=job.partition, qos=job.qos,
        nodes=job.nodes, cpus=job.cpus,
        nodelist=job.nodelist, requested=job.requested, allocated=job.allocated, dependency=job.dependency, submitted=job.submit,
        started=job.start, ended=job.end,
        elapsed=job.used, time_limit=job.limit, command=job.command, working_directory=job.work_dir, stdout=job.stdout, stderr=job.stderr,
        source=source)


def partition(row: PartitionRow) -> Partition:
    """A partition as an answer."""
    return Partition(name=row.name, default=row.default, available=row.available, time_limit=row.limit, nodes=row.nodes,
        nodes_by_state=row.states, cpus=row.cpus,
                     memory_mb=row.memory, gres=row.gres, nodelist=row.nodelist)


def node(row: NodeRow) -> Node:
    """A node as an answer."""
    return Node(name=row.name, state=row.state, usable=row.usable, partitions=list(row.partitions), cpus=row.cpus,
        cpus_allocated=row.cpus_allocated,
                memory_mb=row.memory, memory_allocated_mb=row.memory_allocated, gpus=row.gpus, gpus_allocated=row.gpus_allocated,
                gpu_type=row.gpu_type,
                load=row.load, features=row.features, reason=row.reason)
