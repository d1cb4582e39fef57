"""Changes of the policy as events: what slurmdbd told, and what was reset."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.policy import state as counting
from slurm.core.state import ClusterState


def on_changed(state: ClusterState, event: e.PolicyChanged) -> list[Effect]:
    """Take records over, or keep them until the last part of a whole policy comes."""
    policy = state.policy
    if event.staged:
        policy.staged += event.records
        return []
    staged, policy.staged = policy.staged, []
    counting.change(state, [*staged, *event.records] if event.whole else event.records, event.at, whole=event.whole)
    for reset in event.resets:
        if reset.association:
            counting.reset(state, reset.association, event.at)
        else:
            for name in [name for name, qos in policy.book.qos.items() if qos.id == reset.qos]:
                counting.reset(state, name, event.at)
    return []
