"""What each configuration key that is carried out means, for section 5 of the manual: one line a key, by section of `config.schema`.

Kind, default and standing stand in the schema; a test asks for a line here for each key that is carried out.
"""

from __future__ import annotations

_SLURM = """
AccountingStorageBackupHost | The machine of a second slurmdbd, asked when the first does not answer.
AccountingStorageEnforce | What is demanded of jobs: `associations`, `limits`, `qos`, `safe`, `nojobs`, `nosteps`, `wckeys`, `all`, or `none`.
AccountingStorageHost | The machine where slurmdbd runs.
AccountingStoragePort | The TCP port of slurmdbd.
AccountingStorageTRES | Further resources that are counted and limited besides CPUs, memory, nodes and energy, such as `gres/gpu` or `license/matlab`.
AccountingStorageType | `accounting_storage/slurmdbd` records jobs in a database; nothing is recorded without it.
AccountingStoreFlags | What else is kept of a job: `job_comment`, `job_env`, `job_extra`, `job_script`; `no_stdio` leaves the names of its files out.
AcctGatherEnergyType | How the energy of nodes is measured: `acct_gather_energy/rapl`, or not at all.
AllowSpecResourcesUsage | Whether `--core-spec` and `--thread-spec` of jobs are heeded.
AuthAltTypes | What else proves who somebody is: `auth/jwt`, a token as slurmrestd takes it.
AuthAltParameters | Where tokens are checked: `jwt_key=FILE`, `jwks=FILE`, `userclaimfield=NAME`, `issuer=`, `audience=`, `disable_token_creation`, `max_token_lifespan=SECONDS`.
AuthInfo | Details of AuthType: `socket=PATH` of MUNGE, `ttl=SECONDS`, `cred_expire=SECONDS`.
AuthType | How machines and users prove who they are: `auth/slurm` by a key of the cluster (slurm.key), `auth/munge`, or `auth/local` for a cluster of one user on one machine.
BackupAddr | An older form of the address of a second SlurmctldHost.
BackupController | An older form of a second SlurmctldHost.
BatchStartTimeout | How long a node may take to start the script of a job before that counts as lost.
CliFilterParameters | Words that are handed to the filters of CliFilterPlugins.
CliFilterPlugins | Python modules that look at the options of sbatch, srun and salloc before they are sent.
ClusterName | The name of the cluster, in lower case: in accounting, in certificates, and for `--clusters`.
CompleteWait | How many seconds jobs that are completing keep others from starting, so that large jobs find nodes that are free together.
DebugFlags | What daemons log in detail.
DefMemPerCPU | Memory for each CPU of a job that asks for none. 0 stands for all of the node, by which a job of one CPU takes a node from all others.
DependencyParameters | `kill_invalid_depend` cancels jobs whose dependency can never be fulfilled.
DisableRootJobs | Whether root may submit no jobs.
EnforcePartLimits | Whether a job beyond the limits of its partitions is refused at submission: of `ALL` of them, of `ANY`, or not at all.
FairShareDampeningFactor | By how much use beyond one's share weighs less in the classic formula.
FirstJobId | The number of the first job.
GresTypes | The generic resources that nodes may have, such as `gpu`.
HealthCheckInterval | How often HealthCheckProgram runs on each node.
HealthCheckNodeState | On nodes in which states it runs: `ALLOC`, `ANY`, `CYCLE`, `IDLE`, `MIXED`, `NONDRAINED_IDLE`, `START_ONLY`.
HealthCheckProgram | A program that looks after a node, as root, and may drain it.
HealthCheckTimeout | How long it may take.
InactiveLimit | After how long an allocation ends whose salloc or srun has gone.
InteractiveStepOptions | Options of the step in which salloc runs a shell, with `LaunchParameters=use_interactive_step`.
JobAcctGatherFrequency | How often the use of tasks is looked at, in seconds: `30`, or `task=30`.
JobAcctGatherType | How use is measured: by cgroups or by processes.
JobAcctGatherParams | `OverMemoryKill` ends steps that hold more memory than they asked for; `UsePss`, `NoShared`, `DisableGPUAcct`.
JobCompHost | The machine of the job completion log's database or web server.
JobCompLoc | Where ended jobs are logged: a file, a program, or an address, as JobCompType has it.
JobCompParams | Details of JobCompType.
JobCompPass | The password for it.
JobCompPort | The port for it.
JobCompType | To whom the end of each job is told, besides accounting: `jobcomp/filetxt`, `jobcomp/script`, `jobcomp/http`, or a plug-in of Python.
JobCompUser | The user for it.
JobContainerType | An older name of NamespaceType.
JobDefaults | What jobs with GPUs get when they ask for nothing: `DefCpuPerGPU=N`, `DefMemPerGPU=SIZE`.
JobFileAppend | 1 has requeued jobs append to their output files, 0 begin them anew.
JobRequeue | Whether jobs go back to the queue when a node fails, unless they say otherwise.
JobSubmitPlugins | Python modules that look at each job that is submitted, in the controller, and may change or refuse it.
KillOnBadExit | Whether a step ends as soon as one of its tasks fails.
KillWait | How long processes have between SIGTERM and SIGKILL at the time limit.
LaunchParameters | `use_interactive_step` has salloc start its shell on the first node of the allocation.
Licenses | Licences of the cluster and how many there are: `matlab:20,ansys:4`.
LogTimeFormat | How log lines tell the time.
MailDomain | The domain of users' addresses where a job names none.
MailProg | The program that sends mail, called as mail(1) is.
MaxArraySize | One more than the largest task id that an array may have.
MaxBatchRequeue | How many times a job may go back to the queue before it is held.
MaxDBDMsgs | For how many records there is room while slurmdbd is away.
MaxJobCount | How many jobs the controller remembers at once; more are refused.
MaxJobId | The number after which job ids begin again.
MaxMemPerNode | The most memory on a node that a job may ask for.
MaxNodeCount | How many nodes there may be with those that make themselves known by `slurmd -Z`.
MaxStepCount | How many steps a job may have.
MaxTasksPerNode | How many tasks a job may have on a node.
MessageTimeout | How long a message may take until an answer comes.
MetricsAuthUsers | Who may see metrics.
MetricsParameters | `ignore_private_data` shows metrics of jobs whatever PrivateData says.
MetricsType | `metrics/openmetrics` has slurmctld answer Prometheus at its port.
MinJobAge | How long an ended job stays in the memory of the controller.
MpiDefault | What MPI programs find each other by where srun is not told: `none`, `pmi2`, `pmix`.
MpiParams | `ports=12000-12999` keeps ports of this range for each step, the same on all its nodes: as many as its node with the most tasks has tasks, and one more, or as `srun --resv-ports=N` says. Its programs read them in SLURM_STEP_RESV_PORTS.
NamespaceType | Whether jobs have folders of their own in place of /tmp and others: `namespace/tmpfs`, as job_container.conf has it.
OverTimeLimit | By how much jobs may exceed their time limit.
PluginDir | Where plug-ins are looked for.
PlugStackConfig | The file that names plug-ins of steps; plugstack.conf beside slurm.conf without it.
PreemptMode | What becomes of jobs that give way: `OFF`, `CANCEL`, `REQUEUE`, `SUSPEND`, with `GANG` and `WITHIN`.
PreemptParameters | How those that give way are chosen: `youngest_first`, `strict_order`, `reorder_count=N`, `send_user_signal`, `min_exempt_priority=N`, `suspend_grace_time=SECONDS`.
PreemptType | Who gives way to whom: `preempt/qos`, `preempt/partition_prio`, or nobody.
PreemptExemptTime | How long a job runs before it may have to give way.
PriorityDecayHalfLife | After how long use of the past counts half for fair share.
PriorityFavorSmall | Whether small jobs come first, where size counts at all.
PriorityFlags | How priorities are made: `ACCRUE_ALWAYS`, `CALCULATE_RUNNING`, `DEPTH_OBLIVIOUS`, `MAX_TRES`, `NO_FAIR_TREE`, `SMALL_RELATIVE_TO_TIME` and others.
PriorityMaxAge | After how long of waiting a job's age counts in full.
PriorityType | `priority/multifactor` weighs age, fair share, size, partition, QOS and resources; `priority/basic` goes by arrival.
PriorityUsageResetPeriod | When use of the past is forgotten: `NONE`, `NOW`, `DAILY`, `WEEKLY`, `MONTHLY`, `QUARTERLY`, `YEARLY`.
PriorityWeightAge | The weight of how long a job has waited.
PriorityWeightAssoc | The weight of the priority of its association.
PriorityWeightFairShare | The weight of how little of their share its owners have used.
PriorityWeightJobSize | The weight of how large it is.
PriorityWeightPartition | The weight of its partition's PriorityJobFactor.
PriorityWeightQOS | The weight of its QOS's priority.
PriorityWeightTRES | The weights of resources: `CPU=1000,Mem=2000,GRES/gpu=3000`.
PrivateData | What users see of their own only: `accounts`, `events`, `jobs`, `nodes`, `partitions`, `reservations`, `usage`, `users`.
ProctrackType | How the processes of a step are found: `proctrack/cgroup` holds every one of them, `proctrack/linuxproc` goes by parents.
PrologEpilogTimeout | How long prologs and epilogs may take.
PrologFlags | When prologs run: `Alloc`, `Contain`, `DeferBatch`, `ForceRequeueOnFail`, `NoHold`, `RunInJob`, `Serial`, `X11`.
PropagatePrioProcess | Whether tasks get the nice value of the shell that submitted: 0 no, 1 yes, 2 one above slurmd's at least.
PropagateResourceLimits | Which limits of the submitting shell jobs get.
PropagateResourceLimitsExcept | Which they do not get.
RebootProgram | The program that restarts a node, for `scontrol reboot` and `--reboot`.
ReconfigFlags | What `scontrol reconfigure` leaves as it was.
RequeueExit | Exit statuses of batch scripts after which the job goes back to the queue.
RequeueExitHold | The same, held.
ResumeFailProgram | A program that is told of nodes that did not come up.
ResumeProgram | The program that switches nodes on.
ResumeRate | How many nodes are switched on a minute; 0 for any number.
ResumeTimeout | How long a node may take to come up.
ResvEpilog | A program that slurmctld runs when a reservation ends, with its name.
ResvOverRun | How long jobs may go on after the end of their reservation.
ResvProlog | The same when one begins.
ReturnToService | Whether nodes that come back are used again: 0 never by themselves, 1 if they were lost by silence, 2 always.
SchedulerParameters | How planning is done; the words are listed below.
SchedulerTimeSlice | How long jobs that share CPUs in turn have them.
SchedulerType | `sched/backfill` fills gaps without delaying anybody; `sched/builtin` goes strictly in order.
ScronParameters | `enable` allows crontabs (scrontab).
SelectType | What is handed out: `select/cons_tres` CPUs, memory and GPUs, `select/linear` whole nodes.
SelectTypeParameters | What of a node counts: `CR_Core_Memory`, `CR_CPU`, `CR_Socket` and others, `CR_LLN`, `CR_ONE_TASK_PER_CORE`.
SlurmUser | The account that slurmctld runs as and that may administrate the cluster.
SlurmctldDebug | How much slurmctld logs: `quiet`, `fatal`, `error`, `info`, `verbose`, `debug` to `debug5`.
SlurmctldHost | Where slurmctld runs: a name, with its address in parentheses if that differs.
SlurmctldLogFile | Where it logs; standard error in the foreground.
SlurmctldAddr | An address by which all reach whichever controller leads.
SlurmctldPrimaryOffProg | A program that a controller runs when it no longer leads.
SlurmctldPrimaryOnProg | A program that a controller runs when it begins to lead.
SlurmctldSyslogDebug | How much slurmctld writes to syslog.
SlurmctldTimeout | After how long of silence another controller takes the lead.
SlurmctldPort | Its TCP port.
SlurmctldParameters | `allow_root_on_nodes`, `history_size=`, `history_time=`, `reboot_from_controller`, `requeue_unproven`.
SlurmdDebug | How much slurmd logs.
SlurmdLogFile | Where it logs; `%h` is the host, `%n` the node.
SlurmdParameters | `config_overrides` believes slurm.conf rather than the machine; `fence_timeout=`, `start_timeout=`.
SlurmdPidFile | Its pid file.
SlurmdPort | Its TCP port.
SlurmdSpoolDir | Its folder on each node: scripts, steps, what is to be reported.
SlurmdSyslogDebug | How much slurmd writes to syslog.
SlurmdTimeout | After how long of silence a node counts as down.
SlurmdUser | The account that slurmd runs as; root, where jobs run as their owners.
SlurmctldPidFile | The pid file of slurmctld; its socket lies beside it.
SrunEpilog | A program that srun runs after each step, where srun was called.
SrunProlog | The same before each step.
StateSaveLocation | The folder of the journal: what an acknowledged job is kept in.
SuspendExcNodes | Nodes that are never switched off.
SuspendExcParts | Partitions whose nodes are never switched off.
SuspendExcStates | States in which nodes are not switched off.
SuspendProgram | The program that switches nodes off.
SuspendRate | How many nodes are switched off a minute; 0 for any number.
SuspendTime | After how long of idleness nodes are switched off.
SuspendTimeout | How long switching off takes at most.
TaskEpilog | A program that runs after each task, as its owner.
TaskPlugin | What tasks are held by: `task/cgroup`, `task/affinity`, both, or none.
TaskProlog | A program that runs before each task, as its owner; lines such as `export NAME=value` that it prints change the task's environment.
TLSParameters | Where certificates lie: `ca_cert_file=`, `ctld_cert_file=`, `ctld_cert_key_file=`, and so for slurmd, sackd, dbd and restd.
TmpFS | The file system whose size is a node's TmpDisk.
TopologyParam | Details of TopologyPlugin.
TopologyPlugin | How nodes lie in the network: `topology/flat`, `topology/tree`, `topology/block`, as topology.conf says.
TrackWCKey | Whether jobs have wckeys.
UnkillableStepProgram | A program that is told of steps whose processes do not end.
UnkillableStepTimeout | After how long that is so.
WaitTime | How long the other tasks of a step have after the first one ended; 0 for ever.
X11Parameters | `home_xauthority`: the cookie of a step's X11 display goes into its owner's ~/.Xauthority, not into a file of the step.
ControlAddr | An older form of SlurmctldHost's address.
DefCpuPerGPU | CPUs for each GPU of a job that asks for none.
DefMemPerGPU | Memory for each GPU of a job that asks for none.
DefMemPerNode | Memory on each node for a job that asks for none; one of this, DefMemPerCPU and DefMemPerGPU.
Epilog | A program that runs on each node after a job, as root; a file name pattern for several.
EpilogSlurmctld | A program that the controller runs after a job, as SlurmUser.
EpilogTimeout | How long Epilog may take.
MaxMemPerCPU | The most memory for a CPU that a job may ask for; with more it gets more CPUs.
Prolog | A program that runs on each node before a job, as root; its failure drains the node.
PrologSlurmctld | A program that the controller runs before a job, as SlurmUser.
PrologTimeout | How long Prolog may take.
FenceProgram | A program of ours that makes sure that a silent node runs nothing any more, so that its jobs may begin again elsewhere.
FenceProgramTimeout | How long it may take.
"""

