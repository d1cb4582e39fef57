"""Batch scripts through a real slurmd, zygote and slurmstepd."""

from __future__ import annotations

import os
import re

import pytest

from slurm.model.cpu_set import CpuSet
from slurm.wire import node_messages as n

STAMP = r"\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\]"
AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"


def test_a_script_runs_and_every_report_comes_in_order(run):
    async def scene(stage):
        stage.send(stage.batch(12, "#!/bin/bash\necho hello $1 $SLURM_PROCID $SLURM_LOCALID $TMPDIR\nexit 3\n", argv=["there"]))
        ended = await stage.ended(12)
        await stage.until(lambda: stage.reports(n.JobGone, 12))
        assert [type(message) for message in stage.heard] == [n.BatchLaunched, n.StepEnded, n.JobGone]
        assert ended.status == 3 << 8
        assert stage.output(12) == "hello there 0 0 /tmp\n"
        await stage.until(lambda: not stage.folders())
    run(scene)


def test_a_script_sees_its_own_pid_as_slurm_task_pid_and_a_clean_set_of_descriptors(run):
    async def scene(stage):
        stage.send(stage.batch(1, "#!/bin/bash\n[ $$ = $SLURM_TASK_PID ] && echo same\necho /proc/self/fd/*; kill -PIPE $$\n"))
        ended = await stage.ended(1)
        assert stage.output(1) == "same\n/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/255 /proc/self/fd/3\n"
        assert ended.status == 13, "SIGPIPE ends a job: slurmstepd does not leave it ignored"
    run(scene)


def test_error_goes_to_its_own_file_and_append_keeps_what_was_there(run):
    async def scene(stage):
        (stage.root / "out-2").write_text("before\n")
        stage.send(stage.batch(2, "#!/bin/bash\necho out; echo err >&2\n", append=True, stderr=str(stage.root / "err-2")))
        await stage.ended(2)
        assert stage.output(2) == "before\nout\n"
        assert (stage.root / "err-2").read_text() == "err\n"
    run(scene)


def test_umask_limits_and_stdin_are_as_ordered(run):
    async def scene(stage):
        (stage.root / "in").write_text("input\n")
        stage.send(stage.batch(
            3, "#!/bin/bash\numask; ulimit -Sn; cat; touch made\n", umask=0o027, rlimits={"nofile": 99}, stdin=str(stage.root / "in")))
        await stage.ended(3)
        assert stage.output(3) == "0027\n99\ninput\n"
        assert os.stat(stage.root / "made").st_mode & 0o777 == 0o640
        assert os.stat(stage.root / "out-3").st_mode & 0o777 == 0o640
    run(scene)


def test_a_missing_working_directory_falls_back_to_tmp_and_says_so(run):
    async def scene(stage):
        stage.send(stage.batch(4, "#!/bin/bash\npwd\n", work_dir="/nonexistent"))
        assert (await stage.ended(4)).status == 0
        assert re.fullmatch(
            STAMP + r" error: couldn't chdir to `/nonexistent': No such file or directory: going to /tmp instead\n/tmp\n", stage.output(4))
    run(scene)


def test_an_output_file_that_cannot_be_opened_fails_the_job_as_slurm_does(run):
    async def scene(stage):
        stage.send(stage.batch(5, "#!/bin/bash\ntouch ran\n", stdout="/nonexistent/out"))
        assert (await stage.ended(5)).status == 53
        assert not (stage.root / "ran").exists()
        assert "Could not open stdout file /nonexistent/out: No such file or directory" in (stage.root / "slurmd.out").read_text()
    run(scene)


def test_an_output_file_may_wait_a_moment_for_a_folder_named_after_the_job(run):
    async def scene(stage):
        folder = stage.root / "logs" / "15"
        stage.send(stage.batch(15, "#!/bin/bash\necho here\n", stdout=str(folder / "out")))
        await stage.until(lambda: stage.reports(n.BatchLaunched, 15))
        folder.mkdir(parents=True)
        assert (await stage.ended(15)).status == 0
        assert (folder / "out").read_text() == "here\n"
    run(scene)


def test_a_script_whose_interpreter_is_missing_says_so_in_its_output(run):
    async def scene(stage):
        stage.send(stage.batch(6, "#!/no/such/shell\n"))
        assert (await stage.ended(6)).status == 2 << 8
        assert re.search(STAMP + r" error: execve\(\): bad interpreter\(/no/such/shell\): No such file or directory\n", stage.output(6))
    run(scene)


def test_a_full_disk_for_output_ends_the_script_as_its_program_decides(run):
    async def scene(stage):
        stage.send(stage.batch(7, "#!/bin/bash\necho lost || exit 9\n", stdout="/dev/full"))
        assert (await stage.ended(7)).status == 9 << 8
        stage.send(stage.batch(8, "#!/bin/bash\nsleep 100\n", stdout="/dev/full"))
        await stage.until(lambda: stage.reports(n.BatchLaunched, 8))
        stage.send(n.TerminateJob(job=8, attempt=1, why="cancelled", kill_wait=5))
        assert (await stage.ended(8)).status == 15, "a message that finds no room does not stop the ending"
    run(scene)


