"""What steps used, as slurmd reports it: of real processes, with and without cgroups, over restarts, and what looking costs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time

import psutil
import pytest

from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import StepRecord
from slurm.slurmd.stepd.tasks import Task
from slurm.slurmd.stepd.usage.gatherer import Gatherer
from slurm.wire import node_messages as n
from tests.cluster.slurmd.test_ending import CAN_HIDE, NO_CGROUP
from tests.cluster.slurmd.test_steps import Srun

MB = 1 << 20
BUSY_SECONDS = 60.0
"""Programs that compute have to share the processors with other tests."""
BURN = "import time; table = bytearray({megabytes} << 20)\nwhile time.process_time() < {cpu}: sum(range(20000))\ntime.sleep({sleep})"
LINUX = "JobAcctGatherType=jobacct_gather/linux\nJobAcctGatherFrequency=task=1\n"


def burning(megabytes: int, cpu: float = 0.0, sleep: float = 0.0) -> list[str]:
    """A program that holds so many MB, takes so many seconds of CPU and then sleeps."""
    return [sys.executable, "-S", "-c", BURN.format(megabytes=megabytes, cpu=cpu, sleep=sleep)]


@pytest.mark.parametrize(("conf", "prefix"), [
    ("", []), (LINUX, []), (LINUX.replace("linux", "cgroup"), []),
    pytest.param(LINUX, NO_CGROUP, marks=pytest.mark.skipif(not CAN_HIDE, reason="only root can hide cgroups from a slurmd")),
], ids=["at its end only", "linux", "cgroup", "no cgroup"])
def test_a_job_that_burns_two_seconds_and_holds_300_mb_is_told_so(run, conf, prefix):
    async def scene(stage):
        stage.send(stage.batch(1, f"#!/bin/bash\n{shlex.join(burning(300, 2.0))}\nhead -c 5000000 /dev/zero > filled\ncat filled >/dev/null\n"))
        used = (await stage.ended(1, seconds=BUSY_SECONDS)).usage
        assert used.user_seconds + used.system_seconds == pytest.approx(2.05, rel=0.1)
        assert used.user_seconds > 1.5
        memory = used.taken["mem"]
        assert memory.most.value == pytest.approx(306 * MB, rel=0.1)
        assert (memory.tasks, memory.total, memory.least, memory.most.node, memory.most.task) == (1, memory.most.value, memory.most, "cn01", 0)
        assert used.taken["vmem"].most.value >= memory.most.value
        assert used.taken["fs/disk"].total > 10_000_000
        assert used.given["fs/disk"].total >= 10_000_000 - 10_000
    run.stage.prefix = prefix
    run(scene, conf=conf)


def test_the_task_that_took_most_is_named_among_sixteen(run):
    async def scene(stage):
        srun = await Srun.call(stage, 2, [], ranks=range(16), multi_prog=[burning(120, 0.5) if rank == 11 else ["/bin/sleep", "0.2"] for rank in range(16)])
        await srun.finish()
        used = (await stage.ended(2, 0, seconds=BUSY_SECONDS)).usage
        for name in ("mem", "cpu"):
            assert (used.taken[name].most.task, used.taken[name].most.node, used.taken[name].tasks) == (11, "cn01", 16)
            assert used.taken[name].least.task != 11
        assert used.taken["mem"].most.value == pytest.approx(126 * MB, rel=0.1)
        assert used.taken["cpu"].most.value == pytest.approx(500, rel=0.15)
        assert used.taken["cpu"].total == pytest.approx(1000 * (used.user_seconds + used.system_seconds), abs=20)
    run(scene)


def test_what_processes_of_a_task_hold_together_counts(run):
    async def scene(stage):
        one = shlex.join(burning(80, 0.0, 2.5))
        stage.send(stage.batch(3, f"#!/bin/bash\n{one} &\n{one} &\n{one} &\nwait\n"))
        assert (await stage.ended(3, seconds=BUSY_SECONDS)).usage.taken["mem"].most.value > 240 * MB
    run(scene, conf=LINUX)


def test_usage_survives_a_slurmd_that_is_killed_and_is_told_the_same_again(run):
    async def scene(stage):
        stage.acknowledging = False
        stage.send(stage.batch(4, f"#!/bin/bash\necho start; {shlex.join(burning(100, 0.5, 1.0))}\n"))
        await stage.until(lambda: os.path.exists(stage.root / "out-4") and "start" in stage.output(4))
        stage.kill_slurmd()
        path = stage.spool / "steps" / "job00004.1.batch"
        await stage.until(lambda: folder.read_ended(str(path)) is not None, BUSY_SECONDS)
        for times in (1, 2):
            stage.start_slurmd()
            await stage.until(lambda times=times: len(stage.reports(n.StepEnded, 4)) == times)
            stage.kill_slurmd()
        told = [message.usage for message in stage.reports(n.StepEnded, 4)]
        assert all(usage == told[0] for usage in told)
        assert told[0].user_seconds + told[0].system_seconds == pytest.approx(0.52, rel=0.15)
        assert told[0].taken["mem"].most.value == pytest.approx(106 * MB, rel=0.1)
        stage.acknowledging = True
        stage.start_slurmd()
        await stage.until(lambda: not stage.folders())
    run(scene, conf=LINUX)


def test_the_shortest_job_that_used_something_is_told_so(run):
    async def scene(stage):
        stage.send(stage.batch(5, "#!/bin/bash\nfor i in {1..20000}; do :; done\n"))
        used = (await stage.ended(5, seconds=BUSY_SECONDS)).usage
        assert used.taken["cpu"].total > 0
        assert used.taken["mem"].total > 0
        assert used.taken["vmem"].total >= used.taken["mem"].total
    run(scene)


def shown(process):
    """A process as ps shows it, "" when it has ended."""
    try:
        return " ".join(process.cmdline())
    except psutil.NoSuchProcess:
        return ""


def answers(stage, number):
    """What slurmd told when it was asked with this number."""
    return [message for message in stage.heard if isinstance(message, n.UsageTold) and message.number == number]


def test_what_runs_is_told_when_slurmctld_asks_and_a_supervisor_that_hangs_keeps_nobody_waiting(run):
    async def scene(stage):
        stage.send(stage.batch(6, f"#!/bin/bash\n{shlex.join(burning(150, 0.3))} & {shlex.join(burning(150, 0.3, 60.0))}\n"))
        stage.send(stage.batch(7, "#!/bin/bash\nsleep 60\n"))
        await stage.until(lambda: len(stage.reports(n.BatchLaunched, 6)) == len(stage.reports(n.BatchLaunched, 7)) == 1)
        for number in range(1, 100):
            stage.send(n.AskUsage(number=number, wanted=[(6, 1, n.EVERY_STEP), (7, 1, -5), (8, 1, -5)], pids=True))
            await stage.until(lambda number=number: answers(stage, number))
            found = {step.job: step for step in answers(stage, number)[0].steps}
            if found[6].usage.taken["mem"].most.value > 150 * MB and found[6].usage.user_seconds > 0.25:
                break
        assert set(found) == {6, 7}
        assert found[6].memory > 150 * MB > 20 * MB > found[7].memory > 0
        assert [task for _, task in found[7].pids][:1] == [0] and len(found[7].pids) == 2
        stepd = next(process for process in psutil.Process(stage.process.pid).children(recursive=True) if "slurmstepd: [7.batch]" in shown(process))
        stepd.suspend()
        began = time.monotonic()
        stage.send(n.AskUsage(number=200, wanted=[(6, 1, -5), (7, 1, n.EVERY_STEP)]))
        await stage.until(lambda: answers(stage, 200))
        assert [(step.job, step.pids) for step in answers(stage, 200)[0].steps] == [(6, [])]
        assert time.monotonic() - began < 4.0
        stepd.resume()
        for job in (6, 7):
            stage.send(n.TerminateJob(job=job, attempt=1, why="", kill_wait=1))
            await stage.ended(job)
    run(scene)


FAKE_DRIVER = """
from typing import NamedTuple
class NVMLError(Exception): pass
class NVMLError_NotFound(NVMLError): pass
class NVMLError_NotSupported(NVMLError): pass
class Process(NamedTuple):
    pid: int
    usedGpuMemory: int
