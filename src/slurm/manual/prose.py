"""What manual pages say besides their tables: a description, examples and what else to read, for each command and daemon."""

from __future__ import annotations

from typing import NamedTuple


class Prose(NamedTuple):
    """`description` in paragraphs, `examples` as (what for, command lines), `also` the pages that belong to it."""

    description: tuple[str, ...]
    examples: tuple[tuple[str, str], ...] = ()
    also: str = ""


_SUBMITTING = (
    "Options stand on the command line, in variables of the environment and, for sbatch, in `#SBATCH` lines of the script; the command "
    "line is the strongest, then the "
    "environment. An option that is not carried out is refused with the sentence that says so, and a word that is none of them with the "
    "nearest one that is.")
_EXIT = "0 when it did what was asked, otherwise 1, or SLURM_EXIT_ERROR where that is set."

COMMANDS: dict[str, Prose] = {
    "sbatch": Prose((
        "sbatch hands a script to the controller and returns at once with the number of the job; the script runs on the first of the "
        "nodes that the job gets, when it gets them. "
        "The script begins with `#!`, and lines below that which begin with `#SBATCH` hold options. Without the name of a file the script "
        "is read from standard input.",
        _SUBMITTING,
        "A job whose number was printed is on the disk of the controller: it is neither lost nor run twice, whatever ends in between.",
        "In the names of files `%j` stands for the job, `%A` and `%a` for array and task, `%x` for its name, `%N` for the first node, "
        "`%u` for the user; without `--output` "
        "both streams go to slurm-%j.out in the folder where sbatch was called.",
    ), (
        ("A script with four tasks of two CPUs for ten minutes:", "sbatch -n 4 -c 2 -t 10 train.sh"),
        ("A hundred tasks, ten of them at a time:", "sbatch --array=1-100%10 sweep.sh"),
        ("One command line, after another job has ended well:", "sbatch -d afterok:1234 --wrap './evaluate results'"),
        ("Wait for the end and exit as the job did:", "sbatch --wait train.sh"),
    ), "srun(1) salloc(1) squeue(1) scancel(1) sacct(1) slurm.conf(5)"),
    "srun": Prose((
        "Within a job srun starts a step: its program as parallel tasks on resources of the job. Outside one it asks for a job first and "
        "waits until it starts. "
        "Input goes to the tasks, what they write comes back, and srun exits with the highest exit status of a task.",
        _SUBMITTING,
        "Ctrl-C once says how the tasks stand, twice within a second ends them.",
    ), (
        ("Eight tasks of a job, each line with the number of its task:", "srun -n 8 --label ./solve"),
        ("A shell on a node with a GPU:", "srun --gpus=1 --pty bash"),
        ("Two steps beside each other in one job:", "srun --exact -n 2 ./left & srun --exact -n 2 ./right & wait"),
    ), "sbatch(1) salloc(1) sattach(1) sbcast(1)"),
    "salloc": Prose((
        "salloc asks for a job, waits until it starts and then runs a program, or a shell, that may use it by srun. The job ends with the "
        "program.",
        _SUBMITTING,
    ), (("Two nodes for half an hour:", "salloc -N 2 -t 30"),), "srun(1) sbatch(1)"),
    "squeue": Prose((
        "squeue shows jobs that wait, run or are just ending, and in the last column on which nodes, or why not yet. `slurm explain` says "
        "more about why.",
        "`--format` has letters (`%.18i %.9P %.8j`, a number for the width, a point for right justified), `--Format` has names "
        "(`JobID:18,Partition:9`).",
    ), (
        ("One's own jobs, and when those that wait are expected to start:", "squeue --me --start"),
        ("Numbers and states for a script:", "squeue -h -o '%i %T' -u ada"),
        ("The queue as it was at noon:", "squeue --at 12:00"),
    ), "sinfo(1) scontrol(1) sprio(1) slurm-explain(1)"),
    "sinfo": Prose((
        "sinfo shows partitions and how many of their nodes are in which state. A `*` behind a state marks nodes that do not answer, `~` "
        "such as are switched off, `#` such as come up.",
    ), (("A line for each node:", "sinfo -N -l"), ("Why nodes are drained or down:", "sinfo -R")), "squeue(1) scontrol(1)"),
    "scancel": Prose((
        "scancel ends jobs, or sends them a signal: those that are named, or all that the options mean. Users end their own jobs, "
        "operators and coordinators those of others.",
        "Processes get SIGTERM, and SIGKILL when KillWait is over.",
    ), (
        ("A job, a task of an array, a step:", "scancel 1234 1300_7 1240.0"),
        ("All of one's own that still wait:", "scancel --me -t PENDING"),
        ("A signal for the batch shell alone:", "scancel -b -s USR1 1234"),
    ), "sbatch(1) squeue(1)"),
    "scontrol": Prose((
        "scontrol shows everything about jobs, steps, nodes, partitions, reservations and the configuration, and changes what may be "
        "changed. Most changes are for root and SlurmUser; "
        "users hold, release, requeue and change jobs of their own. Called without a keyword it reads lines of them.",
    ), (
        ("Everything about a job:", "scontrol show job 1234"),
        ("Take a node out of use, and back:", "scontrol update nodename=cn03 state=drain reason='bad dimm'\nscontrol update nodename=cn03 "
                                              "state=resume"),
        ("A longer limit:", "scontrol update jobid=1234 timelimit=+2:00:00"),
        ("Read slurm.conf again:", "scontrol reconfigure"),
    ), "squeue(1) sinfo(1) sacctmgr(1) slurm.conf(5)"),
    "sacct": Prose((
        "sacct shows jobs and their steps, those that have ended included, as accounting knows them: with "
        "AccountingStorageType=accounting_storage/slurmdbd. "
        "By default one's own since midnight; `--starttime` reaches further back, `--allusers` to others.",
    ), (
        ("What a job used, step by step:", "sacct -j 1234 -o jobid,state,elapsed,totalcpu,maxrss"),
        ("Jobs that failed in the last week:", "sacct -X -S now-7days -s failed,timeout,out_of_memory"),
    ), "sreport(1) sstat(1) seff(1) sacctmgr(1)"),
    "sstat": Prose((
        "sstat shows what the tasks of running steps have used until now. `--allsteps` shows every step of a job, where otherwise the "
        "lowest is shown.",
    ), (("Memory of all steps of a job:", "sstat -a -j 1234 -o jobid,maxrss,avecpu"),), "sacct(1) seff(1)"),
    "sreport": Prose((
        "sreport sums up what was used in a time by account, user, wckey or size of jobs, and how much of a cluster was used, reserved or "
        "down. Without a report it reads lines of them.",
    ), (
        ("Who used how many hours in November:", "sreport -t hours cluster AccountUtilizationByUser start=2026-11-01 end=2026-12-01"),
        ("How busy the cluster was:", "sreport cluster utilization start=2026-11-01"),
    ), "sacct(1) sacctmgr(1)"),
    "seff": Prose(("seff shows how much of the CPUs, memory and GPUs that a job held it used.",), (("One job:", "seff 1234"),),
    "sacct(1) slurm-report(1)"),
    "sacctmgr": Prose((
        "sacctmgr shows and changes what accounting knows of who may use what: clusters, accounts, users, their limits and shares, QOS, "
        "wckeys, licences. Before a change it asks, "
        "unless `--immediate` is given. Words may be shortened as long as they are clear; without any it reads lines of them.",
        "A change has the form *ENTITY* `where` conditions `set` changes. What is not given of an association holds as its parent has it.",
    ), (
        ("An account, and a user in it:", "sacctmgr add account physics Description=lab Organization=uni\nsacctmgr add user ada "
                                          "Account=physics"),
        ("At most 64 CPUs at once for an account:", "sacctmgr modify account physics set GrpTRES=cpu=64"),
        ("Everything into a file, and back:", "sacctmgr dump mycluster File=policy.cfg\nsacctmgr load policy.cfg"),
    ), "sacct(1) sshare(1) sreport(1) slurmdbd.conf(5)"),
    "sshare": Prose(("sshare shows the shares of accounts and users, what they used of them, and the fair share that follows.",),
        (("Everybody's:", "sshare -a"),), "sprio(1) sacctmgr(1)"),
    "sprio": Prose(("sprio shows what the priorities of waiting jobs are made of: age, fair share, size, partition, QOS, nice, and their "
                    "weights.",),
        (("All parts of one job:", "sprio -l -j 1234"),), "squeue(1) sshare(1)"),
    "sdiag": Prose(("sdiag shows how busy slurmctld was: jobs taken, started and ended, passes of the scheduler and how long they took, "
                    "requests by kind and by user.",),
        (("From now on:", "sdiag --reset"),), "scontrol(1) slurmctld(8)"),
    "strigger": Prose(("strigger has slurmctld run a program when something happens: a job ends or nears its limit, a node goes down, "
                       "drains or comes back, a daemon fails. "
        "The program runs as who asked, once.",),
        (("Mail when a node goes down:", "strigger --set --down --program=/usr/local/sbin/node_down"),
        ("Five minutes before the limit of a job:",
            "strigger --set --jobid=1234 --time --offset=-300 --program=/home/ada/checkpoint")), "scontrol(1)"),
    "scrontab": Prose(("scrontab keeps a crontab whose entries run as batch jobs: `minute hour day month weekday command`, `#SCRON` lines "
                       "before an entry hold options of sbatch(1).",
        "It takes `ScronParameters=enable` in slurm.conf."),
        (("Edit it:", "scrontab -e"), ("Show it:", "scrontab -l")), "sbatch(1)"),
    "sattach": Prose(("sattach shows what the tasks of a running step write and hands them what is typed, besides the srun that began "
                      "it.",), (("A step:", "sattach 1234.0"),), "srun(1)"),
    "sbcast": Prose(("sbcast copies a file to the same place on every node of a job, for the programs of its steps.",),
        (("A program to the nodes' own disk:", "sbcast ./solve /tmp/solve && srun /tmp/solve"),), "sgather(1) srun(1)"),
    "sgather": Prose(("sgather copies a file from every node of a job; the copies have the names of the nodes at their ends.",),
        (("Logs of all nodes:", "sgather /tmp/solve.log solve.log"),), "sbcast(1)"),
}

