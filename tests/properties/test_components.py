"""Whatever happens to heterogeneous jobs: no component ever runs alone, nothing is given twice, a replay tells the same."""

from __future__ import annotations

from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from slurm.core import cancel, components, hold, invariants, requeue
from slurm.core import events as e
from slurm.core.cluster import Cluster
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.journal import codec, rows
from slurm.journal.codec import Reader
from slurm.model.errors import SlurmError
from slurm.model.ids import NodeName
from slurm.model.job import Job
from slurm.model.states import JobState
from slurm.sched.plan import plan
from slurm.testing import builders as b
from slurm.wire.messages import JobFilter

SEEDS = st.integers(0, 2**32 - 1)
FEW = settings(max_examples=20, derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class Watched(Cluster):
    """A cluster that remembers its events as they are written, and looks at every heterogeneous job after each."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[tuple[str, bytes]] = []

    def apply(self, event: e.Event) -> list[Effect]:
        body = codec.encode(event)
        effects = super().apply(event)
        self.written.append((type(event).__name__, body))
        for job in self.jobs.values():
            if job.het:
                assert_together(components.members(self.jobs, job))
        return effects


def assert_together(jobs: list[Job]) -> None:
    """None has begun an attempt while another waits for it; when the leader is over, so are all."""
    running = [job for job in jobs if job.state is JobState.RUNNING and not job.completing]
    waiting = [job for job in jobs if job.state is JobState.PENDING and not job.completing and job.lost is None and not job.unproven]
    assert not (running and waiting), f"{[job.shown_id for job in running]} run while {[job.shown_id for job in waiting]} wait"
    if jobs[0].state.finished and jobs[0].id == jobs[0].het_job:
        assert all(job.state.finished for job in jobs), [job.state.name for job in jobs]
    assert len({job.start_time for job in running}) <= 1


def world(chance: Random) -> Watched:
    nodes = [b.node(f"cn{i:02d}", chance.choice([2, 4]), 4000, position=i) for i in range(4)]
    made = Watched()
    rules = b.Settings(def_mem_per_cpu=100, requeue_delay=chance.choice([0, 30]), backfill_resolution=1, min_job_age=50)
    made.apply(e.Configured(at=b.T0, settings=rules, nodes=nodes, partitions=[
        b.partition("debug", nodes, default=True), b.partition("left", nodes[:2], position=1)]))
    for node in nodes:
        made.apply(b.registered(node))
    return made


def act(c: Watched, chance: Random, at: float) -> None:
    """One thing that may happen."""
    jobs = [job for job in c.jobs.values() if job.het]
    one = chance.choice(jobs) if jobs else None
    what = chance.randint(0, 11)
    if what <= 1 or one is None:
        asked = [{"ntasks": chance.randint(1, 3), "partition": chance.choice(["debug", "left"]), "time_limit": chance.choice([50, 500]),
                  "requeue": chance.random() < 0.8} for _ in range(chance.randint(2, 3))]
        b.submit_het(c, *asked, at=at)
    elif what == 2:
        b.submit(c, ntasks=chance.randint(1, 4), time_limit=chance.choice([50, 500]), at=at)
    elif what <= 5:
        b.start_planned(c, plan(c, at, backfill=chance.random() < 0.7, depth=None if chance.random() < 0.5 else 5), at)
    elif what == 6:
        text = chance.choice([str(one.id), one.shown_id])
        for event in cancel.cancel(c, JobFilter(ids=[text]), b.ALICE, at).events:
            c.apply(event)
    elif what == 7 and one.id == one.het_job and one.state is JobState.RUNNING:
        b.exit_batch(c, one, chance.choice([0, 1]), at=at)
    elif what == 8:
        for event in (requeue.requeue if chance.random() < 0.5 else hold.hold)(c, [str(one.het_job)], b.ALICE, at):
            c.apply(event)
    elif what == 9:
        for event in hold.release(c, [str(one.het_job)], b.ALICE, at):
            c.apply(event)
    elif what == 10:
        name = NodeName(f"cn{chance.randint(0, 3):02d}")
        c.apply(e.NodeSilent(at=at, node=name))
        c.apply(e.NodeLost(at=at, node=name, may_run=chance.random() < 0.7, together=[name]))
        if chance.random() < 0.7:
            c.apply(b.registered(c.nodes[name], at=at))
    else:
        for job in list(c.active.values()):
            if job.completing and chance.random() < 0.7:
                b.free(c, job, at=at)


def lived(seed: int) -> Watched:
    chance = Random(seed)
    c = world(chance)
    for turn in range(60):
        at = b.T0 + 5 * turn
        b.pass_time(c, at)
        try:
            act(c, chance, at)
        except (SlurmError, IllegalTransition):
            assert not c.uneven
        invariants.assert_valid(c)
    return c


@FEW
@given(SEEDS)
def test_no_component_runs_while_another_one_waits(seed: int) -> None:
    assert lived(seed).written


@FEW
@given(SEEDS)
def test_a_replay_tells_the_same_of_heterogeneous_jobs(seed: int) -> None:
    c = lived(seed)
    again = Cluster()
    reader = Reader({})
    for kind, body in c.written:
        again.apply(reader.event(rows.VERSION, kind, body))
    assert rows.whole(again) == rows.whole(c)
