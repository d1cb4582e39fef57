"""Epochs: each slurmctld that takes the lead begins one, and what it writes and orders is of that epoch until the next begins."""

from __future__ import annotations

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.illegal import IllegalTransition
from slurm.core.state import ClusterState


def on_started(state: ClusterState, event: e.EpochStarted) -> list[Effect]:
    """Remember who leads; an epoch that is not higher than the present one cannot begin."""
    if event.epoch <= state.epoch:
        raise IllegalTransition(f"epoch {event.epoch} of {event.holder or 'a slurmctld'} cannot begin: "
                                f"epoch {state.epoch} of {state.leader or 'another one'} has begun already")
    state.epoch, state.leader = event.epoch, event.holder
    return []
