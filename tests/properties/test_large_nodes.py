"""Nodes with more CPUs or devices than a machine word has bits: nothing is given twice, and everything comes back from the journal."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.core import events as e
from slurm.core import invariants, steps
from slurm.core.cluster import Cluster
from slurm.journal import rows
from slurm.journal.codec import Reader
from slurm.journal.restoring import restored
from slurm.model import msgpack
from slurm.model.cpu_set import CpuSet
from slurm.model.errors import SlurmError
from slurm.model.job import Job
from slurm.model.node import GresPool
from slurm.model.request import StepRequest
from slurm.sched.plan import plan
from slurm.testing import builders as b

FEW = settings(max_examples=8, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
SEEDS = st.integers(0, 2**32 - 1)
DECODE = msgpack.decoder(e.AnyEvent).decode


def mig_pools(cpus: int) -> list[GresPool]:
    """16 GPUs: two whole ones, and fourteen with seven MIG slices each, near to the CPUs of their half of the node."""
    pools = [GresPool(name="gpu", type="h100", count=2, files=["/dev/nvidia0", "/dev/nvidia1"], cores=CpuSet.run(cpus // 2))]
    for number in range(2, 16):
        first = 2 + 7 * (number - 2)
        pools.append(GresPool(
            name="gpu", type="1g.10gb", count=7, first=first, files=[f"/dev/nvidia-caps/nvidia-cap{first + i}" for i in range(7)],
            cores=CpuSet.run(cpus // 2, cpus // 2 if number >= 8 else 0)))
    return pools


class Kept:
    """A cluster whose events also go through bytes into a second one."""

    def __init__(self, cpus: int, threads: int = 1, unit: str = "core") -> None:
        sockets = 2 - cpus % 2
        cores = cpus // sockets // threads
        nodes = [b.node(f"cn{i}", cpus, 1_000_000, sockets=sockets, cores_per_socket=cores, threads_per_core=threads, gres=mig_pools(cpus), position=i)
                 for i in (1, 2)]
        rules = b.Settings(def_mem_per_cpu=10, gres_types=["gpu"], select_unit=unit, requeue_delay=0)
        self.live, self.mirror = Cluster(), Cluster()
        self.record(e.Configured(at=b.T0, settings=rules, nodes=nodes, partitions=[b.partition("debug", nodes, default=True)]))
        for node in nodes:
            self.record(b.registered(node))

    def record(self, event: e.Event) -> None:
        """Both get it, one of them from its bytes."""
        body = msgpack.encode(event)
        self.live.apply(event)
        self.mirror.apply(DECODE(body))

    def submit(self, **request: object) -> None:
        """A job, unless it is refused."""
        asked = b.JobRequest(name="job", work_dir="/scratch", **request)  # type: ignore[arg-type]
        try:
            self.record(b.admission.admit(self.live, asked, b.PayloadRef(), b.ALICE, b.T0).event)
        except SlurmError:
            return

    def start(self, at: float) -> list[Job]:
        """The jobs that a pass starts."""
        found = []
        for proposal in plan(self.live, at).proposals:
            event = self.live.starting(proposal.job, proposal.task, proposal.allocation, at)
            assert event is not None, f"{proposal} is refused"
            self.record(event)
            found.append(self.live.jobs[event.started or event.job])
        return found

    def check(self) -> None:
        """Nothing is given twice, replay leads to the same state, and so does a snapshot."""
        invariants.assert_valid(self.live)
        written = rows.whole(self.live)
        assert rows.whole(self.mirror) == written
        again = restored(written.values(), Reader({}))
        assert again is not None
        invariants.assert_valid(again)
        assert rows.whole(again) == written


@pytest.mark.parametrize("cpus", [64, 65, 256, 4096])
@FEW
@given(SEEDS)
def test_no_cpu_and_no_device_is_given_twice_and_all_comes_back_from_bytes(cpus: int, seed: int) -> None:
    chance = Random(seed)
    kept = Kept(cpus, 1 if cpus % 2 else chance.choice([1, 1, 2]), chance.choice(["core", "cpu", "socket"]))
    now = b.T0
    for _ in range(4):
        for _ in range(8):
            asked: dict[str, object] = {
                "ntasks": chance.choice([1, 3, cpus // 8, cpus // 2 + 1, cpus]), "cpus_per_task": chance.choice([0, 1, 3, 17]),
                "time_limit": chance.choice([60, 600])}
            asked |= chance.choice([{}, {}, {"gres": "gpu:1"}, {"gres": "gpu:1g.10gb:40"}, {"gres": "gpu:70"}, {"gpus": "h100:1,1g.10gb:5"},
                                    {"exclusive": "node", "ntasks": 1}, {"array": "0-3"}])
            kept.submit(**asked)
        now += 10
        for job in kept.start(now):
            assert job.allocation is not None
            for share in job.allocation.shares:
                request = StepRequest(name="step", ntasks=1, cpus_per_task=max(1, share.cpu_count // 2), exact=True, gpus="0")
                kept.record(e.StepCreated(at=now, job=job.id, step=steps.plan_step(kept.live, job, request, now)))
        kept.check()
        for job in [job for job in kept.live.active.values() if chance.random() < 0.5]:
            kept.record(e.BatchExited(at=now, job=job.id, attempt=job.attempt, status=0))
            for name in list(job.nodes_left):
                kept.record(e.NodeFreed(at=now, job=job.id, attempt=job.attempt, node=name))
        kept.check()


def test_a_job_of_a_256_cpu_node_gets_cpus_from_64_on_and_a_step_those_of_them_that_are_free() -> None:
    kept = Kept(256)
    kept.submit(ntasks=64, nodelist="cn1", distribution="block:block")
    kept.submit(ntasks=100, nodelist="cn1", gres="gpu:1g.10gb:80", distribution="block:block")
    _, job = kept.start(b.T0)
    assert job.allocation is not None
    share = job.allocation.shares[0]
    assert len(share.cpus) == 100 and share.cpus.isdisjoint(CpuSet.run(64))
    assert share.gres == {"gpu": CpuSet.run(80, 2)}
    for want in (share.cpus.lowest(30), (share.cpus - share.cpus.lowest(30)).lowest(60)):
        request = StepRequest(name="step", ntasks=1, cpus_per_task=len(want), exact=True, gres="gpu:20")
        kept.record(e.StepCreated(at=b.T0, job=job.id, step=steps.plan_step(kept.live, job, request, b.T0)))
    assert [step.shares[0].cpus for step in job.steps.values()] == [share.cpus.lowest(30), (share.cpus - share.cpus.lowest(30)).lowest(60)]
    assert [step.shares[0].gres["gpu"] for step in job.steps.values()] == [CpuSet.run(20, 2), CpuSet.run(20, 22)]
    kept.check()


def test_an_exclusive_job_has_all_of_4096_cpus_and_100_devices() -> None:
    kept = Kept(4096)
    kept.submit(exclusive="node", nodelist="cn2")
    kept.submit(ntasks=4097)
    kept.submit(ntasks=4096)
    job, other = kept.start(b.T0)
    assert job.allocation is not None and other.allocation is not None
    assert job.allocation.shares[0].cpus == other.allocation.shares[0].cpus == CpuSet.run(4096)
    assert job.allocation.shares[0].gres == {"gpu": CpuSet.run(100)}
    assert [share.node for share in (*job.allocation.shares, *other.allocation.shares)] == ["cn2", "cn1"]
    kept.check()