@pytest.mark.parametrize(("why", "words"), [("cancelled", "DUE to SIGNAL Terminated"), ("timeout", "DUE TO TIME LIMIT")])
def test_ending_a_job_writes_slurms_line_into_its_error_file(run, why, words):
    async def scene(stage):
        stage.send(stage.batch(9, "#!/bin/bash\necho start\nsleep 100 & sleep 100\n"))
        await stage.until(lambda: (stage.root / "out-9").exists() and stage.output(9))
        stage.send(n.TerminateJob(job=9, attempt=1, why=why, kill_wait=5, at=1795221884.2))
        ended = await stage.ended(9)
        await stage.until(lambda: stage.reports(n.JobGone, 9))
        assert ended.status == 15
        assert re.fullmatch("start\n" + STAMP + rf" error: \*\*\* JOB 9 ON cn01 CANCELLED AT {AT} {words} \*\*\*\n", stage.output(9))
    run(scene)


def test_processes_that_ignore_sigterm_are_killed_after_kill_wait_even_when_they_forked_away(run):
    async def scene(stage):
        stage.send(stage.batch(10, "#!/bin/bash\ntrap '' TERM\nsetsid bash -c 'trap \"\" TERM; (sleep 1000 & disown) ; sleep 1000' &\n"
                                   "env -i setsid sleep 1000 & echo ready; while true; do sleep 0.1; done\n"))
        await stage.until(lambda: (stage.root / "out-10").exists() and stage.output(10))
        stage.send(n.TerminateJob(job=10, attempt=1, why="cancelled", kill_wait=1))
        assert (await stage.ended(10)).status == 9
        await stage.until(lambda: stage.reports(n.JobGone, 10))
    run(scene)


def test_what_a_script_leaves_behind_ends_with_it(run):
    async def scene(stage):
        stage.send(stage.batch(11, "#!/bin/bash\nsetsid sleep 1000 &\nnohup sleep 1000 &\nexit 0\n"))
        assert (await stage.ended(11)).status == 0
    run(scene)


def test_a_signal_reaches_the_batch_shell_only_when_it_is_meant(run):
    async def scene(stage):
        stage.send(stage.batch(13, "#!/bin/bash\ntrap 'echo usr1' USR1\necho ready\nfor i in {1..100}; do sleep 0.05; done\n"))
        await stage.until(lambda: (stage.root / "out-13").exists() and stage.output(13))
        stage.send(n.SignalJob(job=13, attempt=1, signal=10))
        stage.send(n.SignalJob(job=13, attempt=1, signal=10, batch=True))
        await stage.until(lambda: "usr1" in stage.output(13))
        stage.send(n.SignalJob(job=13, attempt=1, signal=9, full=True))
        assert (await stage.ended(13)).status == 9
        assert stage.output(13).count("usr1") == 1
    run(scene)


def test_a_job_of_another_user_is_refused_where_slurmd_is_not_root(run):
    if os.getuid() == 0:
        async def scene(stage):
            os.chmod(stage.root, 0o777)
            for parent in list(stage.root.parents)[:3]:
                os.chmod(parent, 0o755)
            stage.send(stage.batch(14, "#!/bin/bash\nid -u; id -g; touch mine\n", uid=65534, gid=65534, user="nobody"))
            assert (await stage.ended(14)).status == 0
            assert stage.output(14) == "65534\n65534\n"
            assert os.stat(stage.root / "out-14").st_uid == 65534
    else:
        async def scene(stage):
            stage.send(stage.batch(14, "#!/bin/bash\n", uid=65534))
            await stage.until(lambda: stage.reports(n.LaunchRefused, 14))
    run(scene)


def test_usage_of_the_whole_tree_is_reported(run):
    async def scene(stage):
        stage.send(stage.batch(15, "#!/bin/bash\npython3 -c 'x = bytearray(50_000_000); y = sum(range(3_000_000))'\n"))
        ended = await stage.ended(15)
        assert ended.usage.taken["mem"].most.value > 45 << 20
        assert ended.usage.user_seconds > 0.02
        assert ended.usage.taken["cpu"].total == pytest.approx(1000 * (ended.usage.user_seconds + ended.usage.system_seconds), abs=2)
        assert ended.usage.taken["mem"].most.node == "cn01"
    run(scene)


def test_a_script_with_cpus_of_a_large_node_knows_how_many_they_are_and_is_not_bound_where_the_machine_has_fewer(run):
    async def scene(stage):
        stage.send(stage.batch(1, "#!/bin/bash\necho $SLURM_CPUS_ON_NODE\n", cpus=CpuSet.run(4032, 64)))
        ended = await stage.ended(1)
        assert (ended.status, stage.output(1)) == (0, "4032\n")
    run(scene, conf="TaskPlugin=task/affinity\n")


def test_a_notice_stands_in_the_error_file_of_a_script_that_runs(run):
    async def scene(stage):
        stage.send(stage.batch(1, "#!/bin/bash\necho begun\nread line < gate\n"))
        os.mkfifo(stage.root / "gate")
        await stage.until(lambda: (stage.root / "out-1").exists() and "begun" in stage.output(1))
        stage.send(n.NotifyJob(job=1, attempt=1, text="the disk is full\nrm *"))
        await stage.until(lambda: "error: the disk is full" in stage.output(1))
        stage.send(n.NotifyJob(job=2, attempt=1, text="nobody is there"))
        (stage.root / "gate").write_text("x\n")
        assert (await stage.ended(1)).status == 0
        assert [line.partition("] ")[2] for line in stage.output(1).splitlines()[1:]] == ["error: the disk is full\\nrm *"]

    run(scene)
