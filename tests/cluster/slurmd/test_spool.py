"""A spool that somebody emptied, replaced or moved, under a slurmd that runs or one that was killed: no living job is forgotten, none waits for ever."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from slurm.slurmd.cgroup_places import Places
from slurm.slurmd.heartbeats import Heartbeats
from slurm.wire import node_messages as n
from tests.cluster.slurmd.conftest import Run
from tests.cluster.slurmd.test_faults import cgroups_can_be_made, started, stepd_of, title

HIDES = "#!/bin/bash\n(setsid env -i /bin/sleep 1000 &)\nsetsid sleep 1000 &\nsleep 0.3\necho start $$\nsleep 1000\n"
"""What it starts is known by its descent, by its environment, by being slurmstepd's child."""
GOES_ON = "#!/bin/bash\ntrap 'echo term; exit 3' TERM\ntrap 'echo usr1' USR1\necho start\nuntil [ -e go ]; do sleep 0.05; done\necho end\n"


def emptied(folder):
    """Remove a folder in which slurmd may be making files just now."""
    while folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


def empty(stage):
    emptied(stage.spool)
    stage.spool.mkdir(exist_ok=True)


def replace_steps(stage):
    (stage.spool / "steps").rename(stage.root / "steps-of-before")


def remove_one_folder(stage):
    for path in (stage.spool / "steps").iterdir():
        shutil.rmtree(path)


def move_spool(stage):
    conf = stage.conf.read_text()
    stage.conf.write_text(conf.replace("/spool-%n", "/elsewhere-%n"))
    stage.spool = stage.root / "elsewhere-cn01"


@pytest.fixture(params=["cgroups", "descent"])
def kind(request, tmp_path: Path) -> Iterator[str]:
    """With the machine's cgroups, and without, as an ordinary user has it."""
    if request.param == "cgroups" and not cgroups_can_be_made():
        pytest.skip("this machine lets us make no cgroup")
    if request.param == "descent":
        (tmp_path / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    yield request.param


async def processes_of(stage, job):
    """All of a job that hides, its slurmstepd first."""
    await started(stage, job)
    stepd = stepd_of(stage, f"{job}.batch")
    found = [stepd, *stepd.children(recursive=True)]
    assert len(found) >= 4, found
    return found


def living(processes):
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def kill_all_of(stage):
    """slurmd, zygote and slurmstepds at once."""
    daemons = [process for process in psutil.Process(stage.process.pid).children(recursive=True) if title(process).startswith(("slurmd", "slurmstepd"))]
    stage.kill_slurmd(signal.SIGKILL)
    for process in daemons:
        process.kill()


@pytest.mark.parametrize(("kind", "change"), [
    ("cgroups", empty), ("descent", empty), ("cgroups", replace_steps), ("descent", remove_one_folder), ("descent", move_spool)], indirect=["kind"])
def test_a_slurmd_that_starts_over_another_spool_registers_only_when_the_jobs_of_before_have_ended(run, kind, change):
    async def scene(stage):
        stage.send(stage.batch(1, HIDES))
        processes = await processes_of(stage, 1)
        stage.kill_slurmd(signal.SIGKILL)
        change(stage)
        left = []
        stage.on_registration = lambda: left.append(living(processes))
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        assert left == [[]] and not stage.registrations[1].holdings
        stage.send(stage.batch(1, "#!/bin/bash\nexit 6\n", attempt=2))
        await stage.until(lambda: any(report.attempt == 2 and report.status == 6 << 8 for report in stage.reports(n.StepEnded, 1)))
    run(scene)


def test_it_finds_what_is_marked_when_slurmd_zygote_and_slurmstepd_were_killed_too(run, kind):
    async def scene(stage):
        stage.send(stage.batch(1, HIDES if kind == "cgroups" else HIDES.replace("(setsid env -i /bin/sleep 1000 &)", "(setsid sleep 1000 &)")))
        processes = await processes_of(stage, 1)
        kill_all_of(stage)
        empty(stage)
        left = []
        stage.on_registration = lambda: left.append(living(processes))
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        assert left == [[]]
    run(scene)


def test_jobs_of_another_cluster_with_a_node_of_the_same_name_are_let_alone(run, kind, tmp_path_factory):
    other_root = tmp_path_factory.mktemp("other")
    if kind == "descent":
        (other_root / "cgroup.conf").write_text("CgroupPlugin=disabled\n")

    async def scene(stage):
        async def beside(other):
            other.send(other.batch(1, "#!/bin/bash\necho start\nsleep 1000\n"))
            await started(other, 1)
            other.kill_slurmd(signal.SIGKILL)  # its job goes on without it, and is taken up again
            stage.kill_slurmd(signal.SIGKILL)
            empty(stage)
            stage.start_slurmd()
            await stage.until(lambda: len(stage.registrations) == 2)
            other.start_slurmd()
            await other.until(lambda: len(other.registrations) == 2)
            assert [holding.running for holding in other.registrations[1].holdings] == [True]
            other.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=1))
            assert (await other.ended(1)).status == signal.SIGTERM
            await other.until(lambda: other.reports(n.JobGone, 1))
        await Run(other_root)._play(beside)
    run(scene)


