"""A real Slurm 22.05 (Debian's) as its commands report it, in our records; the texts were printed by one."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slurm.commands import shadow
from slurm.notation import moment
from slurm.render.explanation import lines
from slurm.sdk.errors import BackendError
from slurm.sdk.following import planning as reported
from slurm.sdk.following.inspection import CELL

NOW = moment.parse("2026-11-30T17:46:53", 1_790_000_000.0, past=True)
CONFIG = """Configuration data as of 2026-11-30T17:35:50
AccountingStorageEnforce = none
ClusterName             = bench
DefMemPerCPU            = 500
EnforcePartLimits       = NO
GresTypes               = gpu
Licenses                = (null)
MaxArraySize            = 1000001
MaxMemPerNode           = UNLIMITED
SchedulerParameters     = bf_interval=2,sched_interval=2,something_new=3
SchedulerType           = sched/backfill
SelectType              = select/cons_tres
SelectTypeParameters    = CR_CORE_MEMORY
SlurmctldHost[0]        = vm(127.0.0.1)
"""
NODE = """NodeName={name} Arch=x86_64 CoresPerSocket=32
   CPUAlloc=0 CPUEfctv=32 CPUTot=32 CPULoad=19.50
   AvailableFeatures=(null)
   ActiveFeatures=(null)
   Gres=gpu:a100:4(S:0)
   NodeAddr=127.0.0.1 NodeHostName=vm Port=40529 Version=22.05.8
   OS=Linux 6.18.44-fc-v782 #1 SMP PREEMPT_DYNAMIC @0
   RealMemory=64000 AllocMem=1000 FreeMem=16811 Sockets=1 Boards=1
   State={state} ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=nodes,gpu
{reason}"""
NODES = "\n\n".join([NODE.format(name=name, state="MIXED", reason="") for name in ("n1", "n2", "n3")] + [
    NODE.format(name="n4", state="IDLE+DRAIN", reason="   Reason=bad dimm [root@2026-11-30T17:00:00]\n")])
PARTITIONS = """PartitionName=nodes
   AllowGroups=ALL AllowAccounts=ALL AllowQos=ALL
   AllocNodes=ALL Default=YES QoS=N/A
   DefaultTime=NONE DisableRootJobs=NO ExclusiveUser=NO GraceTime=0 Hidden=NO
   MaxNodes=UNLIMITED MaxTime=UNLIMITED MinNodes=0 LLN=NO MaxCPUsPerNode=UNLIMITED
   Nodes=n[1-4]
   PriorityJobFactor=1 PriorityTier=1 RootOnly=NO ReqResv=NO OverSubscribe=NO
   OverTimeLimit=NONE PreemptMode=OFF
   State=UP TotalCPUs=128 TotalNodes=4 SelectTypeParameters=NONE
   JobDefaults=(null)
   DefMemPerNode=UNLIMITED MaxMemPerNode=UNLIMITED

PartitionName=empty
   AllowGroups=ALL Nodes=(null) State=UP
"""
JOB = """JobId={id} {array}JobName={name}
   UserId=ada(1001) GroupId=ada(1001) MCS_label=N/A
   Priority={priority} Nice=0 Account=(null) QOS=(null)
   JobState={state} Reason={reason} Dependency={dependency}
   RunTime=00:00:02 TimeLimit={limit} TimeMin=N/A
   SubmitTime=2026-11-30T17:46:40 EligibleTime=2026-11-30T17:46:40
   AccrueTime=2026-11-30T17:46:40
   StartTime={start} EndTime=Unknown Deadline=N/A
   Partition=nodes AllocNode:Sid=localhost:29607
   ReqNodeList=(null) ExcNodeList=(null)
   NodeList={nodelist}
   NumNodes={nodes} NumCPUs={cpus} NumTasks={cpus} CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   TRES=cpu={cpus},mem=1000M,node=1,billing=2
   Socks/Node=* NtasksPerN:B:S:C=0:0:*:* CoreSpec=*
{held}   MinCPUsNode=1 MinMemoryCPU=500M MinTmpDiskNode=0
   Features=(null) DelayBoot=00:00:00
   OverSubscribe={share} Contiguous=0 Licenses=(null) Network=(null)
   Command=(null)
   WorkDir=/home/ada
   StdErr=/home/ada/slurm-1.out
   StdIn=/dev/null
   StdOut=/home/ada/slurm-1.out