_NODE = """
NodeName | The nodes that the line describes, such as `cn[01-04]`; `DEFAULT` for all that follow.
NodeHostname | What their machines are called, if not so.
NodeAddr | By which addresses they are reached, if not by that name.
Boards | Boards of a node.
CoreSpecCount | Cores that are left to the system.
CoresPerSocket | Cores of a socket.
CPUs | CPUs of a node: threads, or cores where jobs get no single threads.
CpuSpecList | The CPUs that are left to the system, by number.
Features | Words that jobs may ask for with `--constraint`.
Gres | Generic resources, such as `gpu:a100:4`.
MemSpecLimit | Memory in MB that is left to the system.
Port | The port of its slurmd, if not SlurmdPort.
RealMemory | Memory of a node in MB; `slurmd -C` prints it.
Reason | Why a node is in the State that is written here.
Sockets | Sockets of a node.
SocketsPerBoard | Sockets of a board.
State | The state in which the node begins.
ThreadsPerCore | Threads of a core.
TmpDisk | Space of TmpFS in MB.
Topology | Where it lies: `topology:switch`.
Weight | Nodes of less weight are used first.
"""

_PARTITION = """
PartitionName | The name; `DEFAULT` for all that follow.
AllocNodes | Machines from which jobs may be submitted.
AllowAccounts | Accounts that may use it.
AllowGroups | Groups that may use it.
AllowQos | QOS that may be used in it.
Alternate | The partition that takes jobs while this one is closed.
Default | Whether jobs that name none go here.
DefaultTime | The time limit of jobs that name none.
DefCpuPerGPU | As in slurm.conf, here.
DefMemPerCPU | As in slurm.conf, here.
DefMemPerGPU | As in slurm.conf, here.
DefMemPerNode | As in slurm.conf, here.
DenyAccounts | Accounts that may not use it.
DenyQos | QOS that may not be used in it.
DisableRootJobs | Whether root may submit no jobs to it.
ExclusiveUser | Whether a node has jobs of one user at a time.
GraceTime | Seconds that jobs have before they give way.
Hidden | Whether it is shown only on request.
JobDefaults | As in slurm.conf, here.
LLN | Whether the least loaded nodes are used first.
MaxCPUsPerNode | The most CPUs of a node that its jobs may have together.
MaxCPUsPerSocket | The same of a socket.
MaxMemPerCPU | As in slurm.conf, here.
MaxMemPerNode | As in slurm.conf, here.
MaxNodes | The most nodes of a job.
MaxTime | The largest time limit.
MinNodes | The fewest nodes of a job.
Nodes | Its nodes or node sets; `ALL` for every one.
OverSubscribe | Whether jobs may share CPUs: `NO`, `YES`, `FORCE` with `:N` for how many, `EXCLUSIVE` for whole nodes.
OverTimeLimit | As in slurm.conf, here.
PowerDownOnIdle | Whether its nodes are switched off as soon as they are idle.
PreemptMode | As in slurm.conf, here.
Priority | PriorityTier and PriorityJobFactor in one.
PriorityJobFactor | What PriorityWeightPartition is multiplied by.
PriorityTier | Jobs of a higher tier come first, and with `preempt/partition_prio` others give way to them.
QOS | A QOS whose limits hold for the whole partition.
ReqResv | Whether jobs must be in a reservation.
ResumeTimeout | As in slurm.conf, here.
RootOnly | Whether only root and SlurmUser may submit to it.
SelectTypeParameters | As in slurm.conf, here.
State | Whether it takes and starts jobs: `UP`, `DOWN` takes only, `DRAIN` starts only, `INACTIVE` neither.
SuspendTime | As in slurm.conf, here.
SuspendTimeout | As in slurm.conf, here.
Topology | The topology that holds in it.
TRESBillingWeights | What resources cost: `CPU=1.0,Mem=0.25G,GRES/gpu=8.0`.
"""

