"""The keys of slurm.conf's node and partition lines and of the other configuration files: rows of the table in `schema`.

One row a line, as in `schema_slurm`: name | kind | default | standing | note. The first row of a section is the key that
begins its lines. Keys and defaults are from slurm.conf(5), gres.conf(5), cgroup.conf(5), topology.conf(5).
"""

from __future__ import annotations

NODE = """
NodeName | hosts | | yes |
NodeHostname | hosts | | yes |
NodeAddr | hosts | | yes |
BcastAddr | hosts | | later | sbcast goes the way of every step
Boards | int | 1 | yes |
CoreSpecCount | int | 0 | yes |
CoresPerSocket | int | 1 | yes |
CpuBind | choice:none,socket,ldom,core,thread | none | later | tasks are not bound to CPUs
CPUs | int | | yes |
CpuSpecList | cores | | yes |
Features | list | | yes |
Gres | text | | yes |
MemSpecLimit | mb | 0 | yes |
Parameters | list | | later | node parameters are not known
Port | ports | | yes |
RealMemory | mb | 1 | yes |
Reason | text | | yes |
ResourceLimits | text | | later | node limits are not known
RestrictedCoresPerGPU | int | | later | no cores are set aside for GPUs
Sockets | int | | yes |
SocketsPerBoard | int | | yes |
State | choice:UNKNOWN,CLOUD,DOWN,DRAIN,EXTERNAL,FAIL,FAILING,FUTURE,IDLE | UNKNOWN | yes |
ThreadsPerCore | int | 1 | yes |
TmpDisk | mb | 0 | yes |
Topology | text | | yes |
TRESWeights | text | | later | nodes are chosen by their Weight only
Weight | int | 1 | yes |
"""

PARTITION = """
PartitionName | text | | yes |
AllocNodes | text | ALL | yes |
AllowAccounts | list | ALL | yes |
AllowGroups | list | ALL | yes |
AllowQos | list | ALL | yes |
Alternate | text | | yes |
CpuBind | choice:none,socket,ldom,core,thread | none | later | tasks are not bound to CPUs
Default | yesno | NO | yes |
DefaultTime | span | | yes |
DefCpuPerGPU | int | | yes |
DefMemPerCPU | mb | | yes |
DefMemPerGPU | mb | | yes |
DefMemPerNode | mb | | yes |
DenyAccounts | list | | yes |
DenyQos | list | | yes |
DisableRootJobs | yesno | | yes |
ExclusiveTopo | yesno | NO | later | every node is as near as any other
ExclusiveUser | yesno | NO | yes |
GraceTime | bare | 0 | yes |
Hidden | yesno | NO | yes |
JobDefaults | jobdefaults | | yes |
LLN | yesno | NO | yes |
MaxCPUsPerNode | count | UNLIMITED | yes |
MaxCPUsPerSocket | count | UNLIMITED | yes |
MaxMemPerCPU | mb | | yes |
MaxMemPerNode | mb | | yes |
MaxNodes | count | UNLIMITED | yes |
MaxTime | span | UNLIMITED | yes |
MinNodes | int | 0 | yes |
Nodes | text | | yes |
OverSubscribe | share | NO | yes |
OverTimeLimit | min | | yes |
PowerDownOnIdle | yesno | NO | yes |
PreemptMode | upper | | yes |
Priority | int | | yes |
PriorityJobFactor | int | 1 | yes |
PriorityTier | int | 1 | yes |
QOS | text | | yes |
ReqResv | yesno | NO | yes |
ResumeTimeout | bare | | yes |
RootOnly | yesno | NO | yes |
SelectTypeParameters | choice:NONE,CR_CORE,CR_CORE_MEMORY,CR_SOCKET,CR_SOCKET_MEMORY | NONE | yes |
State | choice:UP,DOWN,DRAIN,INACTIVE | UP | yes |
SuspendTime | bare | | yes |
SuspendTimeout | bare | | yes |
Topology | text | | yes |
TRESBillingWeights | weights | | yes |
"""

NODESET = """
NodeSet | text | | yes |
Feature | list | | yes |
Nodes | text | | yes |
"""

DOWN = """
DownNodes | text | | yes |
Reason | text | | yes |
State | choice:DOWN,DRAIN,FAIL,FAILING,FUTURE | DOWN | yes |
"""