"""
PLAIN = {"array": "", "name": "wrap", "priority": 4294901759, "dependency": "(null)", "limit": "00:10:00", "nodelist": "", "nodes": 1,
         "cpus": 2, "held": "", "share": "OK", "reason": "None", "state": "PENDING", "start": "Unknown"}


def job(id: int, **fields: object) -> str:
    return JOB.format(**PLAIN | {"id": id} | fields)


def running(id: int, where: str, cpus: int, ids: str, nodes: int = 1, **fields: object) -> str:
    held = f"   JOB_GRES=gpu:a100:1\n     Nodes={where} CPU_IDs={ids} Mem=1000 GRES=gpu:a100:1(IDX:2)\n"
    return job(id, state="RUNNING", start="2026-11-30T17:46:49", nodelist=where, cpus=cpus, nodes=nodes, held=held, **fields)


JOBS = "\n".join([
    running(1, "n1", 2, "0-1"), running(2, "n[2-3]", 64, "0-31", 2, share="NO", limit="00:05:00"),
    job(6, array="ArrayJobId=3 ArrayTaskId=3-5%2 ArrayTaskThrottle=2 ", reason="JobArrayTaskLimit", priority=4294901757),
    job(4, dependency="afterok:1(unfulfilled)", reason="Dependency", priority=4294901756),
    job(5, reason="JobHeldUser", priority=0), job(7, reason="Resources", share="NO", limit="02:00:00", cpus=1, priority=4294901753,
                                                  start="2026-11-30T17:51:49").replace("NodeList=\n", "NodeList= SchedNodeList=n2\n"),
    job(8, state="COMPLETED")])


def ask(words: Sequence[str]) -> str:
    asked = {"config": CONFIG, "node": NODES, "partition": PARTITIONS, "job": JOBS, "reservation": "No reservations in the system\n"}
    assert words[0] == "scontrol" and "show" in words
    return asked[words[-1]]


def test_nodes_partitions_and_what_jobs_hold_are_taken_over() -> None:
    found = reported.report(ask, NOW)
    nodes = found.cluster.nodes
    assert (found.left_out, len(nodes), list(found.cluster.partitions)) == ([], 4, ["nodes"])
    assert [len(node.cpus_used) for node in nodes.values()] == [2, 32, 32, 0] and nodes["n1"].memory_used == 1000  # type: ignore[index]
    assert list(nodes["n1"].gres_used["gpu"]) == [2] and nodes["n4"].drain and not nodes["n4"].usable  # type: ignore[index]
    assert found.cluster.settings.backfill_interval == 2 and found.cluster.settings.def_mem_per_cpu == 500


def test_the_plan_agrees_with_what_that_slurm_expected_and_jobs_have_its_names() -> None:
    drawn = reported.schedule_of(reported.report(ask, NOW))
    assert [(bar.job, bar.nodes, bar.planned) for bar in drawn.bars] == [("1", "n1", False), ("2", "n[2-3]", False), ("7", "n2", True)]
    assert abs(drawn.bars[2].start - moment.parse("2026-11-30T17:51:49", NOW, past=True)) <= 60
    assert {one.job: one.reason for one in drawn.waiting} == {
        "3_[3-5%2]": "JobArrayTaskLimit", "4": "Dependency", "5": "JobHeldUser"}


def test_a_job_that_waits_for_room_is_explained_with_evidence_and_suggestions() -> None:
    explained = reported.explanation_of(reported.report(ask, NOW), "7")
    assert explained is not None and explained.reason == "Resources"
    told = lines(explained)
    assert "  its own scheduler expects it to start: at 2026-11-30T17:51:49 on n2" in told
    assert any(line.startswith("  n1: it is not empty, held by job 1") for line in told)
    assert [(one.command, one.start) for one in explained.suggestions] == [("scontrol update JobId=7 OverSubscribe=no", NOW)]
    assert reported.explanation_of(reported.report(ask, NOW), "4") is None, "its own reason says more"


def test_another_configuration_takes_the_place_of_the_reported_one(tmp_path: object) -> None:
    path = f"{tmp_path}/slurm.conf"
    with open(path, "w") as file:
        file.write("ClusterName=bench\nSlurmctldHost=localhost\nAuthType=auth/local\nSlurmUser=root\nGresTypes=gpu\n"
                   "NodeName=n[1-5] CPUs=32 RealMemory=64000 Gres=gpu:a100:4\nPartitionName=nodes Nodes=n[1-5] Default=YES\n")
    with open(f"{tmp_path}/gres.conf", "w") as file:
        file.write("Name=gpu Type=a100 Count=4\n")
    drawn = reported.schedule_of(reported.report(ask, NOW, path))
    assert [(bar.job, bar.nodes, bar.start) for bar in drawn.bars if bar.planned] == [("7", "n5", NOW)]


def test_what_cannot_be_understood_is_said() -> None:
    with pytest.raises(BackendError, match="is not understood"):
        reported.report(lambda words: "PartitionName=x Nodes=n1 MaxTime=soon" if words[-1] == "partition" else ask(words), NOW)


def past(*rows: tuple[str, str, str, str, str, str]) -> str:
    return "".join(CELL.join([id, "ada", "nodes", submit, submit, start, seconds, limit, "1", tres, "COMPLETED"]) + "\n"
                   for id, submit, start, seconds, limit, tres in rows)


def test_a_shadow_compares_the_waits_of_the_same_jobs() -> None:
    said = past(
        ("1", "2026-11-30T10:00:00", "2026-11-30T10:00:00", "600", "20", "billing=128,cpu=32,mem=1000M,node=1"),
        ("2", "2026-11-30T10:00:10", "2026-11-30T11:00:00", "60", "20", "cpu=2,mem=1000M,node=1"),
        ("3", "2026-11-30T10:00:20", "2026-11-30T10:00:20", "60", "20", "cpu=99,mem=1000M,node=1"),
        ("4", "2026-11-30T10:00:20", "Unknown", "0", "20", "cpu=1,node=1"), ("5", "soon", "2026-11-30T10:00:20", "1", "1", "cpu=1"))

    def answer(words: Sequence[str]) -> str:
        return said if words[0] == "sacct" else ask(words)

    found = shadow.of(answer, "now-1days", NOW)
    assert (found.jobs, found.theirs, found.ours) == (["1", "2", "3"], [0.0, 3590.0, 0.0], [0.0, 0.0, 580.0]) and found.left_out == 1
    assert found.largest(1) == [("2", 3590.0, 0.0)] and list(shadow.lines(found))[-3].split() == ["2", "3590", "0"]
    with pytest.raises(BackendError, match="keeps no accounting"):
        shadow.of(lambda words: "Slurm accounting storage is disabled\n", "now-1days", NOW)
