"""JobRequest: what a submission asks for, one field an option that describes the job.

`options/table.py` sets these fields (and the REST API, the SDK and `scontrol update` through it); `core/admission.py` completes
and checks them; nothing else writes them. The script, its arguments and the environment are not here: they are kept on
disk by content (see BatchPayload). What each may hold stands in its type (model.bounds).
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from slurm.model.bounds import (
    COUNT_MAX,
    Argument,
    Arguments,
    Count,
    Environment,
    Hosts,
    Many,
    Memory,
    Moment,
    Name,
    Note,
    Operator,
    Path,
    PortCount,
    Seconds,
    Text,
    Whole,
    Word,
)
from slurm.model.ids import Digest

LIMIT_NAMES = ("cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as")
"""The resource limits that travel with a job: setrlimit(2)'s names without RLIMIT_."""

Kind = Annotated[str, Text(words=("batch", "alloc"))]
Exclusive = Annotated[str, Text(words=("", "node", "user"))]
OpenMode = Annotated[str, Text(words=("", "append", "truncate"))]
AdminNote = Annotated[str, Text(1024, plain=False), Operator()]
MailUser = Annotated[str, Text(1024, argument=True)]
Binding = Annotated[str, Text(8_192)]
Dependencies = Annotated[str, Text(131_072)]
TaskIds = Annotated[str, Text(65_536)]
Priority = Annotated[int, Whole(0, 2**32 - 2)]
Nice = Annotated[int, Whole(2 - COUNT_MAX, COUNT_MAX - 2)]
SampleSeconds = Annotated[int, Whole(0, 10**7)]
Umask = Annotated[int, Whole(0, 0o777)]
Limits = Annotated[dict[Annotated[str, Text(words=LIMIT_NAMES)], Annotated[int, Whole(-1, 2**63 - 1)]], Many(len(LIMIT_NAMES))]
Script = Annotated[str, Text(
    in_bytes=True, plain=False, setting="max_script_size", key="max_script_size in SchedulerParameters", error="ESLURM_SCRIPT_TOO_BIG",
    advice="let it read its data from a file")]
SubmitLine = Annotated[str, Text(
    in_bytes=True, plain=False, setting="max_submit_line_size", key="max_submit_line_size in SchedulerParameters")]