_NODESET = """
NodeSet | The name of the set.
Feature | Nodes with this feature are in it.
Nodes | These nodes are in it.
"""

_DOWN = """
DownNodes | Nodes that are not to be used.
Reason | Why.
State | The state that they begin in.
"""

_GRES = """
AutoDetect | What finds the devices of the node by itself, `off` for none.
Flags | How the devices are announced to jobs.
Ignore | Whether these devices are not handed out.
NodeName | The nodes that the line is about, in a file for several.
Name | What it is: `gpu`, or another of GresTypes.
Cores | The cores near it.
Count | How many there are; without it as many as there are files.
File | The device files: `/dev/nvidia[0-3]`.
MultipleFiles | Device files that belong to one and the same device.
Type | Which kind of it: `a100`.
"""

_CGROUP = """
AllowedRAMSpace | How much of the memory that it asked for a job may use, in percent.
AllowedSwapSpace | How much of that again it may use of swap, in percent.
CgroupMountpoint | Where cgroups are mounted.
CgroupPlugin | Which kind there is: `cgroup/v2`, `cgroup/v1`, `autodetect`, or `disabled`.
ConstrainCores | Whether jobs are held to their CPUs.
ConstrainDevices | Whether jobs are kept from generic resources that are not theirs.
ConstrainRAMSpace | Whether jobs are held to their memory.
ConstrainSwapSpace | Whether jobs are held to their swap.
EnableControllers | Whether controllers that are missing in the parents of slurmd's cgroup are enabled there.
MaxRAMPercent | The most memory of a node that a job may use, in percent.
MaxSwapPercent | The most swap of a node that a job may use, in percent.
MemorySwappiness | How readily the kernel swaps what jobs hold (cgroup/v1).
MinRAMSpace | The least memory that a limit is set to, in MB.
"""

