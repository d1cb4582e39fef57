"""What the kernel holds steps to (cgroup.conf): memory of step and job, CPUs, devices. On the real cgroups of this machine, as root."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from slurm.config.cgroup import CgroupConf
from slurm.config.gres import GresDevice
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.slurmd import cgroup_places
from slurm.slurmd.cgroup_places import Mount, Places
from slurm.slurmd.confining import Confining
from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.processors import Processors, machine_cores
from slurm.slurmd.stepd import cgroup
from slurm.slurmd.stepd.confinement import Confined, Memory, confine, group_of
from slurm.slurmd.stepd.folder import BATCH, StepRecord
from tests.cluster.slurmd.conftest import Run, Stage
from tests.cluster.slurmd.test_steps import Srun

TASK_CGROUP = "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup\n"
HOLDS = "import time; table = bytearray({mb} << 20); print('holds', flush=True); time.sleep({seconds})"


def can(controller: str) -> bool:
    """Whether this machine lets us limit what a controller limits."""
    places = Places(f"slurm_py_test_{os.getpid()}")
    try:
        places.of_controller(controller)
    except OSError:
        return False
    finally:
        for path in places.made:
            cgroup.remove_empty(path)
    return True


def needs(controller: str) -> pytest.MarkDecorator:
    """Skipped where the kernel has no such controller, or grants us none."""
    return pytest.mark.skipif(not can(controller), reason=f"this machine lets us make no cgroup of {controller}")


def confined(stage: Stage, text: str) -> None:
    """Write the cgroup.conf."""
    (stage.root / "cgroup.conf").write_text(text)


def holding(mb: int, seconds: float) -> str:
    """A program that holds so much memory for so long."""
    return f"{shlex.quote(sys.executable)} -S -c {shlex.quote(HOLDS.format(mb=mb, seconds=seconds))}"


def groups_left(stage: Stage) -> list[str]:
    """Cgroups that this stage's slurmd made and nobody took away."""
    found = subprocess.run(["find", "/sys/fs/cgroup", "-maxdepth", "6", "-name", "slurmd_cn01.*"], capture_output=True, text=True, check=False).stdout
    steps = os.stat(stage.spool / "steps")
    return [path for path in found.split() if path.endswith(f"{steps.st_dev:x}.{steps.st_ino:x}")]


@needs("memory")
def test_the_kernel_ends_what_takes_more_memory_than_its_job_has_and_the_user_reads_why(run: Run) -> None:
    confined(run.stage, "ConstrainRAMSpace=yes\nConstrainSwapSpace=yes\n")

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, f"#!/bin/bash\n{holding(80, 30)}\nexit $?\n", memory=40))
        stage.send(stage.batch(2, f"#!/bin/bash\n{holding(20, 0.2)}\n", memory=40))
        stage.send(stage.batch(3, f"#!/bin/bash\n{holding(20, 0.2)}\n"))
        greedy, modest, unbounded = await stage.ended(1), await stage.ended(2), await stage.ended(3)
        assert greedy.oom and greedy.status
        assert "error: Detected 1 oom_kill event in StepId=1.batch. Some of the step tasks have been OOM Killed." in stage.output(1)
        assert "its limit on this node is 40M: ask for more with --mem" in stage.output(1)
        assert (modest.oom, modest.status, unbounded.oom, unbounded.status) == (False, 0, False, 0)
        stage.kill_slurmd(15)
        await stage.until(lambda: not groups_left(stage))

    run(scene, conf=TASK_CGROUP)


@needs("memory")
def test_the_steps_of_a_job_hold_no_more_together_than_the_job_has(run: Run) -> None:
    confined(run.stage, "ConstrainRAMSpace=yes\n")

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, f"#!/bin/bash\n{holding(40, 5)}\n", memory=70))
        await stage.until(lambda: os.path.exists(stage.root / "out-1") and "holds" in stage.output(1))
        credential = stage.credential(
            1, 0, 1, shares=[NodeShare(node=NodeName("cn01"), cpus=CpuSet(0b1), memory=70, tasks=1)], job_memory={"cn01": 70})
        srun = await Srun.call(stage, 1, [sys.executable, "-S", "-c", HOLDS.format(mb=50, seconds=3)], ranks=(0,), credential=credential)
        await srun.finish()
        batch = await stage.ended(1)
        assert batch.oom or (await stage.ended(1, 0)).oom, "90 MB in a job of 70"

    run(scene, conf=TASK_CGROUP)