class JobRequest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that was asked of the scheduler for one job or array. Empty text, 0 or None: not asked.

    Times are seconds since the epoch, durations seconds (-1: unlimited), memory and disk MB.
    """

    name: Name = ""
    kind: Kind = "batch"  # batch | alloc (salloc, srun outside a job)
    account: Name = ""
    partition: Name = ""  # one name, or several with commas: the first that can start the job wins
    qos: Name = ""
    reservation: Name = ""
    licenses: Name = ""
    comment: Note = ""
    admin_comment: AdminNote = ""
    wckey: Name = ""
    extra: Note = ""

    nodes_min: Count = 0
    nodes_max: Count = 0  # 0 with nodes_min set: as many as needed
    ntasks: Count = 0
    cpus_per_task: Count = 0
    ntasks_per_node: Count = 0
    ntasks_per_socket: Count = 0
    ntasks_per_core: Count = 0
    ntasks_per_gpu: Count = 0
    mincpus: Count = 0
    sockets_per_node: Count = 0
    cores_per_socket: Count = 0
    threads_per_core: Count = 0
    mem_per_node: Memory | None = None  # 0: all of the node's memory
    mem_per_cpu: Memory | None = None
    mem_per_gpu: Memory | None = None
    tmp_disk: Memory = 0
    core_spec: Count | None = None  # cores of each node that are left to the system, None: those that the node sets aside
    thread_spec: Count | None = None  # the same in threads
    gres: Name = ""  # per node, canonical "gpu:a100:2,shard:4"
    gpus: Name = ""  # per job "2" or "a100:2"
    gpus_per_node: Name = ""
    gpus_per_socket: Name = ""
    gpus_per_task: Name = ""
    gpu_bind: Binding = ""  # as given; srun reads it (notation.gpu_bind)
    cpus_per_gpu: Count = 0

    features: Name = ""
    prefer: Name = ""
    nodelist: Hosts = ""
    exclude: Hosts = ""
    contiguous: bool = False
    switches: Count = 0  # leaf switches at most, 0: any number
    switch_wait: Seconds | None = None  # for so long it waits for that, None: max_switch_wait
    segment: Count = 0  # nodes of a segment, which lies in one block; 0: no segments
    spread_segments: bool = False  # each segment in a block of its own
    exclusive: Exclusive = ""  # "" | node | user
    oversubscribe: bool = False
    overcommit: bool = False
    spread_job: bool = False
    use_min_nodes: bool = False
    distribution: Word = ""

    time_limit: Seconds | None = None
    time_min: Seconds | None = None
    begin: Moment = 0.0
    deadline: Moment = 0.0
    hold: bool = False
    priority: Priority | None = None
    nice: Nice = 0
    dependency: Dependencies = ""
    kill_on_invalid_dep: bool | None = None
    array: TaskIds = ""
    requeue: bool | None = None
    no_kill: bool = False
    signal: Word = ""  # "[R][B:]NAME[@SECONDS]"
    immediate: Count = 0  # seconds the caller is willing to wait, 0: any time
    reboot: bool = False

    work_dir: Path = ""
    stdin: Path = ""
    stdout: Path = ""
    stderr: Path = ""
    open_mode: OpenMode = ""  # "" | append | truncate
    umask: Umask = 0o022
    rlimits: Limits = msgspec.field(default_factory=dict)  # soft limits to set in the job: "nofile" → 1024
    export_env: Argument = ""  # what --export said, for SLURM_EXPORT_ENV
    mail_type: Name = ""
    mail_user: MailUser = ""
    wait_all_nodes: Count = 0
    kill_on_bad_exit: bool | None = None
    sample_seconds: SampleSeconds | None = None  # --acctg-freq: from one look at its usage to the next, 0: only at the end of its steps
    no_shell: bool = False  # of an allocation: nobody holds it, it lasts until it is cancelled

    command: Path = ""  # absolute path of the script, "" for --wrap and standard input
    submit_line: SubmitLine = ""
    submit_host: Name = ""
    alloc_sid: Count = 0


class BatchPayload(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The heavy part of a batch submission: script text, its arguments, the environment to run in."""

    script: Script = ""
    argv: Arguments = msgspec.field(default_factory=list)
    environment: Environment = msgspec.field(default_factory=dict)


class PayloadRef(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where a BatchPayload is kept: digests of script and environment, arguments in line."""

    script: Digest = Digest("")
    environment: Digest = Digest("")
    argv: list[str] = msgspec.field(default_factory=list)


class StepRequest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an srun inside an allocation asks for. Same units as JobRequest; unset values come from the job."""

    name: Name = ""
    nodes_min: Count = 0
    nodes_max: Count = 0
    ntasks: Count = 0
    cpus_per_task: Count = 0
    ntasks_per_node: Count = 0
    mem_per_node: Memory | None = None
    mem_per_cpu: Memory | None = None
    gres: Name = ""
    gpus: Name = ""
    gpus_per_node: Name = ""
    gpus_per_socket: Name = ""
    gpus_per_task: Name = ""
    sockets_per_node: Count = 0
    nodelist: Hosts = ""
    exclude: Hosts = ""
    relative: Count | None = None
    exact: bool = False
    overlap: bool = False
    exclusive: bool = False
    overcommit: bool = False
    distribution: Word = ""
    time_limit: Seconds | None = None
    immediate: Count = 0
    sample_seconds: SampleSeconds | None = None
    kill_on_bad_exit: bool = False
    resv_ports: PortCount | None = None  # ports to be kept for it on each node; None: as the cluster does by itself
    interactive: bool = False  # one task with all that the job has on its first node, beside every other step: salloc's shell
    submit_line: SubmitLine = ""
    launcher: Name = ""  # host and pid of the srun, for scontrol show step
    # the request's own, the same each time it is sent, so that a step whose grant got lost is granted again instead of made twice
    key: Name = ""


class StepPart(msgspec.Struct, forbid_unknown_fields=True):
    """What a step over several components of a heterogeneous job asks of one of them."""

    het_group: Count
    request: StepRequest


Components = Annotated[list[JobRequest], Many(127)]
"""What the other components of a heterogeneous job ask for."""
StepParts = Annotated[list[StepPart], Many(127)]
