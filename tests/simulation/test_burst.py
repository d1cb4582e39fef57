"""A burst of jobs on cloud nodes, with a clock that is set by hand: a provider that starts machines late, one that never comes up, one that
dies. At the end every job has run and no machine is on."""

from __future__ import annotations

import random

import pytest

from slurm.core import events as e
from slurm.core import recovery
from slurm.core.effects import Effect, Launch, Terminate
from slurm.core.invariants import assert_valid
from slurm.core.nodes import saving
from slurm.model.ids import JobId, NodeName
from slurm.model.states import JobState, NodeState, Power
from slurm.sched.plan import plan
from slurm.testing import builders as b

NODES = 20
BROKEN, MORTAL = NodeName("cn07"), NodeName("cn03")


class Provider:
    """Machines: when each is up; what runs there until when."""

    def __init__(self, chance: random.Random) -> None:
        self.c = b.cluster(nodes=NODES, cpus=2, suspends=True, resumes=True, suspend_time=60, suspend_timeout=10, resume_timeout=90, slurmd_timeout=30,
            requeue_delay=0)
        for node in self.c.nodes.values():
            node.cloud, node.power, node.responding, node.registered = True, Power.OFF, False, False
        self.chance = chance
        self.on: dict[NodeName, float] = {}  # machine → since when its slurmd is there
        self.running: dict[JobId, tuple[NodeName, int, float]] = {}
        self.silent: dict[NodeName, float] = {}
        self.died = False

    def carry_out(self, effects: list[Effect], at: float) -> None:
        for effect in effects:
            if isinstance(effect, Launch) and recovery.still_due(self.c, effect):
                assert self.on.get(effect.node, at + 1) <= at, f"{effect.node} is not on"
                self.running[effect.job] = (effect.node, effect.attempt, at + 30 + self.chance.random() * 60)
                self.apply(e.Launched(at=at, job=effect.job, attempt=effect.attempt), at)
            elif isinstance(effect, Terminate):
                for name in effect.nodes:
                    if self.on.get(name, at + 1) <= at:
                        self.apply(e.NodeFreed(at=at, job=effect.job, attempt=effect.attempt, node=name), at)

    def apply(self, event: e.Event, at: float) -> None:
        self.carry_out(self.c.apply(event), at)
        assert_valid(self.c)

    def turn(self, at: float) -> None:
        for name, since in sorted(self.on.items()):
            if at - 1 < since <= at:
                self.apply(b.registered(self.c.nodes[name], at, boot_id=f"{name}-{at}", rebooted=bool(self.c.nodes[name].boot_id)), at)
        for job, (_, attempt, end) in sorted(self.running.items()):
            if end <= at:
                del self.running[job]
                self.apply(e.BatchExited(at=at, job=job, attempt=attempt, status=0), at)
        self.die(at)
        for event in saving.due(self.c, saving.plan(self.c), at, proven=self.c.nodes):
            self.apply(event, at)
            if isinstance(event, e.PowerChanged) and event.power is Power.GOING_DOWN:
                self.on.pop(event.node, None)
            elif isinstance(event, e.PowerChanged) and event.power is Power.COMING_UP and event.node != BROKEN:
                self.on[event.node] = at + 20 + self.chance.random() * 40
        for proposal in plan(self.c, at).proposals:
            started = self.c.starting(proposal.job, proposal.task, proposal.allocation, at, proposal.time_limit, proposal.components)
            if started is not None:
                self.apply(started, at)

    def die(self, at: float) -> None:
        """The mortal machine goes while a job runs there, once."""
        here = [job for job, (name, _, _) in self.running.items() if name == MORTAL]
        if here and not self.died:
            self.died = True
            del self.on[MORTAL]
            for job in here:
                del self.running[job]
            self.silent[MORTAL] = at
            self.apply(e.NodeSilent(at=at, node=MORTAL), at)
        for name, since in list(self.silent.items()):
            if at >= since + 30:
                del self.silent[name]
                self.apply(e.NodeLost(at=at, node=name, may_run=True, together=[name]), at)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_burst_over_twenty_cloud_nodes_and_back_leaves_no_job_undone_and_no_node_on(seed: int) -> None:
    site = Provider(random.Random(seed))
    jobs = [b.submit(site.c, name=f"j{i}", cpus_per_task=2, time_limit=300, requeue=True) for i in range(NODES + 5)]
    most = 0
    for second in range(1, 500):
        site.turn(b.T0 + second)
        most = max(most, len(site.on))
    assert [job.state for job in jobs] == [JobState.COMPLETED] * len(jobs)
    assert most == NODES - 1 and site.died
    assert site.on == {} and {node.power for node in site.c.nodes.values()} == {Power.OFF}
    down = {name: node.reason for name, node in site.c.nodes.items() if node.state is NodeState.DOWN}
    assert down == {BROKEN: "ResumeTimeout reached", MORTAL: "Not responding"}
    assert all(not node.jobs and not node.cpus_used and not node.remains for node in site.c.nodes.values())
