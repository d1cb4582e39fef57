"""Steps that are to hold still: all of their processes do, also new ones, through a restart of slurmd, and they can be ended all the same."""

from __future__ import annotations

import contextlib
import os
import signal

import psutil
import pytest

from slurm.slurmd import cgroup_places
from slurm.wire import node_messages as n
from tests.cluster.slurmd.test_faults import started, stepd_of

COUNTING = (
    "#!/bin/bash\n"
    "setsid bash -c 'while :; do echo x >> other; sleep 0.02; done' &\n"
    "echo start\n"
    "while :; do (echo x >> forked); sleep 0.02; done\n")


def written(stage):
    """How much the job has written so far."""
    return tuple(os.path.getsize(stage.root / name) if (stage.root / name).exists() else 0 for name in ("forked", "other"))


def awake(stage):
    """The step's processes that are not stopped."""
    found = stepd_of(stage, "1.batch").children(recursive=True)
    return [process for process in found if process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE)]


async def stands_still(stage):
    """Wait until nothing of the job has happened for a while."""
    seen = [written(stage)]

    def same():
        seen.append(written(stage))
        return len(seen) > 40 and len(set(seen[-40:])) == 1

    await stage.until(same)


async def goes_on(stage):
    before = written(stage)
    await stage.until(lambda: all(now > then for now, then in zip(written(stage), before, strict=True)))


@pytest.mark.parametrize("plugin", ["autodetect", "disabled"])
def test_every_process_holds_still_and_goes_on_whatever_it_forks_with_a_cgroup_and_without(run, tmp_path, plugin):
    async def scene(stage):
        stage.send(stage.batch(1, COUNTING))
        await started(stage, 1)
        await goes_on(stage)
        stage.send(n.SuspendJob(job=1, attempt=1, suspended=True, grace=0))
        await stands_still(stage)
        for _ in range(2):  # the same again, and what wakes them by hand, change nothing
            stage.send(n.SuspendJob(job=1, attempt=1, suspended=True, grace=0))
            for process in stepd_of(stage, "1.batch").children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.send_signal(signal.SIGCONT)
            stage.send(n.SignalJob(job=1, attempt=1, signal=signal.SIGCONT, full=True))
        await stands_still(stage)
        stage.send(n.SuspendJob(job=1, attempt=1, suspended=False))
        await goes_on(stage)
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=3))
        assert (await stage.ended(1)).status == signal.SIGTERM

    (tmp_path / "cgroup.conf").write_text(f"CgroupPlugin={plugin}\n")
    run(scene)


def test_a_suspended_step_is_taken_up_again_and_can_be_ended(run):
    async def scene(stage):
        stage.send(stage.batch(1, COUNTING))
        await started(stage, 1)
        stage.send(n.SuspendJob(job=1, attempt=1, suspended=True, grace=0))
        await stands_still(stage)
        stage.kill_slurmd(signal.SIGKILL)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        assert [(held.job, held.running) for held in stage.registrations[1].holdings] == [(1, True)]
        stage.send(n.TerminateJob(job=1, attempt=1, why="preempted", kill_wait=3))
        assert (await stage.ended(1)).status == signal.SIGTERM
        assert "DUE TO PREEMPTION" in stage.output(1)
        await stage.until(lambda: stage.reports(n.JobGone, 1))

    run(scene)


def test_a_program_may_get_ready_before_it_is_held_still(run):
    async def scene(stage):
        script = "#!/bin/bash\ntrap 'echo ready; trap - TSTP' TSTP\necho start\nwhile :; do sleep 0.05; done\n"
        stage.send(stage.batch(1, script))
        await started(stage, 1)
        stage.send(n.SuspendJob(job=1, attempt=1, suspended=True, grace=1))
        await stage.until(lambda: "ready" in stage.output(1))
        await stage.until(lambda: not awake(stage) or frozen(stage))
        stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=0))
        await stage.ended(1)

    run(scene)


def frozen(stage):
    """Whether the kernel says that the step's cgroup is frozen."""
    for mount in cgroup_places.mounts():
        for folder, _, files in os.walk(mount.folder):
            if stage.instance in folder and folder.endswith("1.1.batch") and {"cgroup.events", "freezer.state"} & set(files):
                name = "cgroup.events" if "cgroup.events" in files else "freezer.state"
                with open(os.path.join(folder, name), encoding="ascii") as file:
                    return "frozen 1" in (text := file.read()) or "FROZEN" in text
    return False