@needs("cpuset")
def test_a_task_cannot_use_a_cpu_that_is_not_its_jobs(run: Run) -> None:
    confined(run.stage, "ConstrainCores=yes\n")
    here = Processors(4, 1, 1, machine_cores(Tree(), os.sched_getaffinity(0)))  # the node has 4 CPUs
    last, every = min(4, here.count) - 1, max(os.sched_getaffinity(0)) + 1

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(
            1, f"#!/bin/bash\n{sys.executable} -S -c 'import os; os.sched_setaffinity(0, range({every})); print(os.sched_getaffinity(0))'\n",
            cpus=CpuSet(1 << last)))
        assert (await stage.ended(1)).status == 0
        assert stage.output(1).split() == str(set(here.of([last]))).split()

    run(scene, conf=TASK_CGROUP)


@needs("devices")
@pytest.mark.parametrize("plugin", ["cgroup/v1", "cgroup/v2"])
def test_a_job_sees_its_own_devices_and_none_of_another(run: Run, plugin: str) -> None:
    version = int(plugin[-1])
    if not any(mount.version == version for mount in cgroup_places.mounts()):
        pytest.skip(f"no cgroups of version {version} here")
    confined(run.stage, f"ConstrainDevices=yes\nCgroupPlugin={plugin}\n")
    (run.stage.root / "gres.conf").write_text("Name=gpu File=/dev/zero\nName=gpu File=/dev/full\n")
    run.stage.conf.write_text(run.stage.conf.read_text().replace("RealMemory=1000", "RealMemory=1000 Gres=gpu:2"))
    looks = "#!/bin/bash\nfor one in zero full urandom; do head -c 1 /dev/$one >/dev/null 2>&1 && echo $one; done\n"

    async def scene(stage: Stage) -> None:
        stage.send(stage.batch(1, looks, devices=["/dev/zero"]))
        stage.send(stage.batch(2, looks))
        assert ((await stage.ended(1)).status, (await stage.ended(2)).status) == (0, 0)
        assert stage.output(1).split() == ["zero", "urandom"]
        assert stage.output(2).split() == ["urandom"]
        credential = stage.credential(5, 0, 1, devices={"cn01": ["/dev/full"]})
        srun = await Srun.call(stage, 5, ["/bin/bash", "-c", looks], ranks=(0,), credential=credential)
        await srun.finish()
        assert srun.out[0].split() == [b"full", b"urandom"]

    run(scene, conf=TASK_CGROUP + "GresTypes=gpu\n")


