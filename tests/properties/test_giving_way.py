"""Random lives of a cluster whose jobs give way to others: whoever gave way did so for one who starts, nothing is given twice, nobody waits in vain."""

from __future__ import annotations

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from slurm.core import admission, preempting, suspend, timers
from slurm.core import events as e
from slurm.model.errors import SlurmError
from slurm.model.policy import Qos
from slurm.model.request import JobRequest, PayloadRef
from slurm.model.states import JobState
from slurm.sched import gang
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.terrain import Terrain
from slurm.testing import builders as b
from tests.properties.test_liveness import PlannedLife

WAYS = st.sampled_from([
    ("qos", ["requeue"], 0), ("qos", ["cancel"], 20), ("qos", ["requeue", "within"], 0), ("partition_prio", ["requeue"], 0),
    ("partition_prio", ["cancel"], 20), ("partition_prio", ["suspend", "gang"], 0), ("partition_prio", ["requeue", "gang"], 0)])
MOST_PASSES = 30


class GivingWay(PlannedLife):
    """Passes carry out all that they propose: starts, jobs that give way or go on, turns of gangs."""

    def __init__(self) -> None:
        self.suspended: dict[tuple[int, int], list[float]] = {}
        self.planning = self.others_promised = False  # whether somebody else promised what cannot be had
        super().__init__()

    @initialize(way=WAYS, exempt=st.sampled_from([0, 0, 15]))
    def configure(self, way: tuple[str, list[str], int], exempt: int) -> None:
        kind, modes, grace = way
        nodes = list(self.live.nodes.values())
        rules = msgspec.structs.replace(
            self.live.settings, preempt_type=kind, preempt_modes=modes, time_slice=30, preempt_exempt_time=exempt, select_memory=True,
            backfill_resolution=1)
        shared = "FORCE:2" if "gang" in modes else "FORCE:1"
        self.record(e.Configured(at=self.now, settings=rules, nodes=nodes, partitions=[
            b.partition("debug", nodes, default=True, oversubscribe=shared, grace_time=grace, priority_tier=1),
            b.partition("urgent", nodes, priority_tier=10)]))
        self.record(e.PolicyChanged(at=self.now, records=[
            Qos(id=1, name="low", grace_time=grace), Qos(id=2, name="normal", preempts=["low"], priority=10, grace_time=grace),
            Qos(id=3, name="high", preempts=["low", "normal"], priority=20)]))

    @rule(qos=st.sampled_from(["low", "normal", "high"]), partition=st.sampled_from(["debug", "debug", "urgent"]), cpus=st.integers(1, 4),
          nodes=st.integers(1, 3), requeue=st.booleans(), gpu=st.booleans(), exclusive=st.sampled_from(["", "", "node"]),
          kind=st.sampled_from(["batch", "batch", "alloc"]), array=st.sampled_from(["", "", "0-3%2"]), memory=st.sampled_from([100, 2500]))
    def submit_sized(self, qos: str, partition: str, cpus: int, nodes: int, requeue: bool, gpu: bool, exclusive: str, kind: str, array: str,
                     memory: int) -> None:
        asked = JobRequest(
            name="a", qos=qos if self.live.settings.preempt_type == "qos" else "", partition=partition, cpus_per_task=cpus, nodes_min=nodes,
            ntasks=nodes, requeue=requeue, exclusive=exclusive, kind=kind, array=array if kind == "batch" else "", time_limit=60,
            mem_per_node=memory)
        try:
            admitted = admission.admit(self.live, asked, PayloadRef(), b.ALICE, self.now)
        except SlurmError:
            return
        self.record(admitted.event)

    @precondition(lambda self: self.live.active)
    @rule(data=st.data(), what=st.sampled_from(["suspend", "resume"]))
    def operators(self, data: st.DataObject, what: str) -> None:
        job = data.draw(st.sampled_from(list(self.live.active.values())))
        self.ask(suspend.suspend if what == "suspend" else suspend.resume, [str(job.id)], b.ROOT)

    def record(self, *events: e.Event, own: bool = False) -> None:
        for event in events:
            self.others_promised |= isinstance(event, e.Preempted) and not self.planning
            super().record(event, own=own)
            for job in self.live.jobs.values():
                key = (job.id, job.attempt)
                holds = job.state is JobState.SUSPENDED
                spans = self.suspended.setdefault(key, [])
                if holds != bool(len(spans) % 2):
                    spans.append(self.now)

    @invariant()
    def suspended_time_is_what_it_was(self) -> None:
        for job in self.live.active.values():
            spans = self.suspended.get((job.id, job.attempt), [])
            whole = sum(b_ - a for a, b_ in zip(spans[::2], spans[1::2], strict=False))
            assert abs(job.suspended_seconds - whole) < 1e-6, (job.id, job.suspended_seconds, spans)

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if self.terrain.view is not self.live:
            self.terrain, self.policy = Terrain(self.live), Policy()
        for _ in range(MOST_PASSES):
            if not self.policy.full:
                break
            self.plan_by_policy(full=not self.policy.quick)
        assert not self.policy.full, "passes go on and on although nothing happens"
        found = plan(self.live, self.now)
        assert not found.proposals, f"no pass is due, and one would start {found.proposals}"
        can = [change for change in found.changes if preempting.possible(self.live, change)]
        assert not can, f"no pass is due, and one would change {can}"

    def plan_by_policy(self, *, full: bool) -> None:
        self.policy.begin(full=full)
        outcome = plan(self.live, self.now, depth=None if full else 3, backfill=full, terrain=self.terrain)
        assert not outcome.faults, outcome.faults
        self.policy.looked(outcome.verdicts.values(), full=full, everybody=outcome.everybody)
        for proposal in outcome.proposals:
            event = self.live.starting(proposal.job, proposal.task, proposal.allocation, self.now, proposal.time_limit)
            assert event is not None or not proposal.promised or self.others_promised, "what was promised is not to be had"
            if event is None and proposal.promised:
                self.record(e.PromiseEnded(at=self.now, job=proposal.job))
            if event is not None:
                self.record(event, own=True)
        self.planning = True
        for change in outcome.changes:
            if preempting.possible(self.live, change):
                self.record(change)
        self.planning = False
        self.take_turns()

    def take_turns(self) -> None:
        for event in gang.turn(self.live, self.now).events:
            self.record(event)
        again = gang.turn(self.live, self.now).events
        assert not again, f"a gang takes turns again at once: {again}"
        self.no_cpu_runs_two()

    def no_cpu_runs_two(self) -> None:
        """No two of a gang's jobs run on a CPU."""
        for node in self.live.nodes.values():
            taken = 0
            for job_id in node.jobs:
                job = self.live.jobs[job_id]
                if job.state is JobState.RUNNING and not job.completing and "gang" in self.live.settings.preempt_modes and (
                        job.partition == "debug" and job.allocation is not None and not job.allocation.exclusive and not job.preempt_mode
                        and job.lost is None and not job.het):
                    bits = next(share for share in job.allocation.shares if share.node == node.name).cpus.bits
                    assert not taken & bits, f"{node.name}: {job.id}"
                    taken |= bits

    @rule(seconds=st.sampled_from([30, 35, 61]))
    def a_slice_passes(self, seconds: int) -> None:
        self.time_passes_by(seconds)
        self.take_turns()

    def time_passes_by(self, seconds: int) -> None:
        self.now += seconds
        for _ in range(10):
            self.record(*timers.due(self.live, self.now))
            following = timers.next_due(self.live)
            if following is None or following > self.now:
                break


GivingWay.TestCase.settings = settings(max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
TestGivingWay = GivingWay.TestCase
