"""THE table of reportable fields: what squeue and sinfo can show, under which names, letters and headers.

Here: the rows, and how a name or letter finds its row. Not here: how a field's text is made from a record (`job_values`, `step_values`,
`node_values`, each with one function a row) and how texts become lines (`format`). User commands import this: it is light.
A new field is a row here, its function there, and its test.
"""

from __future__ import annotations

from slurm.model.errors import InvalidRequest


class Field:
    """One reportable field. `name` is that of -O and of the protocol, `letter` that of -o ("" where there is none).

    `alias`: another name that -O takes. `listed`: --helpFormat shows it. `cut` False: a text longer than its column is shown whole, as
    Slurm does with lengths of time. `width`: characters of its column where a format names none; negative: justified left.
    `mark`: what ends some of its texts and stays where they are cut.
    """

    __slots__ = ("alias", "cut", "doc", "header", "letter", "listed", "mark", "name", "width")

    def __init__(
        self, name: str, letter: str, header: str, doc: str, listed: bool = True, cut: bool = True, alias: str = "", width: int = 0,
        mark: str = "",
    ) -> None:
        self.alias = alias
        self.name = name
        self.letter = letter
        self.header = header
        self.doc = doc
        self.listed = listed
        self.mark = mark
        self.cut = cut
        self.width = width


class Table:
    """Fields found by name (any case) or by letter."""

    __slots__ = ("by_letter", "by_name", "fields")

    def __init__(self, *fields: Field) -> None:
        self.fields = fields
        self.by_name = {name.lower(): field for field in fields for name in (field.alias, field.name) if name}
        self.by_letter = {field.letter: field for field in fields if field.letter}

    def names(self) -> list[str]:
        """The names that --helpFormat lists, in its order."""
        return [field.name for field in self.fields if field.listed]