class Sample(NamedTuple):
    pid: int
    timeStamp: int
    smUtil: int
def pids():
    try:
        return [int(open({path!r}).read())]
    except (OSError, ValueError):
        return []
def nvmlInit(): pass
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetMinorNumber(handle): return handle
def nvmlDeviceGetComputeRunningProcesses(handle): return [Process(pid, 3 << 30) for pid in pids()]
def nvmlDeviceGetGraphicsRunningProcesses(handle): return []
def nvmlDeviceGetProcessUtilization(handle, since): return [Sample(pid, since + 1, 75) for pid in pids()]
"""


def test_what_a_step_takes_of_its_gpus_is_measured_while_it_runs(run):
    def meters(stage):
        return [process for process in psutil.Process(stage.process.pid).children() if "gpu_meter" in shown(process)]

    async def scene(stage):
        stage.send(stage.batch(8, "#!/bin/bash\nsleep 60\n"))
        stage.send(stage.batch(9, "#!/bin/bash\necho $$ > pid\nsleep 60\n", devices=["/dev/nvidia0"]))
        await stage.until(lambda: meters(stage), BUSY_SECONDS)
        for number in range(1, 1000):
            stage.send(n.AskUsage(number=number, wanted=[(9, 1, -5)]))
            await stage.until(lambda number=number: answers(stage, number))
            steps = answers(stage, number)[0].steps
            if steps and steps[0].usage.taken["gres/gpumem"].total:
                break
        stage.kill_slurmd()
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2 and meters(stage), BUSY_SECONDS)
        for job in (8, 9):
            stage.send(n.TerminateJob(job=job, attempt=1, why="", kill_wait=1))
        taken = (await stage.ended(9)).usage.taken
        assert taken["gres/gpumem"].most.value == 3 << 30
        assert taken["gres/gpuutil"].most.value == 75
        assert not (await stage.ended(8)).usage.taken.keys() & {"gres/gpumem", "gres/gpuutil"}
        await stage.until(lambda: not meters(stage))

    folder_of_modules = run.stage.root / "modules"
    folder_of_modules.mkdir()
    (folder_of_modules / "pynvml.py").write_text(FAKE_DRIVER.format(path=str(run.stage.root / "pid")))
    run.stage.path = [str(folder_of_modules)]
    run(scene, conf=LINUX)


@pytest.mark.parametrize("grouped", [True, False], ids=["cgroup", "no cgroup"])
def test_a_look_at_many_tasks_takes_less_than_a_millisecond_a_task_and_half_a_percent_of_a_core(grouped):
    processes = [subprocess.Popen(["/bin/sleep", "100"], start_new_session=True) for _ in range(64)]
    try:
        tasks = [Task(rank, rank) for rank in range(len(processes))]
        for task, process in zip(tasks, processes, strict=True):
            task.pid = process.pid

        class Group:
            """A cgroup in name only."""

            path = "/nowhere"

            def pids(self) -> list[int]:
                """Its processes."""
                return [process.pid for process in processes]

        record = StepRecord(1, 1, 0, "cn01", 0, 0, "root", [], {}, "/", {}, ranks=list(range(len(tasks))), cgroup="x" if grouped else "")
        gatherer = Gatherer(record, tasks, lambda: Group())  # type: ignore[arg-type, return-value]
        spent = []
        for _ in range(5):
            began = time.thread_time()
            gatherer.look()
            spent.append(time.thread_time() - began)
        assert min(spent) < 0.001 * len(tasks)
        assert min(spent) * 256 / len(tasks) < 0.005 * 30
        assert len(gatherer.pids()) == len(tasks)
    finally:
        for process in processes:
            process.kill()
            process.wait()
