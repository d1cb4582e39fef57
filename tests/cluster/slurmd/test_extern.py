"""The extern step: it holds what comes from outside of a job's steps, whatever becomes of its holder, until the job ends."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from slurm.model.cpu_set import CpuSet
from slurm.slurmd import control
from slurm.slurmd.stepd.folder import EXTERN
from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_confinement import TASK_CGROUP, needs


def prepare(job: int, **changes: int) -> n.PrepareJob:
    extern = n.ExternStep(uid=os.getuid(), gid=os.getgid(), user="root", cpus=CpuSet(1), kill_wait=2)
    return n.PrepareJob(job=job, attempt=1, extern=extern)


async def held(stage: Stage, job: int) -> str:
    """The folder of the extern step of a job, once that runs."""
    await stage.until(lambda: stage.reports(n.JobPrepared, job))
    [report] = stage.reports(n.JobPrepared, job)
    assert isinstance(report, n.JobPrepared) and not report.failed
    return str(stage.spool / "steps" / f"job{job:05d}.1.extern")


async def tasks(folder: str) -> list[int]:
    """The holder, while there is one."""
    answer = await control.ask(folder, {"op": "status"})
    assert answer is not None
    return list(answer["tasks"])  # type: ignore[call-overload]


def test_it_outlives_its_holder_and_slurmd_and_ends_with_its_job_as_one_that_ran_well(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        stage.send(prepare(1))
        folder = await held(stage, 1)
        [holder] = await tasks(folder)
        os.kill(holder, signal.SIGKILL)
        while await tasks(folder):
            pass
        stage.kill_slurmd(signal.SIGKILL)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        assert [(one.job, one.step, one.running) for one in stage.registrations[1].holdings] == [(1, EXTERN, True)]
        stage.send(prepare(1))  # not confirmed before slurmd was killed, as far as slurmctld knows
        await stage.until(lambda: len(stage.reports(n.JobPrepared, 1)) == 2)
        stage.send(n.SignalJob(job=1, attempt=1, signal=signal.SIGTERM, full=True))  # for the job's steps
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=2))
        ended = await stage.ended(1, EXTERN)
        assert (ended.status, ended.began, ended.why) == (0, True, "")
        await stage.until(lambda: stage.reports(n.JobGone, 1))

    run(scene)


def test_it_is_not_begun_for_a_job_that_was_ended_before(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=2))
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        stage.send(prepare(1))
        stage.send(stage.batch(2, "#!/bin/sh\nexit 0\n"))
        await stage.ended(2)
        assert not stage.reports(n.JobPrepared, 1) and stage.folders() == []

    run(scene)


@needs("devices")
def test_what_it_has_adopted_is_its_own_and_ends_with_the_job(run: Run) -> None:
    async def scene(stage: Stage) -> None:
        stage.send(prepare(1))
        folder = await held(stage, 1)
        with subprocess.Popen(["/bin/sh", "-c", "trap '' TERM; read line; sleep 77 & wait"], stdin=subprocess.PIPE) as stranger:
            assert stranger.stdin is not None
            try:
                answer = await control.ask(folder, {"op": "adopt", "pid": stranger.pid})
                assert answer is not None and answer["ok"], answer
                stranger.stdin.write(b"go on\n")
                stranger.stdin.flush()
                answer = await control.ask(folder, {"op": "adopt", "pid": 1 << 22})
                assert answer is not None and "process 4194304 cannot be moved into the step's cgroup: No such process" in str(answer["error"])

                def now() -> bool:
                    stage.heard = [one for one in stage.heard if not isinstance(one, n.UsageTold)]
                    stage.send(n.AskUsage(number=1, wanted=[(1, 1, EXTERN)], pids=True))
                    return True

                now()
                await stage.until(lambda: [one for one in stage.heard if isinstance(one, n.UsageTold)])
                [told] = [one for one in stage.heard if isinstance(one, n.UsageTold)]
                assert [stranger.pid, -1] in [list(pair) for pair in told.steps[0].pids]
                stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=1))
                await stage.until(lambda: stranger.poll() is not None)
                assert stranger.returncode == -signal.SIGKILL, "it does not heed SIGTERM"
                assert (await stage.ended(1, EXTERN)).status == 0
            finally:
                stranger.kill()

    run(scene, conf=TASK_CGROUP)


@needs("devices")
@pytest.mark.parametrize("restart", [False, True])
def test_prolog_and_epilog_run_within_it_where_the_site_says_so_and_it_lasts_until_the_epilog_is_over(run: Run, restart: bool) -> None:
    root = run.stage.root
    for name in ("prolog", "epilog"):
        (root / name).write_text(f"#!/bin/sh\ncat /proc/self/cgroup >{root}/{name}.1.seen\n"
            f"while [ ! -e {root}/go.{name} ]; do sleep 0.05; done\nmv {root}/{name}.1.seen {root}/{name}.seen\n")
        (root / name).chmod(0o755)

    def within(name: str) -> bool:
        return "/job00001.1.extern" in (root / f"{name}.seen").read_text()

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, "#!/bin/sh\nsleep 0.1\n", prolog={"SLURM_JOB_ID": "1"}, kill_wait=2))  # the order comes first, after a restart
        stage.send(prepare(1))
        await stage.until(lambda: (root / "prolog.1.seen").exists())
        (root / "go.prolog").touch()
        await held(stage, 1)
        assert (await stage.ended(1)).status == 0
        assert within("prolog")
        stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=2, epilog={"SLURM_JOB_ID": "1"}))
        await stage.until(lambda: (root / "epilog.1.seen").exists())
        if restart:
            stage.kill_slurmd(signal.SIGKILL)
            stage.start_slurmd()
            await stage.until(lambda: len(stage.registrations) == 2)
            stage.send(n.TerminateJob(job=1, attempt=1, why="", kill_wait=2, epilog={"SLURM_JOB_ID": "1"}))
        assert not [one for one in stage.reports(n.StepEnded, 1) if isinstance(one, n.StepEnded) and one.step == EXTERN]
        (root / "go.epilog").touch()
        assert (await stage.ended(1, EXTERN)).status == 0
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        assert within("epilog") and not any(one.drain for one in stage.reports(n.JobGone, 1))  # type: ignore[attr-defined]

    run(scene, conf=f"{TASK_CGROUP}PrologFlags=RunInJob\nProlog={root}/prolog\nEpilog={root}/epilog\n")