JOB = Table(
    Field("Account", "a", "ACCOUNT", "Account the job is charged to."),
    Field("AccrueTime", "", "ACCRUE_TIME", "When the job began to gain priority by waiting."),
    Field("admin_comment", "", "ADMIN_COMMENT", "Comment of an administrator."),
    Field("AllocNodes", "", "ALLOC_NODES", "Host the job was submitted from."),
    Field("AllocSID", "", "ALLOC_SID", "Session id of the submitting shell."),
    Field("ArrayJobId", "F", "ARRAY_JOB_ID", "Job id of the whole array; the job's own id outside an array."),
    Field("ArrayTaskId", "K", "ARRAY_TASK_ID", "Task id in the array, or the ids that have not started."),
    Field("AssocId", "", "ASSOC_ID", "Association id of the accounting database."),
    Field("BatchFlag", "", "BATCH_FLAG", "1 for a batch job, 0 for an allocation."),
    Field("BatchHost", "B", "EXEC_HOST", "Node that runs the batch script."),
    Field("BoardsPerNode", "", "BOARDS_PER_NODE", "Boards asked for on each node."),
    Field("BurstBuffer", "", "BURST_BUFFER", "Burst buffer asked for."),
    Field("BurstBufferState", "", "BURST_BUFFER_STATE", "State of the burst buffer."),
    Field("Cluster", "", "CLUSTER", "Name of the cluster."),
    Field("ClusterFeature", "", "CLUSTER_FEATURES", "Cluster features asked for."),
    Field("Command", "o", "COMMAND", "Path of the batch script."),
    Field("Comment", "k", "COMMENT", "Comment of the owner."),
    Field("Container", "", "CONTAINER", "OCI container bundle."),
    Field("ContainerId", "", "CONTAINER_ID", "OCI container id."),
    Field("Contiguous", "O", "CONTIGUOUS", "1 when the nodes must be neighbours."),
    Field("Cores", "I", "CORES_PER_SOCKET", "Cores asked for on each socket."),
    Field("CoreSpec", "X", "CORE_SPEC", "Cores kept for the system on each node."),
    Field("CPUsPerTask", "", "CPUS_PER_TASK", "CPUs of each task."),
    Field("cpus-per-task", "", "CPUS_PER_TASK", "CPUs of each task."),
    Field("cpus-per-tres", "", "CPUS_PER_TRES", "CPUs for each GPU."),
    Field("CronJob", "", "CRON_JOB", "Whether scrontab submitted it."),
    Field("Deadline", "", "DEADLINE", "When the job must have ended."),
    Field("DelayBoot", "", "DELAY_BOOT", "How long a reboot for features may be put off."),
    Field("Dependency", "E", "DEPENDENCY", "Conditions on other jobs that are not met yet."),
    Field("DerivedEC", "", "DERIVED_EC", "Highest exit code of the job's steps, code:signal."),
    Field("EligibleTime", "", "ELIGIBLE_TIME", "When the job might start at the earliest."),
    Field("EndTime", "e", "END_TIME", "When the job ended or will end."),
    Field("ExcNodes", "x", "EXC_NODES", "Nodes the job must not use."),
    Field("Exclusive", "", "EXCLUSIVE", "Whether it shares nodes: NO, YES, USER."),
    Field("exit_code", "", "EXIT_CODE", "Exit code of the job, code:signal."),
    Field("Feature", "f", "FEATURES", "Node features asked for."),
    Field("GroupId", "G", "GROUP", "Group id of the owner."),
    Field("GroupName", "g", "GROUP", "Group name of the owner."),
    Field("HetJobId", "", "HET_JOB_ID", "Job id of the heterogeneous job's leader."),
    Field("HetJobIdSet", "", "HET_JOB_ID_SET", "Job ids of the heterogeneous job's components."),
    Field("HetJobOffset", "", "HET_JOB_OFFSET", "Number of the heterogeneous job's component."),
    Field("JobArrayId", "i", "JOBID", "Job id; ARRAY_TASK in an array."),
    Field("JobId", "A", "JOBID", "Job id of this very record."),
    Field("LastSchedEval", "", "LAST_SCHED_EVAL", "When the scheduler last looked at the job."),
    Field("Licenses", "W", "LICENSES", "Licences asked for."),
    Field("LicensesAlloc", "", "LICENSES_ALLOC", "Licences held."),
    Field("MaxCPUs", "", "MAX_CPUS", "Most CPUs the job may get, 0: no limit."),
    Field("MaxNodes", "", "MAX_NODES", "Most nodes the job may get, 0: no limit."),
    Field("mem-per-tres", "", "MEM_PER_TRES", "Memory for each GPU."),
    Field("MCSLabel", "", "MCSLABEL", "Multi-category security label."),
    Field("MinCPUs", "c", "MIN_CPUS", "Fewest CPUs on each node."),
    Field("MinMemory", "m", "MIN_MEMORY", "Memory asked for, on each node or for each CPU."),
    Field("MinTime", "", "MIN_TIME", "Shortest time limit the job accepts."),
    Field("MinTmpDisk", "d", "MIN_TMP_DISK", "Temporary disk on each node, MB."),
    Field("Name", "j", "NAME", "Name of the job."),
    Field("Network", "", "NETWORK", "Network asked for."),
    Field("Nice", "y", "NICE", "Adjustment of the priority."),
    Field("NodeList", "N", "NODELIST", "Nodes the job runs or ran on."),
    Field("NTPerCore", "", "NTASKS_PER_CORE", "Tasks on each core."),
    Field("NTPerNode", "", "NTASKS_PER_NODE", "Tasks on each node."),
    Field("NTPerSocket", "", "NTASKS_PER_SOCKET", "Tasks on each socket."),
    Field("NTPerBoard", "", "NTASKS_PER_BOARD", "Tasks on each board."),
    Field("NumCPUs", "C", "CPUS", "CPUs asked for or held."),
    Field("NumNodes", "D", "NODES", "Nodes asked for or held."),
    Field("NumTasks", "", "TASKS", "Tasks of the job."),
    Field("Origin", "", "ORIGIN", "Federation: cluster the job came from."),
    Field("OriginRaw", "", "ORIGIN_RAW", "Federation: id of the cluster the job came from."),
    Field("OverSubscribe", "h", "OVER_SUBSCRIBE", "Whether the job shares its CPUs."),
    Field("Partition", "P", "PARTITION", "Partition the job waits or runs in."),
    Field("PendingTime", "", "PENDING_TIME", "Seconds between submission and start."),
    Field("PreemptTime", "", "PREEMPT_TIME", "When the job was preempted."),
    Field("Prefer", "", "PREFER", "Features preferred, not required."),
    Field("Priority", "p", "PRIORITY", "Priority as a number below 1."),
    Field("PriorityLong", "Q", "PRIORITY", "Priority."),
    Field("Profile", "", "PROFILE", "Profiling asked for."),
    Field("QOS", "q", "QOS", "Quality of service."),
    Field("Reason", "r", "REASON", "Why the job waits or ended."),
    Field("ReasonList", "R", "NODELIST(REASON)", "Nodes of a running job; of others why they wait, in parentheses."),
    Field("Reboot", "", "REBOOT", "Whether the nodes are to be rebooted first."),
    Field("ReqNodes", "n", "REQ_NODES", "Nodes the job must use."),
    Field("ReqSwitch", "", "REQ_SWITCH", "Switches asked for."),
    Field("Requeue", "", "REQUEUE", "1 when the job may be requeued."),
    Field("Reservation", "v", "RESERVATION", "Reservation of the job."),
    Field("ResizeTime", "", "RESIZE_TIME", "When the job's size last changed."),
    Field("RestartCnt", "", "RESTART_COUNT", "How often the job was started again."),
    Field("Runtime", "", "RUNTIME", "Container runtime."),
    Field("SchedNodes", "Y", "SCHEDNODES", "Nodes the job is expected to start on."),
    Field("SCT", "z", "S:C:T", "Sockets, cores, threads asked for on each node."),
    Field("SegmentSize", "", "SEGMENT_SIZE", "Segment size of a block topology."),
    Field("SiblingsActive", "", "ACTIVE_SIBLINGS", "Federation: clusters with a sibling."),
    Field("SiblingsActiveRaw", "", "ACTIVE_SIBLINGS_RAW", "Federation: ids of clusters with a sibling."),
    Field("SiblingsViable", "", "VIABLE_SIBLINGS", "Federation: clusters that could run it."),
    Field("SiblingsViableRaw", "", "VIABLE_SIBLINGS_RAW", "Federation: ids of clusters that could run it."),
    Field("SLUID", "s", "SLUID", "Sortable unique id."),
    Field("Sockets", "H", "SOCKETS_PER_NODE", "Sockets asked for on each node."),
    Field("SPerBoard", "", "SOCKETS_PER_BOARD", "Sockets asked for on each board."),
    Field("StartTime", "S", "START_TIME", "When the job started or is expected to."),
    Field("State", "T", "STATE", "State in words."),
    Field("StateCompact", "t", "ST", "State in two letters."),
    Field("StdErr", "", "STDERR", "File of standard error."),
    Field("StdIn", "", "STDIN", "File of standard input."),
    Field("StdOut", "", "STDOUT", "File of standard output."),
    Field("SubmitTime", "V", "SUBMIT_TIME", "When the job was submitted."),
    Field("system_comment", "", "SYSTEM_COMMENT", "Comment of the system."),
    Field("Threads", "J", "THREADS_PER_CORE", "Threads asked for on each core."),
    Field("TimeLeft", "L", "TIME_LEFT", "Time until the limit.", cut=False),
    Field("TimeLimit", "l", "TIME_LIMIT", "Time limit.", cut=False),
    Field("TimeUsed", "M", "TIME", "Time the job has run.", cut=False),
    Field("tres-alloc", "", "TRES_ALLOC", "Trackable resources held; asked for while pending."),
    Field("tres-bind", "", "TRES_BIND", "Binding of tasks to GPUs."),
    Field("tres-freq", "", "TRES_FREQ", "GPU frequencies asked for."),
    Field("tres-per-job", "", "TRES_PER_JOB", "GPUs asked for by the job."),
    Field("tres-per-socket", "", "TRES_PER_SOCKET", "GPUs asked for on each socket."),
    Field("tres-per-task", "", "TRES_PER_TASK", "GPUs asked for by each task."),
    Field("UserId", "U", "UID", "User id of the owner."),
    Field("UserName", "u", "USER", "User name of the owner."),
    Field("Wait4Switch", "", "WAIT4SWITCH", "How long the job waits for its switches."),
    Field("WCKey", "w", "WCKEY", "Workload characterization key."),
    Field("WorkDir", "Z", "WORK_DIR", "Working directory."),
    Field("tres-per-node", "b", "TRES_PER_NODE", "GRES asked for on each node.", False, alias="gres"),
    Field("JobArrayIdBare", "", "JOBID", "Job id without the array's % limit, as --only-job-state shows it.", False),
)
"""Fields of jobs; those listed are in the order of `squeue --helpFormat`."""