DAEMONS: dict[str, Prose] = {
    "slurmctld": Prose((
        "slurmctld is the controller of a cluster. It takes jobs, decides which starts where, tells the slurmd of the nodes, and tells "
        "slurmdbd what happened. Every event is in its "
        "journal below StateSaveLocation before it is acknowledged; a controller that was killed goes on where it was.",
        "It goes to the background as soon as it serves, unless `-D` is given. Under systemd it says so by sd_notify(3).",
        "SIGTERM, SIGINT end it in order, SIGHUP has it read its configuration again, SIGUSR2 the level of its log, whose file it opens "
        "again.",
    ), (("Whether a configuration holds:", "slurmctld -t"), ("In the foreground, talking:", "slurmctld -D -vv")),
    "slurm.conf(5) slurmd(8) slurmdbd(8) scontrol(1)"),
    "slurmd": Prose((
        "slurmd runs on every node: it connects to slurmctld, starts a slurmstepd for each step of a job and reports what became of it. "
        "Steps outlive a restart of slurmd.",
        "It runs as root, where jobs run as their owners. The cgroups of jobs are made below its own, which its unit delegates to it.",
    ), (("The line of this machine for slurm.conf:", "slurmd -C"),), "slurm.conf(5) gres.conf(5) cgroup.conf(5) slurmctld(8)"),
    "slurmdbd": Prose((
        "slurmdbd keeps the accounting of one cluster or several in a database: SQLite, PostgreSQL, MariaDB. It makes its tables and "
        "brings older ones up to date by itself.",
    ), (), "slurmdbd.conf(5) sacctmgr(1) sacct(1)"),
    "slurmrestd": Prose((
        "slurmrestd serves Slurm's REST API, streams of changes, metrics and a web page, at TCP ports, with TLS, at unix sockets, or for "
        "one connection on standard input.",
        "It runs as a user with no rights of his own: not as root, nor as SlurmUser. Who asks is proven by the unix socket or by a token "
        "(`scontrol token`).",
    ), (("At a unix socket, as user slurmrestd:", "slurmrestd -u slurmrestd unix:/run/slurmrestd/slurmrestd.sock"),),
    "scontrol(1) slurm.conf(5)"),
    "sackd": Prose((
        "sackd runs on login nodes: it carries the commands of users there to slurmctld, by a certificate of its own, so that users need "
        "no key.",
    ), (), "slurm.conf(5) slurm-cert(1)"),
}