@pytest.mark.parametrize("plugin", ["cgroup/v1", "cgroup/v2"])
def test_a_process_in_a_steps_groups_has_what_the_step_has_and_no_more(plugin: str) -> None:
    """Without a slurmd, on whichever version there is: `tests/campaign/in_virtual_machine` runs it where there is version 2 only."""
    conf = CgroupConf(ram=True, swap=True, cores=True, devices=True, plugin=plugin)
    places = Places(f"slurm_py_test_{os.getpid()}", conf)
    holding = places.holding()
    try:
        confining = Confining(conf, places, 1000, [GresDevice("gpu", "", "/dev/zero", [], 0, 1), GresDevice("gpu", "", "/dev/full", [], 1, 1)])
    except ConfigError as error:
        for path in places.made:
            cgroup.remove_empty(path)
        pytest.skip(error.message)
    last = max(os.sched_getaffinity(0))
    record = StepRecord(1, 1, BATCH, "cn01", 0, 0, "root", [], {}, "/", {})
    folder, given = confining.of(holding, record.key.job_name, 60, 60, [last], ["/dev/full"])
    record = record._replace(cgroup=folder, confined=given)
    group = group_of(record)
    try:
        confine(group, record)
        confine(group, record)  # again: nothing happens
        looks = "import os; os.sched_setaffinity(0, range(1024)); print(os.sched_getaffinity(0)); open('/dev/full').close(); open('/dev/zero')"
        seen = subprocess.run([sys.executable, "-S", "-c", looks], preexec_fn=group.enter, capture_output=True, text=True, check=False)
        assert seen.stdout.split() == [f"{{{last}}}"] and "Operation not permitted: '/dev/zero'" in seen.stderr
        assert subprocess.run(["head", "-c", "30M", "/dev/urandom"], preexec_fn=group.enter, stdout=subprocess.DEVNULL, check=False).returncode == 0
        assert group.killed_for_memory() == 0
        greedy = subprocess.run([sys.executable, "-S", "-c", "bytearray(90 << 20)"], preexec_fn=group.enter, check=False)
        assert (greedy.returncode, group.killed_for_memory()) == (-9, 1)
    finally:
        group.remove()
        for path in places.made:
            cgroup.remove_empty(path)
    assert not [path for path in (*places.made, *group.folders) if os.path.exists(path)]


def test_what_the_kernel_cannot_do_keeps_slurmd_from_starting_and_says_what_would_help(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cgroup_places, "mounts", list)
    conf = CgroupConf(ram=True)
    with pytest.raises(ConfigError, match="ConstrainRAMSpace=yes, but no cgroup of controller memory can be made here"):
        Confining(conf, Places("x", conf), 1000, [])
    with pytest.raises(ConfigError, match="CgroupPlugin=disabled"):
        Confining(conf._replace(plugin="disabled"), Places("x", conf), 1000, [])


@pytest.mark.parametrize(("conf", "memory", "wanted"), [
    ({}, 100, (100, None)),
    ({}, 0, (1000, None)),
    ({"allowed_ram": 90.0}, 100, (90, None)),
    ({"allowed_ram": 150.0}, 900, (1000, None)),
    ({"max_ram": 50.0}, 900, (500, None)),
    ({"max_ram": 50.0}, 0, (500, None)),
    ({}, 10, (30, None)),
    ({"min_ram": 5}, 10, (10, None)),
    ({"swap": True}, 100, (100, 0)),
    ({"swap": True, "allowed_swap": 50.0}, 100, (100, 50)),
    ({"swap": True, "allowed_swap": 200.0, "max_swap": 60.0}, 400, (400, 200)),
])
def test_the_space_of_a_job_is_what_the_manual_says(conf: dict[str, object], memory: int, wanted: Sequence[int | None], tmp_path: Path) -> None:
    places = Places("x")
    places.of_controller = lambda controller: (1, str(tmp_path))  # type: ignore[method-assign]
    confining = Confining(CgroupConf(ram=True)._replace(**conf), places, 1000, [])
    folder, given = confining.of("/holding", "job00001.1", memory, memory, [], [])
    found = Confined(**given)  # type: ignore[arg-type]
    assert folder == "/holding"
    assert found.memory == (1, f"{tmp_path}/job00001.1")
    assert found.step == found.job == Memory(*(None if value is None else value << 20 for value in wanted))


def test_cgroup_conf_chooses_the_version_and_the_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old, new = Mount(str(tmp_path / "memory"), 1, ("rw", "memory")), Mount(str(tmp_path / "unified"), 2, ())
    for mount in (old, new):
        os.makedirs(mount.folder)
    monkeypatch.setattr(cgroup_places, "mounts", lambda: [old, new])

    def chosen(**fields: object) -> list[int]:
        return [mount.version for mount in Places("x", CgroupConf(mountpoint=str(tmp_path))._replace(**fields))._mounts]

    assert chosen() == [1, 2]
    assert chosen(plugin="cgroup/v1") == [1]
    assert chosen(plugin="cgroup/v2") == [2]
    assert chosen(plugin="disabled") == chosen(mountpoint="/sys/fs/cgroup") == []
