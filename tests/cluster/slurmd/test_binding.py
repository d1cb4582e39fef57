"""Tasks are bound to CPUs of this machine as srun asks, and read of it."""

import os
import sys

from slurm.slurmd.gpus.tree import Tree
from slurm.slurmd.processors import Processors, machine_cores
from tests.cluster.slurmd.test_steps import Srun

SHOWS = "import os; print(*sorted(os.sched_getaffinity(0)), os.environ.get('SLURM_CPU_BIND'))"
HERE = Processors(4, 1, 1, machine_cores(Tree(), os.sched_getaffinity(0)))
"""The stage's node."""


def test_each_task_has_its_cpus_and_says_so(run):
    cpus = HERE.of([0, 1]) or HERE.of([0])
    first, last = min(cpus), max(cpus)

    async def scene(stage):
        program = [sys.executable, "-S", "-c", SHOWS]
        srun = await (await Srun.call(stage, 1, program, ranks=(2, 3), cpu_bind=f"verbose,map_cpu:{first},{last}")).finish()
        if len(cpus) < 2:  # a machine of one CPU: the node is emulated
            assert srun.out == {rank: f"{first} None\n".encode() for rank in (2, 3)}
            return
        told = f"verbose,mask_cpu:0x{1 << first:X},0x{1 << last:X}"
        assert srun.out == {2: f"{first} {told}\n".encode(), 3: f"{last} {told}\n".encode()}
        pids = srun.pids
        assert srun.err[2].decode() == f"cpu-bind=MASK - cn01, task  2  0 [{pids['2']}]: mask 0x{1 << first:x} set\n"
        assert srun.err[3].decode() == f"cpu-bind=MASK - cn01, task  3  1 [{pids['3']}]: mask 0x{1 << last:x} set\n"
        quiet = await (await Srun.call(stage, 1, program, step=1, cpu_bind="none")).finish()
        assert quiet.out == {0: f"{' '.join(map(str, cpus))} quiet,none\n".encode()} and not any(quiet.err.values())
        beyond = await (await Srun.call(stage, 1, program, step=2, cpu_bind="map_cpu:60000")).finish()
        assert beyond.failed["message"] == "Unable to satisfy cpu bind request"

    run(scene, conf="TaskPlugin=task/affinity\n")


def test_a_cluster_that_binds_nothing_leaves_all_cpus_and_tells_of_none(run):
    async def scene(stage):
        srun = await (await Srun.call(stage, 1, [sys.executable, "-S", "-c", SHOWS], ranks=(0, 1), cpu_bind="verbose,cores")).finish()
        every = " ".join(map(str, sorted(os.sched_getaffinity(0))))
        assert srun.out == {rank: f"{every} None\n".encode() for rank in (0, 1)} and not any(srun.err.values())

    run(scene)