FILES: dict[str, tuple[str, tuple[str, ...], str]] = {
    "slurm.conf": ("configuration of a cluster", (
        "slurm.conf describes a cluster: its controller, its nodes and partitions, and how it works. It is the same on all machines, "
        "`/etc/slurm/slurm.conf`, or what SLURM_CONF names.",
        "A line holds `Key=Value` pairs, `#` begins a comment, a `\\` at the end goes on with the next line, `Include FILE` reads another "
        "file. Case of keys does not matter. Lines that begin with "
        "NodeName, PartitionName, NodeSet and DownNodes describe these; their keys stand on the same line.",
        "What Slurm knows and slurm-py does not carry out is read, and daemons warn of it when they start. What stands in no list is an "
        "error, and the nearest key is named.",
    ), "slurmctld(8) slurmd(8) gres.conf(5) cgroup.conf(5) topology.conf(5) slurmdbd.conf(5)"),
    "slurmdbd.conf": ("configuration of slurmdbd", (
        "slurmdbd.conf lies beside slurm.conf on the machine of slurmdbd, belongs to its SlurmUser and has mode 0600, since it holds a "
        "password.",), "slurmdbd(8) slurm.conf(5)"),
    "gres.conf": ("generic resources of nodes", (
        "gres.conf says which device files the generic resources of a node are, and which cores are near them. How many there are stands "
        "in slurm.conf too (`Gres=`).",), "slurm.conf(5) slurmd(8)"),
    "cgroup.conf": ("how jobs are held by cgroups", (
        "cgroup.conf says which of a node's resources jobs are held to. It takes `TaskPlugin=task/cgroup` and "
        "`ProctrackType=proctrack/cgroup` in slurm.conf.",), "slurm.conf(5) slurmd(8)"),
    "topology.conf": ("network of the nodes", (
        "topology.conf says how nodes lie in the network: a tree of switches (`TopologyPlugin=topology/tree`) or blocks "
        "(`topology/block`). Jobs get nodes that are near each other.",),
        "slurm.conf(5)"),
}