STEP = Table(
    Field("StepId", "i", "STEPID", "Job id and step, 12.0 or 12.batch."),
    Field("StepName", "j", "NAME", "Name of the step."),
    Field("Partition", "P", "PARTITION", "Partition of the job."),
    Field("UserName", "u", "USER", "User name of the owner."),
    Field("UserId", "U", "UID", "User id of the owner."),
    Field("TimeUsed", "M", "TIME", "Time the step has run.", cut=False),
    Field("TimeLimit", "l", "TIME_LIMIT", "Time limit of the step.", cut=False),
    Field("StartTime", "S", "START_TIME", "When the step started."),
    Field("NodeList", "N", "NODELIST", "Nodes of the step."),
    Field("NumNodes", "D", "NODES", "How many nodes."),
    Field("NumCPUs", "C", "CPUS", "CPUs of the step."),
    Field("NumTasks", "A", "TASKS", "Tasks of the step."),
    Field("tres-per-node", "b", "TRES_PER_NODE", "GRES asked for on each node.", alias="gres"),
    Field("StepState", "t", "STATE", "State of the step."),
    Field("JobId", "", "JOBID", "Job id of the step's job."),
    Field("JobArrayId", "", "JOBID", "Job id of the step's job, ARRAY_TASK in an array."),
    Field("ArrayJobId", "", "ARRAY_JOB_ID", "Job id of the whole array."),
    Field("ArrayTaskId", "", "ARRAY_TASK_ID", "Task id in the array."),
    Field("SLUID", "s", "SLUID", "Sortable unique id of the job."),
    Field("State", "T", "STATE", "State of the step."),
)
"""Fields of job steps, for `squeue --steps`."""