_SLURMDBD = """
AllowNoDefAcct | Whether users may be without a default account.
AllResourcesAbsolute | Whether shares of licences are counts rather than percentages.
ArchiveDir | Where records that are purged are written to.
ArchiveEvents | Whether events are written there.
ArchiveJobs | Whether jobs are written there.
ArchiveResvs | Whether reservations are written there.
ArchiveScript | A program that archives instead.
ArchiveSteps | Whether steps are written there.
ArchiveSuspend | Whether suspensions are written there.
ArchiveTXN | Whether transactions are written there.
ArchiveUsage | Whether sums of usage are written there.
AuthInfo | As in slurm.conf.
AuthType | As in slurm.conf; both must say the same.
DbdAddr | The address to listen at, by which slurmctld reaches it.
DbdHost | The machine where slurmdbd runs.
DbdPort | Its TCP port.
DebugFlags | What it logs in detail.
DebugLevel | How much it logs.
DebugLevelSyslog | How much it writes to syslog.
DefaultQOS | The QOS that new clusters give their users.
DisableCoordDBD | Whether coordinators may change nothing.
LogFile | Where it logs.
LogTimeFormat | How log lines tell the time.
MaxPurgeLimit | How many records are purged at once.
MaxQueryTimeRange | How long a time ordinary users may ask about.
PidFile | Its pid file.
PrivateData | What users see of their own only: `accounts`, `events`, `jobs`, `reservations`, `usage`, `users`.
PurgeEventAfter | After how long events go: `12months`, `30days`, `48hours`.
PurgeJobAfter | After how long jobs go.
PurgeResvAfter | After how long reservations go.
PurgeStepAfter | After how long steps go.
PurgeSuspendAfter | After how long suspensions go.
PurgeTXNAfter | After how long transactions go.
PurgeUsageAfter | After how long sums of usage go.
SlurmUser | The account that it runs as.
StorageBackupHost | The machine of a second database server, asked while nobody answers at StorageHost; that both hold the same is the servers' matter.
StorageHost | The machine of the database.
StorageLoc | The name of the database; for SQLite a file.
StorageParameters | `SSL_CA=FILE`, `SSL_CERT=FILE`, `SSL_KEY=FILE` and others, for the connection.
StoragePass | The password.
StoragePassScript | A program that prints the password.
StoragePort | The port of the database.
StorageType | Which kind of database: `accounting_storage/postgresql`, `accounting_storage/mysql` (MariaDB too), or `accounting_storage/sqlite`.
StorageUser | The user of the database.
TLSParameters | Where certificates lie, as in slurm.conf.
TrackWCKey | Whether wckeys are kept.
"""

_TOPOLOGY = """
SwitchName | A switch of a tree.
BlockName | A block of nodes that are near each other.
BlockSizes | How many nodes a block has, and a block of blocks.
Nodes | The nodes below it.
Switches | The switches below it.
"""


def _read(text: str) -> dict[str, str]:
    return {key: meaning for key, _, meaning in (line.partition(" | ") for line in text.strip().splitlines())}


MEANINGS: dict[str, dict[str, str]] = {
    "slurm.conf": _read(_SLURM), "NodeName": _read(_NODE), "PartitionName": _read(_PARTITION), "NodeSet": _read(_NODESET),
    "DownNodes": _read(_DOWN), "gres.conf": _read(_GRES), "cgroup.conf": _read(_CGROUP), "slurmdbd.conf": _read(_SLURMDBD),
    "topology.conf": _read(_TOPOLOGY),
}
"""Section → key → what it means."""
