"""The machine's clock is set while jobs run."""

from __future__ import annotations

import time

import pytest

from slurm.slurmctld.clock import Clock
from slurm.wire import node_messages as n
from tests.cluster.slurmctld.conftest import Play, Stage


@pytest.mark.parametrize("by", [2 * 86400.0, -86400.0])
def test_running_jobs_keep_their_time_when_the_clock_is_set_and_nodes_hear_the_new_one(play: Play, by: float) -> None:
    shift = 0.0
    clock = Clock(wall=lambda: time.time() + shift, boot=time.monotonic)

    async def scene(s: Stage) -> None:
        nonlocal shift
        node, alice = await s.node("cn01"), s.client()
        job_id = await alice.submit(time_limit=3600)
        await s.until(lambda: node.of(n.LaunchBatch))
        node.report(n.BatchLaunched, job=job_id, attempt=1)
        job = s.ctl.cluster.jobs[job_id]
        await s.until(lambda: job.launched)
        shift = by
        await s.until(lambda: abs(s.ctl.now() - time.time() - by) < 1)
        assert job.state.name == "RUNNING" and 0 <= s.ctl.now() - job.start_time < 30
        assert s.ctl.time_left(job) == pytest.approx(3600, abs=30)
        await s.until(lambda: [alive for alive in node.of(n.Alive) if abs(alive.now - time.time() - by) < 30])
        await s.restart()
        again = s.ctl.cluster.jobs[job_id]
        assert again.start_time == job.start_time, "a replay moves it once"

    play(scene, clock=clock)
