"""What survives when a daemon is killed, an order comes twice, or the spool is unusable."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal

import psutil
import pytest

from slurm.slurmd.cgroup_places import Places
from slurm.slurmd.stepd import folder
from slurm.slurmd.stepd.folder import Ended, StepKey
from slurm.wire import node_messages as n

LONG = "#!/bin/bash\necho start\nsleep 1.5\necho end\nexit 4\n"


def title(process):
    """What ps shows; "" when it ended meanwhile."""
    try:
        return (process.cmdline() or [""])[0]
    except psutil.Error:
        return ""


def stepd_of(stage, shown):
    """The process that supervises a step of this stage."""
    for process in psutil.process_iter():
        if title(process) == f"slurmstepd: [{shown}]" and process.cwd().startswith(str(stage.root)):
            return process
    raise AssertionError(f"no slurmstepd: [{shown}]")


async def started(stage, job):
    await stage.until(lambda: (stage.root / f"out-{job}").exists() and stage.output(job).startswith("start"))


def test_jobs_go_on_without_slurmd_and_are_taken_up_again(run):
    async def scene(stage):
        for job in (1, 2):
            stage.send(stage.batch(job, f"#!/bin/bash\necho start\nuntil [ -e go-{job} ]; do sleep 0.05; done\necho end\nexit {job + 3}\n"))
        await started(stage, 1)
        await started(stage, 2)
        stage.kill_slurmd(signal.SIGKILL)
        ending = stepd_of(stage, "2.batch")
        (stage.root / "go-2").touch()
        await stage.until(lambda: not ending.is_running() or ending.status() == psutil.STATUS_ZOMBIE)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        (stage.root / "go-1").touch()
        held = {(holding.job, holding.running) for holding in stage.registrations[1].holdings}
        assert held == {(1, True), (2, False)}
        assert (await stage.ended(2)).status == 5 << 8
        assert (await stage.ended(1)).status == 4 << 8
        await stage.until(lambda: stage.reports(n.JobGone, 1) and stage.reports(n.JobGone, 2))
        assert stage.output(1) == "start\nend\n"
        await stage.until(lambda: not stage.folders())
    run(scene)


def test_a_step_that_was_taken_up_again_can_be_ended_and_its_killed_stepd_is_noticed(run):
    async def scene(stage):
        for job in (1, 2):
            stage.send(stage.batch(job, "#!/bin/bash\necho start\nsetsid sleep 1000 & sleep 1000\n"))
            await started(stage, job)
        stage.kill_slurmd(signal.SIGTERM)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        stage.send(n.TerminateJob(job=1, attempt=1, why="timeout", kill_wait=3))
        assert (await stage.ended(1)).status == 15
        assert "DUE TO TIME LIMIT" in stage.output(1)
        stepd_of(stage, "2.batch").kill()
        assert (await stage.ended(2)).status == 9
        await stage.until(lambda: stage.reports(n.JobGone, 2))
    run(scene)


def test_a_killed_stepd_is_reported_and_its_processes_are_gone_wherever_they_hide(run):
    async def scene(stage):
        stage.send(stage.batch(3, "#!/bin/bash\n(setsid env -i /bin/sleep 1000 &)\nsetsid sleep 1000 &\necho start $$\nsleep 1000\n"))
        await started(stage, 3)
        hidden = [child for child in stepd_of(stage, "3.batch").children(recursive=True) if child.name() == "sleep"]
        await stage.until(lambda: len(hidden) == 3 or hidden.clear() or hidden.extend(
            child for child in stepd_of(stage, "3.batch").children(recursive=True) if child.name() == "sleep"))
        stepd_of(stage, "3.batch").kill()
        assert (await stage.ended(3)).status == 9
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in hidden)
    run(scene)


def test_a_killed_zygote_costs_no_job(run):
    async def scene(stage):
        stage.send(stage.batch(4, LONG))
        await started(stage, 4)
        zygote = next(child for child in psutil.Process(stage.process.pid).children() if "zygote" in title(child))
        zygote.kill()
        stage.send(stage.batch(5, "#!/bin/bash\nexit 6\n"))
        assert (await stage.ended(5)).status == 6 << 8
        assert (await stage.ended(4)).status == 4 << 8
    run(scene)


def test_an_attempt_runs_once_however_often_it_is_ordered(run):
    async def scene(stage):
        order = stage.batch(6, "#!/bin/bash\necho ran\nsleep 0.5\n")
        stage.send(order)
        stage.send(order)  # while it is being started: one answer for both
        await stage.until(lambda: stage.reports(n.BatchLaunched, 6))
        told = len(stage.reports(n.BatchLaunched, 6))
        stage.send(order)
        await stage.until(lambda: len(stage.reports(n.BatchLaunched, 6)) == told + 1)
        stage.kill_slurmd(signal.SIGKILL)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        stage.send(order)
        await stage.ended(6)
        await stage.until(lambda: not stage.folders())
        stage.send(order)
        await stage.until(lambda: stage.reports(n.LaunchRefused, 6))
        assert stage.output(6) == "ran\n"
        stage.send(stage.batch(6, "#!/bin/bash\necho again\n", attempt=2, append=True))
        await stage.until(lambda: stage.output(6) == "ran\nagain\n")
        await stage.until(lambda: any(report.attempt == 2 for report in stage.reports(n.JobGone, 6)))
    run(scene)


def test_an_attempt_that_was_ended_before_its_order_came_never_runs(run):
    async def scene(stage):
        stage.send(n.TerminateJob(job=7, attempt=1, why="cancelled", kill_wait=1))
        stage.send(stage.batch(7, "#!/bin/bash\n"))
        await stage.until(lambda: stage.reports(n.JobGone, 7) and stage.reports(n.LaunchRefused, 7))
        stage.send(stage.batch(8, "#!/bin/bash\nsleep 100\n"))
        stage.send(n.TerminateJob(job=8, attempt=1, why="", kill_wait=1))
        await stage.ended(8)
        await stage.until(lambda: stage.reports(n.JobGone, 8))
        assert not (stage.root / "out-7").exists()
    run(scene)


def test_reports_are_repeated_until_they_are_acknowledged(run):
    async def scene(stage):
        stage.acknowledging = False
        stage.send(stage.batch(9, "#!/bin/bash\nexit 1\n"))
        await stage.until(lambda: stage.reports(n.JobGone, 9))
        first = list(stage.heard)
        assert stage.folders() == ["job00009.1.batch"]
        stage.heard.clear()
        stage.acknowledging = True
        stage.peer.close()
        await stage.until(lambda: len(stage.heard) == 3)
        assert stage.heard == first
        await stage.until(lambda: not stage.folders())
    run(scene)


def test_what_slurmctld_does_not_know_is_ended_without_a_report(run):
    async def scene(stage):
        stage.send(stage.batch(10, "#!/bin/bash\necho start\nsleep 1000\n"))
        await started(stage, 10)
        stage.unknown = [(10, 1)]
        stage.heard.clear()
        stage.peer.close()
        await stage.until(lambda: len(stage.registrations) == 2 and not stage.folders())
        assert not stage.heard
    run(scene)


def test_a_spool_that_cannot_be_written_refuses_the_job_and_drains_the_node(run):
    async def scene(stage):
        shutil.rmtree(stage.spool / "steps")
        (stage.spool / "steps").write_text("no folder")
        stage.send(stage.batch(11, "#!/bin/bash\n"))
        await stage.until(lambda: stage.reports(n.LaunchRefused, 11))
        assert stage.reports(n.LaunchRefused, 11)[0].drain
    run(scene)


def test_a_second_slurmd_of_the_same_node_says_who_runs_already(run):
    async def scene(stage):
        first = stage.process
        stage.start_slurmd()
        assert await asyncio.to_thread(stage.process.wait, 10) == 1
        stage.process = first
        assert f"already running (pid {first.pid}" in (stage.root / "slurmd.out").read_text()
    run(scene)


def test_a_job_whose_slurmd_was_killed_before_it_was_begun_is_begun_when_it_is_ordered_again(run, tmp_path):
    steps = tmp_path / "spool-cn01" / "steps"
    steps.mkdir(parents=True)
    keys = [StepKey(12, 1, -5), StepKey(14, 1, 0), StepKey(15, 1, -5)]
    for key in keys:
        record = folder.StepRecord(*key, "cn01", os.getuid(), os.getgid(), "root", ["x"], {"SLURM_JOB_ID": "12", "SLURM_CONF": "?"}, "/", {})
        os.close(folder.create(str(steps / key.folder_name), json.dumps(record._asdict()).encode()))
    (steps / keys[2].folder_name / folder.SOCKET).touch()
    (steps / "job00013.1.batch").mkdir()

    async def scene(stage):
        assert {holding.job for holding in stage.registrations[0].holdings} == {14, 15}
        stage.send(stage.batch(12, "#!/bin/bash\nexit 3\n"))
        assert (await stage.ended(12)).status == 3 << 8
        step = await stage.ended(14, 0)
        assert (step.status, step.began) == (1 << 8, False) and "nothing of it ran" in step.why
        assert (await stage.ended(15)).status == 9, "its slurmstepd had listened: what it had begun is not known"
        await stage.until(lambda: not stage.folders())
    run(scene)
    assert Ended(9).oom is False


def test_a_slurmstepd_that_takes_step_after_step_keeps_nothing_of_them(run):
    async def scene(stage):
        for job in range(20, 60):
            umask = 0o077 if job % 2 else 0o022
            # The fewest of some looks: at first those may still be open that slurmstepd has opened for the script.
            stage.send(stage.batch(job, "#!/bin/bash\numask; for look in 1 2 3 4 5; do ls /proc/$PPID/fd | wc -l; sleep 0.02; done | sort -n | head -n1\n", umask=umask))
            await stage.ended(job)
            if job % 20 == 0:
                stage.send(stage.batch(job + 100, "#!/bin/bash\n", stdout="/nonexistent/x"))
                await stage.ended(job + 100)
        outputs = [stage.output(job).split() for job in range(20, 60)]
        assert [output[0] for output in outputs] == ["0022", "0077"] * 20
        assert len({output[1] for output in outputs}) == 1, "open descriptors of slurmstepd"
        await stage.until(lambda: not any("idle" in title(process) for process in psutil.Process(stage.process.pid).children(recursive=True)))
    run(scene)


def parent_of(stage):
    """slurmd's own cgroup."""
    return Places("slurmd_cn01." + stage.instance).holding()


