"""JobRequest: what a submission asks for, one field an option that describes the job.

`options/table.py` sets these fields (and the REST API, the SDK and `scontrol update` through it); `core/admission.py` completes
and checks them; nothing else writes them. The script, its arguments and the environment are not here: they are kept on
disk by content (see BatchPayload).
"""

from __future__ import annotations

import msgspec

from slurm.model.ids import Digest


class JobRequest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Everything that was asked of the scheduler for one job or array. Empty text, 0 or None: not asked.

    Times are seconds since the epoch, durations seconds (-1: unlimited), memory and disk MB.
    """

    name: str = ""
    kind: str = "batch"  # batch | alloc (salloc, srun outside a job)
    account: str = ""
    partition: str = ""  # one name, or several with commas: the first that can start the job wins
    qos: str = ""
    reservation: str = ""
    licenses: str = ""
    comment: str = ""
    admin_comment: str = ""
    wckey: str = ""
    extra: str = ""

    nodes_min: int = 0
    nodes_max: int = 0  # 0 with nodes_min set: as many as needed
    ntasks: int = 0
    cpus_per_task: int = 0
    ntasks_per_node: int = 0
    ntasks_per_socket: int = 0
    ntasks_per_core: int = 0
    ntasks_per_gpu: int = 0
    mincpus: int = 0
    sockets_per_node: int = 0
    cores_per_socket: int = 0
    threads_per_core: int = 0
    mem_per_node: int | None = None  # 0: all of the node's memory
    mem_per_cpu: int | None = None
    mem_per_gpu: int | None = None
    tmp_disk: int = 0
    gres: str = ""  # per node, canonical "gpu:a100:2,shard:4"
    gpus: str = ""  # per job "2" or "a100:2"
    gpus_per_node: str = ""
    gpus_per_socket: str = ""
    gpus_per_task: str = ""
    gpu_bind: str = ""  # as given; srun reads it (notation.gpu_bind)
    cpus_per_gpu: int = 0

    features: str = ""
    prefer: str = ""
    nodelist: str = ""
    exclude: str = ""
    contiguous: bool = False
    exclusive: str = ""  # "" | node | user
    oversubscribe: bool = False
    overcommit: bool = False
    spread_job: bool = False
    use_min_nodes: bool = False
    distribution: str = ""

    time_limit: int | None = None
    time_min: int | None = None
    begin: float = 0.0
    deadline: float = 0.0
    hold: bool = False
    priority: int | None = None
    nice: int = 0
    dependency: str = ""
    kill_on_invalid_dep: bool | None = None
    array: str = ""
    requeue: bool | None = None
    no_kill: bool = False
    signal: str = ""  # "[R][B:]NAME[@SECONDS]"
    immediate: int = 0  # seconds the caller is willing to wait, 0: any time
    reboot: bool = False

    work_dir: str = ""
    stdin: str = ""
    stdout: str = ""
    stderr: str = ""
    open_mode: str = ""  # "" | append | truncate
    umask: int = 0o022
    rlimits: dict[str, int] = msgspec.field(default_factory=dict)  # soft limits to set in the job: "nofile" → 1024
    export_env: str = ""  # what --export said, for SLURM_EXPORT_ENV
    mail_type: str = ""
    mail_user: str = ""
    wait_all_nodes: int = 0
    kill_on_bad_exit: bool | None = None
    no_shell: bool = False  # of an allocation: nobody holds it, it lasts until it is cancelled

    command: str = ""  # absolute path of the script, "" for --wrap and standard input
    submit_line: str = ""
    submit_host: str = ""
    alloc_sid: int = 0


class BatchPayload(msgspec.Struct, kw_only=True, omit_defaults=True):
    """The heavy part of a batch submission: script text, its arguments, the environment to run in."""

    script: str = ""
    argv: list[str] = msgspec.field(default_factory=list)
    environment: dict[str, str] = msgspec.field(default_factory=dict)


class PayloadRef(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Where a BatchPayload is kept: digests of script and environment, arguments in line."""

    script: Digest = Digest("")
    environment: Digest = Digest("")
    argv: list[str] = msgspec.field(default_factory=list)


class StepRequest(msgspec.Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What an srun inside an allocation asks for. Same units as JobRequest; unset values come from the job."""

    name: str = ""
    nodes_min: int = 0
    nodes_max: int = 0
    ntasks: int = 0
    cpus_per_task: int = 0
    ntasks_per_node: int = 0
    mem_per_node: int | None = None
    mem_per_cpu: int | None = None
    gres: str = ""
    gpus: str = ""
    gpus_per_node: str = ""
    gpus_per_socket: str = ""
    gpus_per_task: str = ""
    sockets_per_node: int = 0
    nodelist: str = ""
    exclude: str = ""
    relative: int | None = None
    exact: bool = False
    overlap: bool = False
    exclusive: bool = False
    overcommit: bool = False
    distribution: str = ""
    time_limit: int | None = None
    immediate: int = 0
    kill_on_bad_exit: bool = False
    submit_line: str = ""
    launcher: str = ""  # host and pid of the srun, for scontrol show step
    key: str = ""  # the request's own, the same each time it is sent, so that a step whose grant got lost is granted again instead of made twice
