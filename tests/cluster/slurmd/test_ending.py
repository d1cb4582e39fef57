"""The end of steps: their cgroups whatever is in them, processes that cannot be killed, slurmstepds that do not listen, remains of killed ones."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from itertools import combinations

import psutil
import pytest

from slurm.model.errors import SlurmError
from slurm.slurmd import cgroup_places, control, orders, remains
from slurm.slurmd.roster import StepHere
from slurm.slurmd.stepd import cgroup, hooks
from slurm.slurmd.stepd.folder import StepKey
from slurm.wire import node_messages as n
from tests.cluster.slurmd.test_faults import cgroups_can_be_made, parent_of, started, stepd_of, title

FREEZER = "/sys/fs/cgroup/freezer"
DAEMON = (
    "#!/bin/bash\n"
    "python3 -c 'import os, sys, time\n"
    "if os.fork(): os._exit(0)\n"
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "os.environ.clear()\n"
    "open(\"daemon.pid\", \"w\").write(str(os.getpid()))\n"
    "os.execve(\"/bin/sleep\", [\"sleep\", \"1000\"], {})'\n"
    "until [ -s daemon.pid ]; do sleep 0.05; done\n"
    "echo start\nsleep 1000\n")


def writable(folder):
    """Whether this test may make a cgroup there."""
    return os.path.exists(os.path.join(folder, "cgroup.procs")) and os.access(folder, os.W_OK)


def alive(pid):
    """Whether a process runs."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.skipif(not cgroups_can_be_made() or os.geteuid() != 0, reason="only root, where cgroups can be made, has groups below its job's")
def test_groups_that_a_job_made_below_its_own_are_emptied_and_removed_with_it(run):
    async def scene(stage):
        stage.send(stage.batch(1, (
            "#!/bin/bash\nown=$(awk '$3 == \"cgroup2\" {print $2; exit}' /proc/mounts)$(sed -n 's/^0:://p' /proc/self/cgroup)\n"
            "mkdir -p $own/deep/deeper && sh -c \"echo \\$\\$ > $own/deep/deeper/cgroup.procs; exec setsid env -i /bin/sleep 1000\" &\n"
            "until grep -q . $own/deep/deeper/cgroup.procs; do sleep 0.05; done; echo start $own\nexit 3\n")))
        assert (await stage.ended(1)).status == 3 << 8
        group = stage.output(1).split()[1]
        assert not os.path.exists(group)
        assert "cleaning up" not in (stage.root / "slurmd.out").read_text()
    run(scene)


@pytest.mark.skipif(not writable(FREEZER), reason="no freezer of version 1, in which processes do not take even SIGKILL")
def test_what_sigkill_does_not_end_drains_the_node_and_holds_up_nothing_else(run, tmp_path):
    frozen = os.path.join(FREEZER, f"slurm-py-test-{os.getpid()}")
    os.makedirs(frozen, exist_ok=True)
    program = tmp_path / "told"
    program.write_text(f"#!/bin/sh\necho $SLURM_JOB_ID $SLURM_STEP_ID > {tmp_path}/unkillable\n")
    program.chmod(0o755)

    async def scene(stage):
        stage.send(stage.batch(1, "#!/bin/bash\necho start\nsleep 1000\n"))
        await started(stage, 1)
        pids = [child.pid for child in stepd_of(stage, "1.batch").children(recursive=True)]
        for pid in pids:
            with open(os.path.join(frozen, "cgroup.procs"), "w", encoding="ascii") as file:
                file.write(str(pid))
        with open(os.path.join(frozen, "freezer.state"), "w", encoding="ascii") as file:
            file.write("FROZEN")
        stage.send(n.TerminateJob(job=1, attempt=1, why="cancelled", kill_wait=0))
        ended = await stage.ended(1)
        assert ended.status == 9
        assert ended.drain.startswith("Kill task failed: step 1.batch, pid ")
        assert ended.drain.endswith("when they have ended: scontrol update nodename=cn01 state=resume")
        assert set(pids) & {int(word.rstrip(",;")) for word in ended.drain.split() if word.rstrip(",;").isdigit()}
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        await stage.until(lambda: (tmp_path / "unkillable").exists() and (tmp_path / "unkillable").read_text() == "1 -5\n")
        stage.send(stage.batch(2, "#!/bin/bash\nexit 4\n"))
        assert (await stage.ended(2)).status == 4 << 8
        with open(os.path.join(frozen, "freezer.state"), "w", encoding="ascii") as file:
            file.write("THAWED")
        await stage.until(lambda: not any(map(alive, pids)))
        await stage.until(lambda: "of step 1.batch has ended: scontrol update nodename=cn01" in (stage.root / "slurmd.out").read_text())
    try:
        run(scene, conf=f"UnkillableStepTimeout=1\nUnkillableStepProgram={program}\n")
    finally:
        with open(os.path.join(frozen, "freezer.state"), "w", encoding="ascii") as file:
            file.write("THAWED")
        time.sleep(0.2)
        os.rmdir(frozen)