@pytest.mark.parametrize(("kind", "change", "taken_up"), [
    ("cgroups", empty, False), ("descent", replace_steps, True), ("descent", remove_one_folder, False)], indirect=["kind"])
def test_a_job_whose_folder_is_removed_while_it_runs_goes_on_and_its_end_is_told(run, kind, change, taken_up):
    async def scene(stage):
        stage.send(stage.batch(1, GOES_ON))
        await started(stage, 1)
        if taken_up:
            stage.kill_slurmd(signal.SIGKILL)
            stage.start_slurmd()
            await stage.until(lambda: len(stage.registrations) == 2)
        change(stage)
        stage.send(stage.batch(2, "#!/bin/bash\nexit 5\n"))  # others are not harmed
        assert (await stage.ended(2)).status == 5 << 8
        assert not stage.reports(n.StepEnded, 1)
        (stage.root / "go").touch()
        ended = await stage.ended(1)
        assert ended.status and "removed while it ran" in ended.why
        assert stage.output(1) == "start\nend\n"
        await stage.until(lambda: stage.reports(n.JobGone, 1))
    run(scene)


@pytest.mark.parametrize(("kind", "taken_up"), [("cgroups", True), ("descent", False)], indirect=["kind"])
def test_a_job_without_its_folder_is_signalled_and_ended_within_its_kill_wait(run, kind, taken_up):
    async def scene(stage):
        stage.send(stage.batch(1, GOES_ON))
        stage.send(stage.batch(2, "#!/bin/bash\ntrap '' TERM\necho start\nwhile true; do sleep 0.1; done\n"))
        await started(stage, 1)
        await started(stage, 2)
        if taken_up:
            stage.kill_slurmd(signal.SIGKILL)
            stage.start_slurmd()
            await stage.until(lambda: len(stage.registrations) == 2)
        remove_one_folder(stage)
        stage.send(n.SignalJob(job=1, attempt=1, signal=signal.SIGUSR1, number=1, full=True))
        await stage.until(lambda: "usr1" in stage.output(1))
        for job in (1, 2):
            stage.send(n.TerminateJob(job=job, attempt=1, why="cancelled", kill_wait=1))
        for job in (1, 2):
            await stage.ended(job, seconds=6)
            await stage.until(lambda job=job: stage.reports(n.JobGone, job))
        assert stage.output(1).endswith("term\n")
    run(scene)


def test_a_job_without_its_folder_is_ended_when_its_slurmstepd_is_killed(run, kind):
    async def scene(stage):
        stage.send(stage.batch(1, HIDES))
        processes = await processes_of(stage, 1)
        remove_one_folder(stage)
        processes[0].kill()
        await stage.ended(1)
        assert not living(processes)
        await stage.until(lambda: stage.reports(n.JobGone, 1))
    run(scene)


def test_what_nobody_can_read_as_a_journal_ends_its_own_step_only(run):
    async def scene(stage):
        stage.send(stage.batch(1, GOES_ON))
        stage.send(stage.batch(2, GOES_ON))
        await started(stage, 1)
        await started(stage, 2)
        journal = stage.spool / "steps" / "job00001.1.batch" / "journal"
        journal.unlink()
        journal.mkdir()
        (stage.root / "go").touch()
        assert (await stage.ended(2)).status == 0
        await stage.until(lambda: stage.reports(n.JobGone, 2))
        journal.rmdir()
        assert "removed while it ran" in (await stage.ended(1)).why
    run(scene)


def test_the_commands_of_jobs_and_the_answers_to_credentials_are_there_again_after_the_spool_was_emptied(run):
    async def scene(stage):
        before = {path.name for path in stage.spool.iterdir()}
        empty(stage)
        stage.send(n.TerminateJob(job=7, attempt=1, why="cancelled", kill_wait=1))
        await stage.until(lambda: stage.reports(n.JobGone, 7))
        stage.send(stage.batch(1, "#!/bin/bash\nexit 0\n"))
        assert (await stage.ended(1)).status == 0
        assert {"commands", "steps", "step_answers"} & before <= {path.name for path in stage.spool.iterdir()}
        stage.kill_slurmd(signal.SIGKILL)
        stage.start_slurmd()
        await stage.until(lambda: len(stage.registrations) == 2)
        stage.send(stage.batch(7, "#!/bin/bash\n"))
        await stage.until(lambda: stage.reports(n.LaunchRefused, 7))
    run(scene)


def test_a_heartbeat_whose_file_was_removed_is_written_where_slurmstepds_look_for_it(tmp_path):
    beats = Heartbeats(str(tmp_path / "spool"), clock=lambda: 5.0)
    (tmp_path / "spool").mkdir()
    beats.open()
    shutil.rmtree(tmp_path / "spool")
    beats.nobody_serves()
    assert float(Path(beats.path).read_text()) == 5.0
    beats.close()


def test_groups_of_earlier_slurmds_are_found_beside_ones_own():
    if not cgroups_can_be_made():
        pytest.skip("this machine lets us make no cgroup")
    earlier, own = Places(f"slurm_py_test.{os.getpid()}.1"), Places(f"slurm_py_test.{os.getpid()}.2")
    earlier.holding()
    own.holding()
    try:
        assert own.beside(f"slurm_py_test.{os.getpid()}.") == earlier.made
    finally:
        for path in (*earlier.made, *own.made):
            os.rmdir(path)
