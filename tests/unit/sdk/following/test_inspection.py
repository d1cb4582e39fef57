"""What Slurm's commands print, read: names that look like something else, arrays, several records, nodes, partitions, accounting."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from slurm.sdk.errors import BackendCommandError
from slurm.sdk.following import inspection, past
from slurm.sdk.following.inspection import CELL, PARTITIONS, QUEUE, ROW, UnknownJob
from slurm.sdk.following.status import Status, sentence


class Cluster:
    """Answers each command with what it was told to, and keeps what it was asked."""

    def __init__(self, *answers: str | BackendCommandError) -> None:
        self.answers = list(answers)
        self.asked: list[list[str]] = []

    def ask(self, words: Sequence[str]) -> str:
        self.asked.append(list(words))
        answer = self.answers.pop(0)
        if isinstance(answer, BackendCommandError):
            raise answer
        return answer


def line(*names: str, **cells: str) -> str:
    """A line of squeue."""
    values = {name: "x" for name in QUEUE} | {"%D": "1", "%C": "2", "%Q": "4294901757", "%S": "N/A", "%a": "(null)"}
    return ROW + CELL.join((values | {f"%{name}": text for name, text in cells.items()}).values()) + "\n"


@pytest.mark.parametrize("name", ["plain", "a | b \"c\" State=X", "with blanks", "new\nline", "JobId=7", "", "None", "N/A", "~ü%j"])
def test_a_job_may_be_called_anything(name: str) -> None:
    cluster = Cluster(line(i="1", j=name, T="RUNNING") + line(i="2", j="other", T="PENDING"))
    first, second = inspection.queue(cluster.ask)
    assert (first.id, first.name, first.state) == ("1", name, "RUNNING")
    assert (second.id, second.name, second.account, second.start, second.cpus) == ("2", "other", "", "", 2)


def test_the_elements_that_wait_in_one_line_are_counted() -> None:
    rows = inspection.queue(Cluster(line(i="3_[6-99:3%2]", T="PENDING") + line(i="3_0", T="RUNNING") + line(i="9", T="PENDING")).ask)
    assert [row.tasks for row in rows] == [32, 1, 1]
    assert inspection.counts(rows) == {"PENDING": 33, "RUNNING": 1}


def test_what_is_asked_for_stands_on_the_command_line() -> None:
    cluster = Cluster(line(i="1"))
    assert len(inspection.queue(cluster.ask, mine=True, users=["ada", "bob"], states=["all"], partitions=["gpu"], ids=["1", "2_3"], elements=True)) == 1
    assert cluster.asked[0][4:] == ["--me", "-r", "-u", "ada,bob", "-t", "all", "-p", "gpu", "-j", "1,2_3"]


def test_ids_that_the_cluster_has_forgotten_are_left_out_and_other_errors_are_not() -> None:
    assert inspection.queue(Cluster(BackendCommandError("slurm_load_jobs error: Invalid job id specified")).ask, ids=["5"]) == []
    with pytest.raises(BackendCommandError, match="Unable to contact"):
        inspection.queue(Cluster(BackendCommandError("Unable to contact slurm controller")).ask, ids=["5"])


RECORD = """JobId=1 JobName=a | b "c" JobState=FAKE
   UserId=ada(1000) GroupId=users(100) MCS_label=N/A
   Priority=4294901759 Nice=0 Account=(null) QOS=normal
   JobState=PENDING Reason=Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved_for_jobs_in_higher_priority_partitions Dependency=(null)
   Requeue=1 Restarts=0 BatchFlag=1 Reboot=0 ExitCode=0:0
   RunTime=00:00:03 TimeLimit=365-00:00:00 TimeMin=N/A
   SubmitTime=2026-11-21T06:39:39 EligibleTime=2026-11-21T06:39:39
   StartTime=Unknown EndTime=Unknown Deadline=N/A
   Partition=debug AllocNode:Sid=localhost:17200
   NodeList=
   NumNodes=1-1 NumCPUs=4 NumTasks=1 CPUs/Task=1 ReqB:S:C:T=0:0:*:*
   TRES=cpu=4,mem=100M,node=1,billing=1
   Command=/home/ada/my script.sh --lr=0.1 Partition=none
   WorkDir=/home/ada/my work
   Comment=some text, State=here
   StdErr=
   StdIn=/dev/null
   StdOut=/home/ada/my work/slurm-1.out
   Power=