NODE = Table(
    Field("AllocMem", "", "ALLOCMEM", "MB held by jobs."),
    Field("AllocNodes", "S", "ALLOCNODES", "Hosts that may submit to the partition."),
    Field("Available", "a", "AVAIL", "State of the partition."),
    Field("Cluster", "V", "CLUSTER", "Name of the cluster, in a federation."),
    Field("Comment", "", "COMMENT", "Comment of the node."),
    Field("Cores", "Y", "CORES", "Cores on each socket."),
    Field("CPUs", "c", "CPUS", "CPUs on each node."),
    Field("CPUsLoad", "O", "CPU_LOAD", "Load average of the node."),
    Field("CPUsState", "C", "CPUS(A/I/O/T)", "CPUs allocated/idle/other/total."),
    Field("DefaultTime", "L", "DEFAULTTIME", "Default time limit of the partition."),
    Field("Disk", "d", "TMP_DISK", "Temporary disk on each node, MB."),
    Field("Extra", "", "EXTRA", "Text attached to the node."),
    Field("Features", "f", "AVAIL_FEATURES", "Features of the node."),
    Field("features_act", "b", "ACTIVE_FEATURES", "Features of the node that are active."),
    Field("FreeMem", "e", "FREE_MEM", "Free memory as the node reports it, MB."),
    Field("Gres", "G", "GRES", "Generic resources of each node."),
    Field("GresUsed", "", "GRES_USED", "Generic resources held by jobs."),
    Field("Groups", "g", "GROUPS", "Groups that may use the partition."),
    Field("MaxCPUsPerNode", "B", "MAX_CPUS_PER_NODE", "Most CPUs of a node that the partition's jobs may use."),
    Field("Memory", "m", "MEMORY", "Memory on each node, MB."),
    Field("NodeAddr", "o", "NODE_ADDR", "Address of the node."),
    Field("NodeAI", "A", "NODES(A/I)", "Nodes allocated/idle."),
    Field("NodeAIOT", "F", "NODES(A/I/O/T)", "Nodes allocated/idle/other/total."),
    Field("NodeHost", "n", "HOSTNAMES", "Host name of the node."),
    Field("NodeList", "N", "NODELIST", "Names of the nodes."),
    Field("Nodes", "D", "NODES", "How many nodes."),
    Field("OverSubscribe", "h", "OVERSUBSCRIBE", "Whether jobs share the partition's CPUs."),
    Field("Partition", "P", "PARTITION", "Name of the partition, the default one with *.", mark="*"),
    Field("PartitionName", "R", "PARTITION", "Name of the partition."),
    Field("Port", "", "PORT", "Port of the node's slurmd."),
    Field("PreemptMode", "M", "PREEMPT_MODE", "What happens to a preempted job."),
    Field("PriorityJobFactor", "I", "PRIO_JOB_FACTOR", "Weight of the partition in a job's priority."),
    Field("PriorityTier", "p", "PRIO_TIER", "Tier of the partition: higher ones are served first."),
    Field("Reason", "E", "REASON", "Why the node is down or drained."),
    Field("Reservation", "i", "RESERVATION", "Whether the node is reserved."),
    Field("Root", "r", "ROOT", "Whether only root may submit."),
    Field("Size", "s", "JOB_SIZE", "Nodes a job may use, least-most."),
    Field("Sockets", "X", "SOCKETS", "Sockets of each node."),
    Field("SocketCoreThread", "z", "S:C:T", "Sockets:cores:threads of each node."),
    Field("StateCompact", "t", "STATE", "State in short."),
    Field("StateComplete", "", "STATECOMPLETE", "State with every flag."),
    Field("StateLong", "T", "STATE", "State in a word."),
    Field("Threads", "Z", "THREADS", "Threads on each core."),
    Field("Time", "l", "TIMELIMIT", "Longest time limit of the partition."),
    Field("TimeStamp", "H", "TIMESTAMP", "When the reason was set."),
    Field("User", "u", "USER", "Who set the reason."),
    Field("UserLong", "U", "USER", "Who set the reason, with the user id."),
    Field("Version", "v", "VERSION", "Version of the node's slurmd."),
    Field("Weight", "w", "WEIGHT", "Weight of the node: lower ones are used first."),
)
"""Fields of nodes and their partitions, for sinfo."""


def known(name: str, table: Table) -> Field:
    """The row of the table with this name."""
    field = table.by_name.get(name.lower())
    if field is None:
        raise InvalidRequest(message=f"unknown field: {name}")
    return field
