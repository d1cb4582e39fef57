"""Changes of the policy as events: what slurmdbd told, and what was reset."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.policy import accrual
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState


def on_changed(state: ClusterState, event: e.PolicyChanged) -> list[Effect]:
    """Take records over, or keep them until the last part of a whole policy comes."""
    policy = state.policy
    if event.staged:
        policy.stage(event.records)
        return []
    staged = policy.unstage()
    counting.change(state, event.records, event.at, whole=staged if event.whole else None)
    for reset in event.resets:
        if reset.association:
            counting.reset(state, reset.association, event.at)
        else:
            for name in [name for name, qos in policy.book.qos.items() if qos.id == reset.qos]:
                counting.reset(state, name, event.at)
    return []


def on_accrued(state: ClusterState, event: e.Accrued) -> list[Effect]:
    """Jobs begin to age."""
    accrual.begin(state, event.jobs, event.at)
    return []


def on_usage_period_ended(state: ClusterState, event: e.UsagePeriodEnded) -> list[Effect]:
    """Nothing was used; what runs goes on counting. Usage of QOS with NoDecay stays."""
    for key in [key for key in state.policy.usage.counters if key not in state.policy.usage.lasting]:
        counting.reset(state, key, event.at)
    state.policy.usage_since = event.at
    return []
