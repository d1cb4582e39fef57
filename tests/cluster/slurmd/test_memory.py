"""Memory limits where no cgroup keeps them: slurmstepd looks, and ends the step that holds too much."""

from __future__ import annotations

import os
import shlex
import sys

import psutil
import pytest

from slurm.model.cpu_set import CpuSet
from slurm.model.errors import ConfigError
from slurm.model.ids import NodeName
from slurm.model.job import NodeShare
from slurm.slurmd import settings
from slurm.slurmd.stepd import memory
from tests.cluster.slurmd.conftest import CONF
from tests.cluster.slurmd.test_steps import Srun

HOLDS = "import os, time; table = bytearray(80 << 20); {then}; print('start', flush=True); time.sleep({seconds})"
LOOKING = "JobAcctGatherParams=OverMemoryKill\nJobAcctGatherFrequency=task=1\n"


def script(then: str, seconds: float) -> str:
    """A job that holds 80 MB."""
    return f"#!/bin/bash\n{shlex.quote(sys.executable)} -S -c {shlex.quote(HOLDS.format(then=then, seconds=seconds))} & wait $!; exit $?\n"


def test_a_step_that_holds_more_than_it_may_is_killed_and_told_why_and_one_that_shares_is_not(run):
    async def scene(stage):
        stage.send(stage.batch(1, script("pass", 30), memory=40))
        stage.send(stage.batch(2, script("[os.fork() for _ in range(2)]", 2.5), memory=120))
        greedy = await stage.ended(1)
        assert (greedy.oom, greedy.status) == (True, 9)
        assert "error: StepId=1.batch exceeded memory limit (" in stage.output(1)
        assert " > 41943040), being killed" in stage.output(1)
        assert "its limit on this node is 40M: ask for more with --mem" in stage.output(1)
        shared = await stage.ended(2)
        assert (shared.oom, shared.status) == (False, 0)
    run(scene, conf=LOOKING)


def test_a_step_of_srun_is_killed_as_a_whole_whatever_interval_it_asked_for(run):
    async def scene(stage):
        credential = stage.credential(4, 0, 2, shares=[NodeShare(node=NodeName("cn01"), cpus=CpuSet(0b11), memory=60, tasks=2)], sampling=0)
        greedy = [sys.executable, "-S", "-c", HOLDS.format(then="pass", seconds=30)]
        srun = await Srun.call(stage, 4, [], ranks=(0, 1), credential=credential, multi_prog=[greedy, ["/bin/sleep", "30"]])
        await srun.finish()
        ended = await stage.ended(4, 0)
        assert (ended.oom, ended.status, srun.exits) == (True, 9, {0: 9, 1: 9})
        assert "StepId=4.0 exceeded memory limit (" in srun.notices
        assert ended.usage.taken["mem"].most.value > 80 << 20
    run(scene, conf=LOOKING)


@pytest.mark.parametrize("conf", ["JobAcctGatherFrequency=1\n", "JobAcctGatherParams=OverMemoryKill\nJobAcctGatherFrequency=0\n"])
def test_nobody_looks_unless_asked_to(run, conf):
    async def scene(stage):
        stage.send(stage.batch(3, script("pass", 1.5), memory=40))
        assert (await stage.ended(3)).status == 0
    run(scene, conf=conf)


def test_a_frequency_that_is_none_is_refused(tmp_path):
    conf = tmp_path / "slurm.conf"
    conf.write_text(CONF.format(root=tmp_path) + "JobAcctGatherParams=OverMemoryKill\nJobAcctGatherFrequency=often\n")
    with pytest.raises(ConfigError, match="JobAcctGatherFrequency=often: no number of seconds"):
        settings.read(str(conf), "cn01")


def test_what_is_held_is_at_most_what_is_resident():
    own = os.getpid()
    resident = psutil.Process(own).memory_info().rss
    assert memory.held([own], 1 << 60) == pytest.approx(resident, rel=0.1)
    assert 0 < memory.held([own], 1) < resident * 1.1
    assert memory.held([2 ** 22 + 1], 1) == 0