def cgroups_can_be_made():
    made = Places("slurm_py_test").holding()
    if made:
        os.rmdir(made)
    return bool(made)


@pytest.mark.skipif(not cgroups_can_be_made(), reason="this machine lets us make no cgroup")
def test_a_cgroup_finds_what_descent_and_environment_cannot(run):
    async def scene(stage):
        stage.send(stage.batch(3, "#!/bin/bash\n(setsid env -i /bin/sleep 1000 &)\nsleep 0.3; cat /proc/self/cgroup; echo start\nsleep 1000\n"))
        await stage.until(lambda: (stage.root / "out-3").exists() and "start" in stage.output(3))
        assert re.search(r"/slurmd_cn01\.\w+\.\w+\.\w+/job00003\.1\.batch$", stage.output(3), re.MULTILINE)
        hidden = [child for child in stepd_of(stage, "3.batch").children(recursive=True) if child.name() == "sleep"]
        zygote = next(child for child in psutil.Process(stage.process.pid).children() if "zygote" in title(child))
        zygote.kill()
        stepd_of(stage, "3.batch").kill()
        assert (await stage.ended(3)).status == 9
        assert hidden
        assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in hidden)
        stage.send(stage.batch(4, "#!/bin/bash\nexit 2\n"))
        assert (await stage.ended(4)).status == 2 << 8
        parent = parent_of(stage)
        assert not [name for name in os.listdir(parent) if name.startswith("job")]
        stage.kill_slurmd(signal.SIGTERM)
        assert not os.path.exists(parent), "the empty folder is removed at the end"
        stage.start_slurmd()
    run(scene)