FRONTEND = """
FrontendName | text | | later | front end nodes are gone from Slurm; nodes run their own slurmd
AllowGroups | list | | later | front end nodes are gone from Slurm
AllowUsers | list | | later | front end nodes are gone from Slurm
DenyGroups | list | | later | front end nodes are gone from Slurm
DenyUsers | list | | later | front end nodes are gone from Slurm
FrontendAddr | text | | later | front end nodes are gone from Slurm
Port | int | | later | front end nodes are gone from Slurm
Reason | text | | later | front end nodes are gone from Slurm
State | text | UNKNOWN | later | front end nodes are gone from Slurm
"""

GRES = """
NodeName | hosts | | yes |
Name | text | | yes |
AutoDetect | choice:nvml,nvidia,rsmi,oneapi,nrt,off | | yes |
Cores | cores | | yes |
Count | number | | yes |
File | files | | yes |
Flags | list | | yes |
Ignore | yesno | no | yes |
Links | list | | ok | they are shown and checked; devices are taken in index order
MultipleFiles | files | | yes |
Type | text | | yes |
"""

CGROUP = """
AllowedDevicesFile | text | | old | jobs may use every device but the GRES of others
AllowedKmemSpace | text | | old | what the kernel holds for a job counts as its memory
AllowedRAMSpace | portion | 100 | yes |
AllowedSwapSpace | portion | 0 | yes |
CgroupAutomount | yesno | no | old | the system mounts its cgroups
CgroupMountpoint | text | /sys/fs/cgroup | yes |
CgroupPlugin | choice:cgroup/v1,cgroup/v2,autodetect,disabled | autodetect | yes |
CgroupReleaseAgentDir | text | | old | the kernel's empty cgroups are removed by slurmd
CgroupSlice | text | system.slice | ok | the cgroups of jobs are made beside slurmd's own, in the slice of its unit
ConstrainCores | yesno | no | yes |
ConstrainDevices | yesno | no | yes |
ConstrainKmemSpace | yesno | no | old | what the kernel holds for a job counts as its memory
ConstrainRAMSpace | yesno | no | yes |
ConstrainSwapSpace | yesno | no | yes |
EnableControllers | yesno | no | yes |
EnableExtraControllers | list | | later | only the controllers that jobs are held by are enabled
IgnoreSystemd | yesno | no | ok | systemd is asked for nothing; the unit of slurmd has Delegate=yes
IgnoreSystemdOnFailure | yesno | no | ok | systemd is asked for nothing; the unit of slurmd has Delegate=yes
MaxKmemPercent | text | 100 | old | what the kernel holds for a job counts as its memory
MaxRAMPercent | portion | 100 | yes |
MaxSwapPercent | portion | 100 | yes |
MemorySwappiness | int | | yes |
MinKmemSpace | text | 30 | old | what the kernel holds for a job counts as its memory
MinRAMSpace | int | 30 | yes |
SignalChildrenProcesses | yesno | no | later | signals go to tasks, or with --full to every process
SystemdTimeout | text | 1000 | ok | systemd is asked for nothing
TaskAffinity | yesno | no | old | TaskPlugin=task/affinity took its place
"""

JOB_CONTAINER = """
NodeName | hosts | | yes |
AutoBasePath | yesno | no | yes |
BasePath | text | | yes |
CloneNSEpilog | text | | later | no script is run when a job's folders go
CloneNSEpilog_Wait | int | 10 | later | no script is run when a job's folders go
CloneNSScript | text | | later | no script is run in a job's namespace
CloneNSScript_Wait | int | 10 | later | no script is run in a job's namespace
Dirs | text | /tmp,/dev/shm | yes |
EntireStepInNS | yesno | no | later | the tasks of a step have the folders, slurmstepd has not
InitScript | text | | later | no script is run before a job's folders are made
Shared | yesno | no | yes |
"""

TOPOLOGY = """
SwitchName | text | | yes |
BlockName | text | | yes |
BlockSizes | list | | yes |
LinkSpeed | text | | ok | it is shown; nodes are chosen by how many switches lie between them
Nodes | text | | yes |
Switches | text | | yes |
"""

TEXTS = {
    "NodeName": NODE, "PartitionName": PARTITION, "NodeSet": NODESET, "DownNodes": DOWN, "FrontendName": FRONTEND,
    "gres.conf": GRES, "cgroup.conf": CGROUP, "job_container.conf": JOB_CONTAINER, "topology.conf": TOPOLOGY,
}
"""Section → its rows as text."""

ALIASES: dict[str, dict[str, str]] = {
    "NodeName": {"Procs": "CPUs", "Feature": "Features"},
    "PartitionName": {"Shared": "OverSubscribe"},
    "NodeSet": {"Features": "Feature"},
    "gres.conf": {"CPUs": "Cores"},
}
"""Section → older or shorter names → the name in the table."""