"""


def test_a_record_of_scontrol_is_read_by_its_places_and_not_by_what_looks_like_keys() -> None:
    (found,) = inspection.job(Cluster(RECORD).ask, "1")
    assert (found.name, found.user, found.state) == ('a | b "c" JobState=FAKE', "ada", "PENDING")
    assert found.command == "/home/ada/my script.sh --lr=0.1 Partition=none"
    assert (found.partition, found.work_dir, found.account, found.start) == ("debug", "/home/ada/my work", "", "")
    assert found.stdout == found.stderr == "/home/ada/my work/slurm-1.out"
    assert (found.nodes, found.cpus, found.requested, found.allocated) == (1, 4, "cpu=4,mem=100M,node=1,billing=1", "")
    assert found.fields["Comment"] == "some text, State=here"
    assert sentence(Status(found.state, "", found.reason)) == "nodes that it needs are down, drained or reserved"


def test_a_name_may_hold_line_ends_and_records_follow_one_another() -> None:
    said = RECORD.replace('a | b "c" JobState=FAKE', "new\nJobId=99 line\n  NodeList=cn99") + RECORD.replace(
        "JobId=1 JobName", "JobId=5 ArrayJobId=3 ArrayTaskId=2 ArrayTaskThrottle=2 JobName") + RECORD.replace(
        "JobId=1 JobName", "JobId=3 ArrayJobId=3 ArrayTaskId=4-9%2 ArrayTaskThrottle=2 JobName")
    first, element, waiting = inspection.job(Cluster(said).ask, "3")
    assert (first.name, first.nodelist, first.state) == ("new\nJobId=99 line\n  NodeList=cn99", "", "PENDING")
    assert (element.id, element.raw_id, element.array_id) == ("3_2", "5", "3")
    assert waiting.id == "3_[4-9%2]"


def test_what_slurm_leaves_in_the_names_of_files_is_filled_in() -> None:
    said = RECORD.replace("slurm-1.out", "%N-%4a-%s-%x.out").replace("NodeList=\n", "NodeList=cn[02-03]\n   BatchHost=cn02\n").replace(
        'a | b "c" JobState=FAKE', "name")
    (found,) = inspection.job(Cluster(said.replace("JobId=1 JobName", "JobId=5 ArrayJobId=3 ArrayTaskId=2 JobName")).ask, "3_2")
    assert found.stdout == "/home/ada/my work/cn02-0002-batch-name.out"
    (waiting,) = inspection.job(Cluster(RECORD.replace("slurm-1.out", "%N-4294967294.out").replace(
        "JobId=1 JobName", "JobId=3 ArrayJobId=3 ArrayTaskId=4-9 JobName")).ask, "3")
    assert waiting.stdout == "/home/ada/my work/%N-%a.out"


def test_an_unknown_job_is_an_error_of_its_own() -> None:
    with pytest.raises(UnknownJob, match="knows no job 99"):
        inspection.job(Cluster(BackendCommandError("slurm_load_jobs error: Invalid job id specified")).ask, "99")


NODES = """NodeName=cn01 Arch=x86_64 CoresPerSocket=16 
   CPUAlloc=3 CPUEfctv=16 CPUTot=16 CPULoad=0.41
   AvailableFeatures=intel,ib
   ActiveFeatures=intel,ib
   Gres=gpu:h100:2(S:0-1),gpu:a100:1
   GresUsed=gpu:h100:1(IDX:0),gpu:a100:0(IDX:N/A)
   OS=Linux 6.18.44 #1 SMP State=DOWN @0 
   RealMemory=65536 AllocMem=300 FreeMem=22213 Sockets=1 Boards=1
   State=MIXED ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=debug,gpu 
   CfgTRES=cpu=16,mem=64G,billing=16,gres/gpu=2

NodeName=cn02 CoresPerSocket=16 
   CPUAlloc=0 CPUEfctv=16 CPUTot=16 CPULoad=N/A
   Gres=(null)
   RealMemory=65536 AllocMem=0 FreeMem=N/A Sockets=1 Boards=1
   State=IDLE+DRAIN ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A MCS_label=N/A
   Partitions=debug 
   Reason=bad disk [sdb] again [root@2026-11-21T06:39:39]