def kill_some(stage, which):
    """Kill the named ones at once, nobody in time to see another die."""
    found = {"stepd": stepd_of(stage, "1.batch"), "slurmd": psutil.Process(stage.process.pid)}
    found["zygote"] = next(child for child in found["slurmd"].children() if "zygote" in title(child))
    for name in which:
        found[name].suspend()
    for name in which:
        found[name].kill()
    if "slurmd" in which:
        stage.process.wait(10)


NO_CGROUP = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/fs/cgroup && exec "$0" "$@"']
CAN_HIDE = os.geteuid() == 0 and subprocess.run([*NO_CGROUP, "true"], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("hidden", [
    False, pytest.param(True, marks=pytest.mark.skipif(not CAN_HIDE, reason="only root can hide cgroups from a slurmd"))], ids=["cgroup", "none"])
@pytest.mark.parametrize("which", [some for count in (1, 2, 3) for some in combinations(("stepd", "zygote", "slurmd"), count) if "stepd" in some])
def test_whoever_is_killed_nothing_of_an_ended_job_is_left(run, which, hidden):
    run.stage.prefix = NO_CGROUP if hidden else []

    async def scene(stage):
        stage.send(stage.batch(1, DAEMON))
        await started(stage, 1)
        daemon = int((stage.root / "daemon.pid").read_text())
        if hidden:
            await stage.until(lambda: f"{daemon} " in (stage.spool / "steps" / "job00001.1.batch" / "processes").read_text()
                              if (stage.spool / "steps" / "job00001.1.batch" / "processes").exists() else False)
        assert alive(daemon)
        kill_some(stage, which)
        if "slurmd" in which:
            stage.start_slurmd()
        assert (await stage.ended(1)).status == 9
        assert not alive(daemon)
        await stage.until(lambda: stage.reports(n.JobGone, 1))
    run(scene)


def test_processes_of_a_step_that_the_spool_has_lost_are_ended_at_the_start(run):
    async def scene(stage):
        instance = stage.instance
        stage.kill_slurmd(signal.SIGTERM)
        left = subprocess.Popen(["/bin/sleep", "1000"], env={"SLURM_PY_STEP": f"{instance}:job00077.1.0"})
        other = subprocess.Popen(["/bin/sleep", "1000"], env={"SLURM_PY_STEP": "1.2:job00077.1.0"})
        stage.start_slurmd()
        assert await asyncio.to_thread(left.wait, 10) == -signal.SIGKILL
        assert other.poll() is None
        other.kill()
        other.wait()
    run(scene)


LISTENS = "import socket, sys, time\nl = socket.socket(socket.AF_UNIX)\nl.bind(sys.argv[1])\nl.listen(0)\nprint(flush=True)\ntime.sleep(1000)"


@pytest.fixture
def deaf(tmp_path):
    """A process that listens at a step's socket and takes nothing."""
    process = subprocess.Popen([sys.executable, "-c", LISTENS, str(tmp_path / "step.sock")], stdout=subprocess.PIPE, cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_slurmstepd_that_does_not_listen_is_killed_when_its_step_should_long_be_over(deaf, tmp_path, monkeypatch):
    monkeypatch.setattr(orders, "PATIENCE_SECONDS", 0.3)

    async def main():
        step = StepHere(StepKey(1, 1, -5), str(tmp_path))
        step.pid = deaf.pid
        given = orders.Orders()
        given.terminate(step, "cancelled", 0, 0.0)
        given.terminate(step, "cancelled", 0, 0.0)
        assert await asyncio.to_thread(deaf.wait, 10) == -signal.SIGKILL
        step.ended = object()
        given.close()
    asyncio.run(main())


def test_a_full_backlog_is_no_connection_and_says_who_listens(deaf, tmp_path):
    taken = []
    while (one := control.connect(str(tmp_path))) is not None:
        taken.append(one)
        assert len(taken) < 100
    for one in taken:
        one.close()
    assert control.pid_of(str(tmp_path)) in (0, deaf.pid)


class Told:
    """A step that only keeps what is complained of."""

    def __init__(self):
        self.said = []

    def complain(self, sentence):
        self.said.append(sentence)

    def refuse(self, sentence, status):
        self.said.append(f"refused: {sentence}")

    fail = refuse


class Noted(hooks.Hook):
    """A hook that fails, or not."""

    def __init__(self, log, name, error=None):
        self.log, self.name, self.error = log, name, error

    def set_up(self, step):
        self.log.append(f"+{self.name}")
        if self.error:
            raise self.error

    def clean_up(self, step):
        self.log.append(f"-{self.name}")
        if self.error:
            raise self.error


@pytest.mark.parametrize("error", [OSError(16, "Device or resource busy"), KeyError("x"), SlurmError()])
def test_a_clean_up_that_fails_keeps_no_other_from_being_done_and_a_failed_set_up_is_cleaned_up_too(error):
    log, step = [], Told()
    some = (Noted(log, "a"), Noted(log, "b", error), Noted(log, "c"))
    hooks.set_up(step, some)
    hooks.clean_up(step, some)
    assert log == ["+a", "+b", "-c", "-b", "-a"]
    assert len(step.said) == 2 and step.said[1].startswith("cleaning up (noted) failed: ")


def test_a_cgroup_of_version_1_is_found_where_there_is_none_of_version_2(tmp_path, monkeypatch):
    if not writable(FREEZER):
        pytest.skip("no freezer of version 1")
    monkeypatch.setattr(cgroup_places, "mounts", lambda: [cgroup_places.Mount(FREEZER, 1, ("rw", "freezer"))])
    parent = cgroup_places.Places(f"slurm-py-test-{os.getpid()}").holding()
    group = cgroup.Cgroup(parent, "job00001.1.batch")
    group.make()
    hidden = subprocess.Popen(["/bin/sleep", "1000"], env={}, start_new_session=True)
    os.mkdir(os.path.join(group.path, "deep"))
    with open(os.path.join(group.path, "deep", "cgroup.procs"), "w", encoding="ascii") as file:
        file.write(str(hidden.pid))
    assert remains.clear(group) == [hidden.pid]
    assert hidden.wait(10) == -signal.SIGKILL
    assert remains.clear(group) == []
    cgroup.remove_empty(parent)
    assert not os.path.exists(parent)


def test_the_empty_cgroup_goes_with_slurmd_and_stays_with_a_running_step(run):
    if not cgroups_can_be_made():
        pytest.skip("this machine lets us make no cgroup")

    async def scene(stage):
        parent = parent_of(stage)
        stage.send(stage.batch(1, "#!/bin/bash\necho start\nuntil [ -e go ]; do sleep 0.05; done\n"))
        await started(stage, 1)
        stage.kill_slurmd(signal.SIGTERM)
        assert os.listdir(parent).count("job00001.1.batch") == 1
        (stage.root / "go").touch()
        stage.start_slurmd()
        assert (await stage.ended(1)).status == 0
        await stage.until(lambda: stage.reports(n.JobGone, 1))
        stage.kill_slurmd(signal.SIGTERM)
        assert not os.path.exists(parent)
        stage.start_slurmd()
    run(scene)


def test_a_socket_error_of_a_watched_step_is_the_end_of_its_connection_only():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    theirs.close()
    asyncio.run(control.until_closed(ours))
    assert ours.fileno() == -1
