"""The keys of slurm.conf that stand on lines of their own: rows of the table in `schema`.

One row a line: name | kind | default | standing | note. Standing is `yes` (carried out), `ok` (accepted, the note says why it
changes nothing here), `later` (known, not carried out; the note completes "… is not carried out yet: ") or `old` (sites still carry it);
`later!` warns even where the file writes the default. SHOWN is in the order of `scontrol show config` of Slurm 26.11, with its names and
defaults; UNSHOWN are keys that Slurm accepts and shows elsewhere, under another name, or not at all. Defaults are from slurm.conf(5) and
that output.
"""

from __future__ import annotations

from slurm.model import debug_flags

SHOWN = """
AccountingStorageBackupHost | text | | yes |
AccountingStorageEnforce | list | none | yes |
AccountingStorageHost | text | localhost | yes |
AccountingStorageExternalHost | text | | later | no accounting daemon is contacted
AccountingStorageParameters | list | | later | no accounting daemon is contacted
AccountingStoragePort | int | 6819 | yes |
AccountingStorageTRES | tres | | yes |
AccountingStorageType | text | | yes |
AccountingStoreFlags | list | | yes |
AcctGatherEnergyType | text | | yes |
AcctGatherFilesystemType | plugin | | later | filesystem traffic is not measured
AcctGatherInterconnectType | plugin | | later | network traffic is not measured
AcctGatherNodeFreq | sec | 0 | ok | a node's energy is read with its steps' usage; nodes that run nothing are not measured
AcctGatherProfileType | plugin | | later | no time series of jobs are kept (HDF5, InfluxDB); their sums and peaks are, and sstat tells of now
AllowSpecResourcesUsage | yesno | no | yes |
AuthAltTypes | list | | yes |
AuthAltParameters | list | | yes |
AuthInfo | list | | yes |
AuthType | text | auth/munge | yes |
BatchStartTimeout | sec | 10 | yes |
BcastExclude | list | /lib,/usr/lib,/lib64,/usr/lib64 | later | sbcast sends a file as it is, to where it says
BcastParameters | list | | later | sbcast sends a file as it is, to where it says
BOOT_TIME | live | | ok |
BurstBufferType | plugin | | later | there are no burst buffers
CertgenParameters | list | | later | daemons issue their own certificates from slurm.key: no script is called
CertgenType | plugin | | later | daemons issue their own certificates from slurm.key: no script is called
CertmgrParameters | list | | later | certificates come from slurm.key or from `slurm cert make`: no script is called
CertmgrType | plugin | | later | certificates come from slurm.key or from `slurm cert make`: no script is called
CliFilterParameters | list | | yes |
CliFilterPlugins | list | | yes |
ClusterName | text | cluster | yes |
CommunicationParameters | list | | later | connections are made the one way there is
CompleteWait | sec | 0 | yes |
CpuFreqDef | text | Unknown | later | CPU frequencies are left alone
CpuFreqGovernors | list | OnDemand,Performance,UserSpace | later | CPU frequencies are left alone
CredType | text | cred/munge | ok | step credentials are signed with Ed25519 by a key of slurmctld's own, whatever AuthType is
DataParserParameters | list | | later | one version of the JSON output exists
DebugFlags | list | | yes |
DefMemPerCPU | mb | 0 | yes |
DefRuntimePlugin | text | runtime/oci | later | bundles are run by slurmstepd itself, the one way there is
DependencyParameters | list | | yes |
DisableRootJobs | yesno | no | yes |
EioTimeout | int | 60 | ok | what a task leaves is ended with it, so that nothing keeps its streams open
EnforcePartLimits | choice:NO,ANY,ALL,YES | NO | yes |
EpilogMsgTime | usec | 2000 | ok | nodes report on one open connection each, so nothing need be spread over time
FairShareDampeningFactor | int | 1 | yes |
FederationParameters | list | | later | there are no federations
FirstJobId | int | 1 | yes |
GresTypes | list | | yes |
GpuFreqDef | text | | later | GPU frequencies are left alone
GroupUpdateForce | bit | 1 | ok | groups are looked up when they are needed
GroupUpdateTime | sec | 600 | ok | groups are looked up when they are needed
HASH_VAL | live | | ok |
HashPlugin | text | hash/k12 | ok | messages are not hashed with a choice of function
HealthCheckInterval | sec | 0 | yes |
HealthCheckNodeState | list | ANY | yes |
HealthCheckProgram | text | | yes |
HealthCheckTimeout | sec | 0 | yes |
HttpParserType | plugin | | later | the daemons do not answer HTTP
InactiveLimit | sec | 0 | yes |
InteractiveStepOptions | text | --interactive --preserve-env --pty $SHELL | yes |
JobAcctGatherFrequency | text | 30 | yes |
JobAcctGatherType | choice:jobacct_gather/none,jobacct_gather/linux,jobacct_gather/cgroup | | yes |
JobAcctGatherParams | list | | yes |
JobCompHost | text | localhost | yes |
JobCompLoc | text | | yes |
JobCompParams | list | | yes |
JobCompPass | text | | yes |
JobCompPort | int | 0 | yes |
JobCompType | plugin | | yes |
JobCompUser | text | root | yes |
JobDefaults | jobdefaults | | yes |
JobFileAppend | bit | 0 | yes |
JobRequeue | bit | 1 | yes |
JobSubmitPlugins | list | | yes |
KillOnBadExit | bit | 0 | yes |
KillWait | sec | 30 | yes |
LaunchParameters | list | | yes |
LicenseParameters | list | | later | licences of a hierarchy of resources are not counted
Licenses | text | | yes |
LogTimeFormat | text | iso8601_ms | yes |
MailDomain | text | | yes |
MailProg | text | /bin/mail | yes |
MaxArraySize | int | 1001 | yes |
MaxBatchRequeue | int | 5 | yes |
MaxDBDMsgs | int | 10000 | yes |
MaxJobCount | int | 10000 | yes |
MaxJobId | int | 67043328 | yes |
MaxMemPerNode | mb | 0 | yes |
MaxNodeCount | int | | yes |
MaxStepCount | int | 40000 | yes |
MaxTasksPerNode | int | 512 | yes |
MCSPlugin | plugin | | later | jobs carry no security label
MCSParameters | text | | later | jobs carry no security label
MessageTimeout | sec | 10 | yes |
MetricsAuthUsers | list | | yes |
MetricsParameters | list | | yes |
MetricsType | plugin | | yes |
MinJobAge | sec | 300 | yes |
MpiDefault | plugin | | yes |
MpiParams | list | | yes |
MULTIPLE_SLURMD | live | | ok |
NamespaceType | choice:namespace/tmpfs,job_container/tmpfs | | yes |
NEXT_JOB_ID | live | | ok |
NodeFeaturesPlugins | list | | later | features cannot be changed by a reboot
OverTimeLimit | min | 0 | yes |
PluginDir | text | /usr/lib/slurm | yes |
PlugStackConfig | text | | yes |
PreemptMode | upper | OFF | yes |
PreemptParameters | list | | yes |
PreemptType | plugin | | yes |
PreemptExemptTime | span | 00:00:00 | yes |
PrEpParameters | list | | later | prologs and epilogs are the programs of Prolog= and its kin, no plugins
PrEpPlugins | list | prep/script | later | prologs and epilogs are the programs of Prolog= and its kin, no plugins
PriorityParameters | list | | later | no such parameter is known
PrioritySiteFactorParameters | text | | later | no site factor is asked for
PrioritySiteFactorPlugin | plugin | | later | no site factor is asked for
PriorityDecayHalfLife | span | 7-00:00:00 | yes |
PriorityCalcPeriod | span | 00:05:00 | ok | priorities are computed whenever a plan is made
PriorityFavorSmall | yesno | no | yes |
PriorityFlags | uplist | "" | yes |
PriorityMaxAge | span | 7-00:00:00 | yes |
PriorityType | choice:priority/multifactor,priority/basic | priority/multifactor | yes |
PriorityUsageResetPeriod | choice:NONE,NOW,DAILY,WEEKLY,MONTHLY,QUARTERLY,YEARLY | NONE | yes |
PriorityWeightAge | int | 0 | yes |
PriorityWeightAssoc | int | 0 | yes |
PriorityWeightFairShare | int | 0 | yes |
PriorityWeightJobSize | int | 0 | yes |
PriorityWeightPartition | int | 0 | yes |
PriorityWeightQOS | int | 0 | yes |
PriorityWeightTRES | weights | | yes |
PrivateData | list | none | yes |
ProctrackType | text | proctrack/linuxproc | yes |
PrologEpilogTimeout | int | 65534 | yes |
PrologFlags | list | | yes |
PropagatePrioProcess | int | 0 | yes |
PropagateResourceLimits | list | ALL | yes |
PropagateResourceLimitsExcept | list | | yes |
RebootProgram | text | | yes |
ReconfigFlags | list | | yes |
RequeueExit | list | | yes |
RequeueExitHold | list | | yes |
ResumeFailProgram | text | | yes |
ResumeProgram | text | | yes |
ResumeRate | rate | 300 | yes |
ResumeTimeout | sec | 60 | yes |
ResvEpilog | text | | yes |
ResvOverRun | min | 0 | yes |
ResvProlog | text | | yes |
ReturnToService | int | 0 | yes |
SchedulerParameters | list | | yes |
SchedulerTimeSlice | sec | 30 | yes |
SchedulerType | choice:sched/backfill,sched/builtin | sched/backfill | yes |
ScronParameters | list | | yes |
SelectType | choice:select/cons_tres,select/linear,select/cons_res | select/cons_tres | yes |
SelectTypeParameters | uplist | CR_CORE_MEMORY | yes |
SerializerParameters | list | | later | JSON is written the one way there is
SerializerPlugins | list | | later | JSON is written the one way there is
SlurmUser | user | root | yes |
SlurmctldAddr | text | | yes |
SlurmctldDebug | level | info | yes |
SlurmctldHost | host | | yes |
SlurmctldHttpAuthParameters | list | | later | only its metrics are told by HTTP
SlurmctldLogFile | text | | yes |
SlurmctldPort | port | 6817 | yes |
SlurmctldSyslogDebug | level | | yes |
SlurmctldPrimaryOffProg | text | | yes |
SlurmctldPrimaryOnProg | text | | yes |
SlurmctldTimeout | sec | 120 | yes |
SlurmctldParameters | list | | yes |
SlurmdDebug | level | info | yes |
SlurmdHttpAuthParameters | list | | later | slurmd does not answer HTTP
SlurmdLogFile | text | | yes |
SlurmdParameters | list | | yes |
SlurmdPidFile | text | /var/run/slurmd.pid | yes |
SlurmdPort | port | 6818 | yes |
SlurmdSpoolDir | text | /var/spool/slurmd | yes |
SlurmdSyslogDebug | level | | yes |
SlurmdTimeout | sec | 300 | yes |
SlurmdUser | user | root | yes |
SlurmrestdHttpAuthParameters | list | | later | slurmrestd has its options on its command line
SlurmrestdParameters | list | | later | slurmrestd has its options on its command line
SlurmSchedLogFile | text | | later | the scheduler has no log file of its own
SlurmSchedLogLevel | int | 0 | later | the scheduler has no log file of its own
SlurmstepdParameters | list | | later | slurmstepd has no such switches
SlurmctldPidFile | text | /var/run/slurmctld.pid | yes |
SLURM_CONF | live | | ok |
SLURM_VERSION | live | | ok |
SrunEpilog | text | | yes |
SrunPortRange | port | 0-0 | ok | srun listens at no port: it connects to the nodes of its step
SrunProlog | text | | yes |
StateSaveLocation | text | /var/spool | yes |
SuspendExcNodes | text | | yes |
SuspendExcParts | list | | yes |
SuspendExcStates | list | | yes |
SuspendProgram | text | | yes |
SuspendRate | rate | 60 | yes |
SuspendTime | bare | INFINITE | yes |
SuspendTimeout | sec | 30 | yes |
SwitchParameters | list | | later | switches are not programmed
SwitchType | plugin | | later | switches are not programmed
TaskEpilog | text | | yes |
TaskPlugin | plugins | | yes |
TaskPluginParam | list | | later | tasks are bound as their srun asks, else where there is just enough for them
TaskProlog | text | | yes |
TCPTimeout | sec | 2 | later | an attempt to connect lasts five seconds and is repeated
TLSParameters | list | | yes |
TLSType | text | tls/none | ok | connections between machines are mutual TLS 1.3 always, whatever is written here
TmpFS | text | /tmp | yes |
TopologyParam | list | | yes |
TopologyPlugin | choice:topology/flat,topology/default,topology/none,topology/tree,topology/block | topology/flat | yes |
TrackWCKey | yesno | no | yes |
TreeWidth | int | 16 | ok | every node holds its own connection to slurmctld, so there is no tree
UsePam | yesno | no | later | PAM is not asked
UnkillableStepProgram | text | | yes |
UnkillableStepTimeout | sec | 60 | yes |
UrlParserType | plugin | | later | the daemons do not answer HTTP
VSizeFactor | percent | 0 | later | virtual memory is not limited
WaitTime | sec | 0 | yes |
X11Parameters | list | | yes |
"""

