"""Files, folders and users that block or fail keep no slurmstepd from taking orders, and whatever ends a job early is said in a sentence."""

from __future__ import annotations

import os
import time

import pytest

from slurm.wire import node_messages as n
from slurm.wire import step_io
from tests.cluster.slurmd.test_faults import stepd_of
from tests.cluster.slurmd.test_steps import Srun

SHORT = "SlurmdParameters=start_timeout=1\n"


def fifo(stage, name):
    """A FIFO that nobody has open."""
    os.mkfifo(stage.root / name)
    return str(stage.root / name)


@pytest.mark.parametrize("stream", ["stdin", "stdout", "stderr"])
def test_a_job_whose_fifo_nobody_opens_is_cancelled_at_once(run, stream):
    async def scene(stage):
        stage.send(stage.batch(1, "#!/bin/bash\necho never\n", **{stream: fifo(stage, "ff")}))
        await stage.until(lambda: stage.reports(n.BatchLaunched, 1))
        began = time.monotonic()
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=30))
        assert (await stage.ended(1)).status == 15
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        assert time.monotonic() - began < 5
    run(scene)


def test_a_fifo_that_gets_its_reader_in_time_takes_the_output(run):
    async def scene(stage):
        path = fifo(stage, "ff")
        stage.send(stage.batch(2, "#!/bin/bash\necho through\n", stdout=path))
        await stage.until(lambda: stage.reports(n.BatchLaunched, 2))
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        assert (await stage.ended(2)).status == 0
        assert os.read(reader, 100) == b"through\n"
        os.close(reader)
    run(scene)


def test_a_fifo_that_nobody_opens_fails_its_job_with_a_sentence_after_the_deadline(run):
    async def scene(stage):
        path = fifo(stage, "ff")
        stage.send(stage.batch(3, "#!/bin/bash\necho never\n", stdout=path))
        ended = await stage.ended(3)
        assert (ended.status, ended.began) == (53, False)
        assert ended.why.startswith(f"Could not open stdout file {path}: not within 1 s; a FIFO needs")
        srun = await (await Srun.call(stage, 4, ["true"], ranks=(0, 1), stdout=path)).finish()
        assert srun.failed["message"].startswith(f"Could not open stdout file {path}: not within 1 s")
    run(scene, conf=SHORT)


def test_a_reader_that_stopped_keeps_nobody_from_ending_the_job(run):
    async def scene(stage):
        path = fifo(stage, "ff")
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        stage.send(stage.batch(5, "#!/bin/bash\ntouch full\nyes\n", stdout=path))
        await stage.until(lambda: (stage.root / "full").exists())
        began = time.monotonic()
        stage.send(n.TerminateJob(job=5, attempt=1, why="timeout", kill_wait=30))
        assert (await stage.ended(5)).status == 15
        assert time.monotonic() - began < 5
        os.close(reader)
    run(scene)


def test_a_folder_that_is_not_there_is_named_and_the_exit_code_stays_slurms(run):
    async def scene(stage):
        stage.send(stage.batch(6, "#!/bin/bash\n", stdout="/nonexistent/deep/out"))
        ended = await stage.ended(6)
        assert (ended.status, ended.began) == (53, False)
        assert "Could not open stdout file /nonexistent/deep/out: No such file or directory: folder /nonexistent/deep is not there" in ended.why
    run(scene)


@pytest.mark.parametrize(("changes", "words"), [
    ({"stdout": "/tmp/\0"}, "stdout: no control characters; '/tmp/\\x00' was sent"),
    ({"argv": ["a\0b"]}, "argv: no NUL"),
    ({"environment": {"": "x"}}, "environment['']: a name that is not empty"),
    ({"environment": {"A=B": "x"}}, "environment['A=B']: a name that is not empty and has no ="),
    ({"work_dir": "/\0"}, "work_dir: no control characters"),
])
def test_what_cannot_be_started_is_told_in_a_sentence_and_no_slurmstepd_dies_of_it(run, changes, words):
    async def scene(stage):
        stage.send(stage.batch(7, "#!/bin/bash\necho ran\n", **changes))
        await stage.until(lambda: stage.reports(n.LaunchRefused, 7))
        assert words in stage.reports(n.LaunchRefused, 7)[0].why
        assert "Traceback" not in (stage.root / "slurmd.out").read_text()
    run(scene)


def test_a_limit_that_cannot_be_set_is_told_in_the_error_file_and_the_job_runs(run):
    async def scene(stage):
        stage.send(stage.batch(8, "#!/bin/bash\necho ran\n", rlimits={"nofile": 1 << 60}))
        assert (await stage.ended(8)).status == 0
        text = stage.output(8)
        assert "error: cannot set RLIMIT_NOFILE to 1152921504606846976" in text
        assert text.endswith("ran\n")
    run(scene)


def test_a_message_of_a_user_that_breaks_his_slurmstepd_ends_nobody_elses_job(run):
    async def scene(stage):
        stage.send(stage.batch(9, "#!/bin/bash\necho start\nuntil [ -e go ]; do sleep 0.05; done\n"))
        await stage.until(lambda: (stage.root / "out-9").exists())
        for step, environment in enumerate(({}, {"SLURM_JOB_ID": "9"}, {"SLURM_JOB_ID": "9", "SLURM_STEP_ID": "-5", "SLURM_PY_STEP": "x"})):
            call = await Srun.call(stage, 10, ["/bin/true"], step=step, stdout="/tmp/\0", environment=environment)
            assert (await call.finish()).failed, "refused, or told by its slurmstepd"
            call = await Srun.call(stage, 11, ["/bin/sleep", "100"], step=step, environment=environment)
            await call.until(step_io.STARTED)
            stepd_of(stage, f"11.{step}").kill()
            assert (await stage.ended(11, step)).status == 9
        (stage.root / "go").touch()
        assert (await stage.ended(9)).status == 0
    run(scene)