"""


def test_nodes_say_what_is_used_of_them_and_why_they_are_not_used() -> None:
    first, second = inspection.nodes(Cluster(NODES).ask)
    assert (first.name, first.state, first.usable, first.partitions) == ("cn01", "MIXED", True, ("debug", "gpu"))
    assert (first.cpus, first.cpus_allocated, first.load, first.memory, first.memory_allocated, first.memory_free) == (16, 3, 0.41, 65536, 300, 22213)
    assert (first.gpus, first.gpus_allocated, first.gpu_type, first.features) == (3, 1, "h100", "intel,ib")
    assert (second.usable, second.load, second.memory_free, second.gpus) == (False, None, None, 0)
    assert (second.reason, second.since) == ("bad disk [sdb] again", "root@2026-11-21T06:39:39")


def test_a_partition_is_one_row_however_many_states_its_nodes_have() -> None:
    def row(*cells: str) -> str:
        return ROW + CELL.join(cells) + "\n"

    assert len(PARTITIONS) == 9
    said = (row("debug*", "up", "1:00:00", "2", "idle", "0/32/0/32", "64000", "(null)", "cn[01-02]")
            + row("gpu", "down", "infinite", "1", "down*", "0/0/16/16", "64000", "gpu:h100:2", "cn04")
            + row("debug*", "up", "1:00:00", "1", "mixed", "4/12/0/16", "64000", "gpu:h100:2", "cn03")
            + row("empty", "up", "infinite", "0", "n/a", "0/0/0/0", "0", "(null)", ""))
    debug, gpu, empty = inspection.partitions(Cluster(said).ask)
    assert (debug.name, debug.default, debug.nodes, debug.states) == ("debug", True, 3, {"idle": 2, "mixed": 1})
    assert debug.cpus == {"allocated": 4, "idle": 44, "other": 0, "total": 48}
    assert (debug.gres, debug.nodelist) == ("gpu:h100:2", "cn[01-02],cn03")
    assert (gpu.available, gpu.limit, gpu.states) == ("down", "infinite", {"down*": 1})
    assert (empty.nodes, empty.states) == (0, {})


def test_accounting_tells_of_ended_jobs_where_there_is_any() -> None:
    said = CELL.join(["7", "a | b", "ada", "lab", "debug", "CANCELLED by 1000", "0:15", "2026-11-21T06:39:39", "Unknown",
                      "2026-11-21T06:40:00", "00:00:21", "01:00:00", "2", "8", "cpu=8,mem=4G", "cn[01-02]"]) + "\n"
    (row,) = past.history(Cluster(said).ask, ["7"])
    assert (row.id, row.state, row.nodes, row.cpus, row.start, row.name, row.requested) == ("7", "CANCELLED", 2, 8, "", "a | b", "cpu=8,mem=4G")
    assert past.history(Cluster(BackendCommandError("Slurm accounting storage is disabled")).ask, ["7"]) == []
    with pytest.raises(BackendCommandError, match="Invalid user"):
        past.history(Cluster(BackendCommandError("sacct: error: Invalid user id")).ask, ["7"])


@pytest.mark.parametrize(("status", "words"), [
    (Status("PENDING", "", "Resources"), "it is next, and waits until enough processors, memory or GPUs are free"),
    (Status("PENDING", "", "ReqNodeNotAvail, UnavailableNodes:cn01"), "nodes that it needs are down, drained or reserved (UnavailableNodes:cn01)"),
    (Status("PENDING", "", "QOSMaxJobsPerUserLimit"), "a limit of its QOS is reached (QOSMaxJobsPerUserLimit)"),
    (Status("PENDING", "", "SomethingNew"), "SomethingNew"),
    (Status("RUNNING", "", "None"), ""),
    (Status("PENDING", "", ""), "the scheduler has not looked at it yet"),
    (Status("FAILED", "0:9", "RaisedSignal:9(Killed)"), "signal 9(Killed) ended it"),
    (Status("TIMEOUT", "0:15", "TimeLimit"), "it reached its time limit"),
])
def test_a_reason_is_told_in_plain_words(status: Status, words: str) -> None:
    assert sentence(status) == words
