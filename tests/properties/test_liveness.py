"""Nobody waits for nothing: whatever happens, a plan that has a start to propose is due without any further event."""

from __future__ import annotations

from hypothesis import HealthCheck, settings
from hypothesis.stateful import invariant

from slurm.core import events as e
from slurm.sched.plan import plan
from slurm.sched.policy import Policy
from slurm.sched.terrain import Terrain
from tests.properties.test_core_fold import ClusterLife

MOST_PASSES = 20


class PlannedLife(ClusterLife):
    """The same lives, with passes made whenever the policy has them due."""

    def __init__(self) -> None:
        self.policy = Policy()
        super().__init__()
        self.terrain = Terrain(self.live)

    def record(self, *events: e.Event, own: bool = False) -> None:
        for event in events:
            super().record(event)
            self.policy.noticed(type(event).__name__, own=own and isinstance(event, e.Started), awaited=bool(self.live.dependents))

    @invariant()
    def nobody_waits_for_nothing(self) -> None:
        if self.terrain.view is not self.live:  # restarted: nothing is remembered
            self.terrain, self.policy = Terrain(self.live), Policy()
        for _ in range(MOST_PASSES):
            if not self.policy.full:
                break
            self.plan_by_policy(full=not self.policy.quick)
        assert not self.policy.full, "passes go on and on although nothing happens"
        left = plan(self.live, self.now).proposals
        assert not left, f"no pass is due, and one would start {left}"

    def plan_by_policy(self, *, full: bool) -> None:
        self.policy.begin(full=full)
        outcome = plan(self.live, self.now, depth=None if full else 3, backfill=full, terrain=self.terrain)
        self.policy.looked(outcome.verdicts.values(), full=full, everybody=outcome.everybody)
        for proposal in outcome.proposals:
            event = self.live.starting(proposal.job, proposal.task, proposal.allocation, self.now, proposal.time_limit)
            if event is not None:  # of an array with --dependency=singleton a pass proposes more tasks than may run
                self.record(event, own=True)
            else:
                self.policy.put_off()
                if proposal.promised:
                    self.record(e.PromiseEnded(at=self.now, job=proposal.job))


PlannedLife.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck))
TestPlannedLife = PlannedLife.TestCase
