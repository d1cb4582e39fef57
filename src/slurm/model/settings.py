"""Settings: the part of slurm.conf that decides about jobs, as the pure core and the planner read it.

`slurmctld.setup` builds it from `config`; core never reads a configuration file.
"""

from __future__ import annotations

import msgspec

from slurm.model.topology import Topology


class Settings(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Cluster-wide rules. Durations seconds, memory MB; None or -1 where Slurm says none or unlimited."""

    cluster_name: str = "cluster"
    slurm_user: str = "root"
    operators: list[int] = msgspec.field(default_factory=list)  # uids besides root that may administrate
    max_job_count: int = 10000
    max_array_size: int = 1001  # task ids must be below it
    max_step_count: int = 40000
    max_script_size: int = 4 * 1024 * 1024  # bytes
    max_submit_line_size: int = 1024 * 1024  # bytes
    max_tasks_per_node: int = 512
    first_job_id: int = 1
    max_job_id: int = 67043328
    min_job_age: int = 300
    kill_wait: int = 30
    over_time_limit: int = 0
    reservation_over_run: int = 0
    inactive_limit: int = 0
    batch_start_timeout: int = 10
    complete_wait: int = 0
    mpi_ports: list[int] = msgspec.field(default_factory=list)  # MpiParams=ports=FIRST-LAST: these two; none are kept for steps
    slurmd_timeout: int = 300
    unkillable_step_timeout: int = 60
    # seconds after which a job does not wait for the proof that it is over on a silent node; None: for ever
    requeue_unproven: int | None = None
    fence_timeout: int = 0  # seconds without a heartbeat after which slurmstepds end jobs that may be requeued; 0: never
    return_to_service: int = 0
    job_requeue: bool = True
    max_batch_requeue: int = 5
    requeue_delay: int = 120
    requeue_exit: list[int] = msgspec.field(default_factory=list)
    requeue_exit_hold: list[int] = msgspec.field(default_factory=list)
    kill_on_invalid_dep: bool = False
    cascade_at_once: int = 0  # waiting jobs that one event looks at since others ended; the rest follow in events of their own; 0: all
    enforce_part_limits: str = "NO"  # NO | ANY | ALL
    disable_root_jobs: bool = False
    job_file_append: bool = False
    default_qos: str = "normal"
    node_prolog: bool = False  # Prolog, Epilog, PrologSlurmctld and EpilogSlurmctld are configured
    node_epilog: bool = False
    controller_prolog: bool = False
    controller_epilog: bool = False
    prolog_flags: list[str] = msgspec.field(default_factory=list)  # PrologFlags in small letters; what one implies is in it
    hold_on_prolog_fail: bool = True  # no SchedulerParameters=nohold_on_prolog_fail
    # associations, limits, qos, safe, wckeys, nosteps, nojobs; what one implies is in it
    accounting_enforce: list[str] = msgspec.field(default_factory=list)

    accounting: bool = False  # records of jobs, steps and nodes leave for the accounting database
    accounting_store: list[str] = msgspec.field(default_factory=list)  # AccountingStoreFlags
    accounting_tres: list[str] = msgspec.field(default_factory=list)  # AccountingStorageTRES beyond Slurm's own: "gres/gpu:a100"

    # cons_tres | linear; behind it, apart by blanks, the CR_LLN and CR_CORE_DEFAULT_DIST_BLOCK of SelectTypeParameters
    select: str = "cons_tres"
    select_unit: str = "core"  # cpu | core | socket: what CR_* allocates
    select_memory: bool = True  # CR_*_Memory: memory is a consumable
    select_one_task_per_core: bool = False
    gres_types: list[str] = msgspec.field(default_factory=list)
    def_mem_per_cpu: int | None = None
    def_mem_per_node: int | None = None
    max_mem_per_cpu: int | None = None
    max_mem_per_node: int | None = None
    job_defaults: str = ""  # what a job gets for each GPU (notation.job_defaults)
    topologies: list[Topology] = msgspec.field(default_factory=list)
    max_switch_wait: int = 300  # seconds that a job's --switches may keep it from starting at most
    spec_usage: bool = False  # AllowSpecResourcesUsage: jobs may use cores that are set aside for the system
    config_overrides: bool = False  # SlurmdParameters=config_overrides: emulated nodes keep what the file says

    max_node_count: int = 0  # nodes of slurm.conf and those that are made while the cluster runs; 0: none can be made
    suspends: bool = False  # SuspendProgram, ResumeProgram and RebootProgram are configured
    resumes: bool = False
    reboots: bool = False
    suspend_time: int = -1  # seconds; -1: never
    suspend_timeout: int = 30
    resume_timeout: int = 60
    suspend_rate: int = 60  # nodes a minute; 0: as many as there are
    resume_rate: int = 300
    suspend_exc_nodes: str = ""  # host lists, each with :COUNT behind it where so many of it stay on
    suspend_exc_parts: list[str] = msgspec.field(default_factory=list)
    suspend_exc_states: list[str] = msgspec.field(default_factory=list)  # in large letters

    licenses: dict[str, int] = msgspec.field(default_factory=dict)  # name → how many there are

    scheduler: str = "backfill"  # backfill | builtin
    backfill_window: int = 86400
    backfill_resolution: int = 60
    backfill_max_jobs: int = 10000
    backfill_interval: int = 30
    backfill_max_user: int = 0  # jobs of each user that a pass with backfill looks at; 0 here and below: as many as there are
    backfill_max_partition: int = 0
    backfill_max_user_partition: int = 0  # of each user in each partition
    backfill_max_association: int = 0
    backfill_max_starts: int = 0
    backfill_max_time: int = 0
    backfill_min_age: int = 0  # seconds that a job must have waited before anything is kept for it
    backfill_min_priority: int = 0  # priority that it must have for the same
    backfill_reservations: int = 1  # of how many jobs of each partition the start is kept; 0: of all
    backfill_one_reservation: bool = False  # in one of its partitions only
    default_queue_depth: int = 100
    partition_job_depth: int = 0  # jobs of each partition that a pass without backfill looks at
    sched_max_starts: int = 0
    sched_max_time: int = 0
    sched_min_interval: int = 0  # microseconds between passes without backfill
    sched_interval: int = 60
    hetjob_priority: str = ""  # bf_hetjob_prio: "" | min | avg | max, whose place in the queue the components of a heterogeneous job share
    whole_hetjob: bool = False  # who cancels, holds or releases a component by its own number means all of them
    assoc_limit_stop: bool = False  # a job that a limit keeps back keeps back those behind it in its partition
    priority_type: str = "multifactor"  # multifactor | basic
    priority_decay_half_life: int = 7 * 86400  # seconds, 0: usage keeps its worth
    priority_weight_age: int = 0
    priority_weight_job_size: int = 0
    priority_weight_partition: int = 0
    priority_max_age: int = 7 * 86400
    priority_favor_small: bool = False
    priority_flags: list[str] = msgspec.field(default_factory=list)
    priority_weight_association: int = 0
    priority_weight_fair_share: int = 0
    priority_weight_qos: int = 0
    priority_weight_tres: dict[str, float] = msgspec.field(default_factory=dict)
    fair_share_dampening: int = 1
    usage_reset_period: str = "NONE"  # PriorityUsageResetPeriod
    track_wckey: bool = False
    cron_enabled: bool = False  # ScronParameters=enable
    cron_explicit_cancel: bool = False  # ScronParameters=explicit_scancel: scancel ends jobs of scrontab with --cron only
    preempt_type: str = "none"  # none | qos | partition_prio
    preempt_modes: list[str] = msgspec.field(default_factory=list)  # PreemptMode in small letters: one of cancel … off, gang, within
    preempt_exempt_time: int = 0  # seconds that a job has run at least before it gives way
    preempt_youngest_first: bool = False
    preempt_strict_order: bool = False
    preempt_reorder_count: int = 1
    preempt_user_signal: bool = False  # a job that gives way gets the --signal that it asked for
    preempt_min_exempt_priority: int | None = None  # jobs of this priority and above give way to nobody
    suspend_grace_time: int = 2  # seconds from SIGTSTP to SIGSTOP
    time_slice: int = 30  # SchedulerTimeSlice: seconds that a gang's jobs have the CPUs in turn
    private_data: list[str] = msgspec.field(default_factory=list)  # PrivateData, in small letters