UNSHOWN = """
AccountingStorageLoc | text | | old | slurmdbd.conf names the database
AccountingStoragePass | text | | later | no accounting daemon is contacted
AccountingStorageUser | text | | later | no accounting daemon is contacted
AccountingStoreJobComment | yesno | yes | old | AccountingStoreFlags=job_comment took its place
AcctGatherInfinibandType | text | | old | AcctGatherInterconnectType took its place
BackupAddr | text | | yes |
BackupController | text | | yes |
CacheGroups | text | | old | groups are always looked up anew after a while
CheckpointType | text | | old | Slurm has no checkpoints any more
ControlAddr | text | | yes |
CoreSpecPlugin | plugin | | ok | slurmctld sets the cores aside, whatever is written here
CryptoType | text | | old | CredType took its place
DefaultStorageHost | text | | old | AccountingStorageHost took its place
DefaultStorageLoc | text | | old | slurmdbd.conf names the database
DefaultStoragePass | text | | old | AccountingStoragePass took its place
DefaultStoragePort | text | | old | AccountingStoragePort took its place
DefaultStorageType | text | | old | AccountingStorageType took its place
DefaultStorageUser | text | | old | AccountingStorageUser took its place
DefCpuPerGPU | int | | yes |
DefMemPerGPU | mb | | yes |
DefMemPerNode | mb | 0 | yes |
DynAllocPort | text | | old | Slurm has no such port any more
DynAllocTimeout | text | | old | Slurm has no such port any more
Epilog | text | | yes |
EpilogSlurmctld | text | | yes |
EpilogTimeout | int | 65534 | yes |
ExtSensorsFreq | sec | 0 | later | no sensors are read
ExtSensorsType | plugin | | later | no sensors are read
FastSchedule | text | | old | nodes are as configured; SlurmdParameters=config_overrides was FastSchedule=2
GetEnvTimeout | sec | 2 | later | the login environment is read without a limit of its own
HeartbeatInterval | text | | old | nodes are told how often to speak
JobAcctFrequency | text | | old | JobAcctGatherFrequency took its place
JobAcctLogFile | text | | old | JobCompLoc took its place
JobAcctParameters | text | | old | JobAcctGatherParams took its place
JobAcctType | text | | old | JobAcctGatherType took its place
JobCheckpointDir | text | | old | Slurm has no checkpoints any more
JobContainerType | choice:job_container/tmpfs,namespace/tmpfs | | yes |
JobCredentialPrivateKey | text | | old | the controller makes the key that signs steps
JobCredentialPublicCertificate | text | | old | nodes are told the key that proves steps
KeepAliveTime | text | | old | CommunicationParameters=keepalivetime took its place
LaunchType | choice:launch/slurm | launch/slurm | ok | srun launches steps itself, which is the only value Slurm had
LayoutsPath | text | | old | Slurm has no layouts any more
MaxMemPerCPU | mb | 0 | yes |
MemLimitEnforce | text | | old | JobAcctGatherParams=OverMemoryKill took its place
MsgAggregationParams | text | | old | every node has one connection
PowerParameters | list | | later | power is not managed
PowerPlugin | plugin | | later | power is not managed
Prolog | text | | yes |
PrologSlurmctld | text | | yes |
PrologTimeout | int | 65534 | yes |
FenceProgram | text | | yes |
FenceProgramTimeout | sec | 60 | yes |
RoutePlugin | text | route/default | ok | every node holds its own connection to slurmctld, so nothing is routed
SallocDefaultCommand | text | | old | LaunchParameters=use_interactive_step took its place
SbcastParameters | text | | old | BcastParameters took its place
SchedulerPort | text | | old | Slurm has no such port any more
SchedulerRootFilter | text | | old | a partition's RootOnly took its place
SlurmctldPlugstack | list | | later | slurmctld loads no plugins
SrunIOTimeout | text | | old | EioTimeout took its place
UseSpecResources | text | | old | AllowSpecResourcesUsage took its place
"""