EXIT = _EXIT

FILE_EXAMPLES: dict[str, str] = {
    "slurm.conf": """\
ClusterName=lab
SlurmctldHost=head
SlurmUser=slurm
AuthType=auth/slurm
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldLogFile=/var/log/slurm/slurmctld.log
SlurmdLogFile=/var/log/slurm/slurmd.log
ProctrackType=proctrack/cgroup
TaskPlugin=task/cgroup,task/affinity
DefMemPerCPU=2000
NodeName=cn[01-03] CPUs=16 RealMemory=64000
PartitionName=main Nodes=ALL Default=YES MaxTime=7-0""",
    "slurmdbd.conf": """\
AuthType=auth/slurm
DbdHost=head
SlurmUser=slurm
StorageType=accounting_storage/postgresql
StorageLoc=slurm_acct_db
StorageUser=slurm
StoragePass=secret
LogFile=/var/log/slurm/slurmdbd.log""",
    "gres.conf": "NodeName=cn[01-02] Name=gpu Type=a100 File=/dev/nvidia[0-3] Cores=0-15",
    "cgroup.conf": "ConstrainCores=yes\nConstrainRAMSpace=yes\nConstrainDevices=yes",
    "topology.conf": "SwitchName=leaf1 Nodes=cn[01-16]\nSwitchName=leaf2 Nodes=cn[17-32]\nSwitchName=root Switches=leaf[1-2]",
}