ALIASES = {
    "ControlMachine": "SlurmctldHost",
}
"""Older names → the name in the table."""

PARAMETERS: dict[str, dict[str, str]] = {
    "DebugFlags": {**dict.fromkeys(debug_flags.LOGGERS, "yes"), **dict.fromkeys(debug_flags.SILENT, "ok")},
    "AccountingStorageEnforce": {
        "none": "yes", "associations": "yes", "limits": "yes", "qos": "yes", "safe": "yes", "all": "yes", "0": "yes", "wckeys": "yes",
        "nosteps": "yes",
        "nojobs": "yes"},
    "PrivateData": {
        **dict.fromkeys(("none", "jobs", "nodes", "partitions", "usage"), "yes"), **dict.fromkeys(("accounts", "events", "users"), "ok"),
        "cloud": "later", "reservations": "yes"},
    "PriorityFlags": {
        **dict.fromkeys(("ACCRUE_ALWAYS", "INCR_ONLY", "MAX_TRES", "NO_FAIR_TREE", "SMALL_RELATIVE_TO_TIME"), "yes"),
        **dict.fromkeys((f"NO_NORMAL_{what}" for what in ("ALL", "ASSOC", "PART", "QOS", "TRES")), "yes"),
        "CALCULATE_RUNNING": "yes", "DEPTH_OBLIVIOUS": "yes", "FAIR_TREE": "ok"},
    "AuthAltParameters": {"audience": "yes", "disable_token_creation": "yes", "issuer": "yes", "jwks": "yes", "jwt_key": "yes",
    "max_token_lifespan": "yes",
    "userclaimfield": "yes"},
    "LogTimeFormat": dict.fromkeys(
        ("iso8601", "iso8601_ms", "rfc5424", "rfc5424_ms", "rfc3339", "clock", "short", "thread_id", "json"), "yes"),
    "AuthAltTypes": {"auth/jwt": "yes"},
    "AuthInfo": {"cred_expire": "yes", "socket": "yes", "ttl": "yes", "disable_sack": "later", "use_client_ids": "later"},
    "DependencyParameters": {"kill_invalid_depend": "yes", "disable_remote_singleton": "ok", "max_depend_depth": "later"},
    "AccountingStorageType": {"accounting_storage/slurmdbd": "yes", "accounting_storage/none": "yes", "slurmdbd": "yes", "none": "yes",
    "(null)": "yes"},
    "AccountingStoreFlags": {"job_comment": "yes", "job_env": "yes", "job_extra": "yes", "job_script": "yes", "no_stdio": "yes"},
    "AcctGatherEnergyType": {"acct_gather_energy/none": "yes", "acct_gather_energy/rapl": "yes", "(null)": "yes"},
    "JobAcctGatherParams": {"OverMemoryKill": "yes", "UsePss": "yes", "NoShared": "yes", "NoOverMemoryKill": "yes",
    "DisableGPUAcct": "yes"},
    "SchedulerParameters": {
        **dict.fromkeys((
            "assoc_limit_stop", "bf_interval", "enable_user_top", "bf_hetjob_prio", "bf_job_part_count_reserve", "bf_max_job_assoc",
            "bf_max_job_part",
            "bf_max_job_start", "bf_max_job_test",
            "bf_max_job_user", "bf_max_job_user_part", "bf_max_time", "bf_min_age_reserve", "bf_min_prio_reserve", "bf_one_resv_per_job",
            "bf_resolution",
            "bf_window", "default_queue_depth", "jobs_per_user_per_hour",
            "kill_invalid_depend", "max_sched_time", "max_script_size", "max_submit_line_size",
            "nohold_on_prolog_fail", "partition_job_depth",
            "sched_interval", "sched_max_job_start", "sched_min_interval", "spec_cores_first", "max_switch_wait", "whole_hetjob"), "yes"),
        **dict.fromkeys((
            "batch_sched_delay", "bf_busy_nodes", "bf_continue", "bf_hetjob_immediate", "bf_node_space_size", "bf_window_linear",
            "bf_yield_interval", "bf_yield_sleep",
            "build_queue_timeout", "defer", "max_rpc_cnt"), "ok"),
    },
    "SelectTypeParameters": {
        "NONE": "yes", "CR_CPU": "yes", "CR_CPU_MEMORY": "yes", "CR_CORE": "yes", "CR_CORE_MEMORY": "yes", "CR_SOCKET": "yes",
        "CR_SOCKET_MEMORY": "yes", "CR_MEMORY": "yes", "CR_ONE_TASK_PER_CORE": "yes", "CR_CORE_DEFAULT_DIST_BLOCK": "yes",
        "CR_LLN": "yes", "CR_PACK_NODES": "ok",
    },
    "TopologyParam": {
        "TopoOptional": "yes", "RoutePart": "ok", "RouteTree": "ok", "Dragonfly": "later", "BlockAsNodeRank": "later",
        "SwitchAsNodeRank": "later",
        "TopoMaxSizeUnroll": "later"},
    "TaskPlugin": {"task/none": "yes", "none": "yes", "task/affinity": "yes", "task/cgroup": "yes", "affinity": "yes", "cgroup": "yes"},
    "TLSParameters": {
        **dict.fromkeys((f"{name}_file" for prefix in ("ctld", "slurmd", "sackd", "dbd", "restd")
        for name in (f"{prefix}_cert", f"{prefix}_cert_key")), "yes"),
        "ca_cert_file": "yes", "load_system_certificates": "later", "security_policy_version": "ok",
    },
    "MpiParams": {"ports": "yes"},
    "LaunchParameters": {"use_interactive_step": "yes"},
    "PrologFlags": {
        "Alloc": "yes", "DeferBatch": "yes", "ForceRequeueOnFail": "yes", "NoHold": "yes", "Serial": "yes", "None": "yes",
        "Contain": "yes",
        "RunInJob": "yes",
        "X11": "yes"},
    "X11Parameters": {"home_xauthority": "yes"},
    "SlurmctldParameters": {
        "allow_root_on_nodes": "yes", "history_size": "yes", "history_time": "yes", "reboot_from_controller": "yes",
        "requeue_unproven": "yes"},
    "SlurmdParameters": {"config_overrides": "yes", "fence_timeout": "yes", "start_timeout": "yes"},
}
"""Keys that hold a list of switches of which some are carried out → switch → standing; every other switch is not carried out yet.

The scheduler switches that are `ok` ask for what ours does anyway: submissions of a moment share a pass (defer, batch_sched_delay), a pass
beside the replies holds up nobody and goes on where it was (bf_continue, bf_yield_*, max_rpc_cnt, build_queue_timeout), nodes in use are
kept rather than idle ones (bf_busy_nodes), a heterogeneous job starts as soon as all of it can (bf_hetjob_immediate),
and its table of times is as long and as fine as it has to be (bf_node_space_size, bf_window_linear).
"""
