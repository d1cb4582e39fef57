"""Triggers as state: set, cleared, pulled when what they wait for has happened, done when their program has run. Who looks is slurmctld."""

from __future__ import annotations

import msgspec

from slurm.core import events as e
from slurm.core.effects import Effect
from slurm.core.state import ClusterState


def on_set(state: ClusterState, event: e.TriggerSet) -> list[Effect]:
    """A new one."""
    state.triggers[event.trigger.id] = msgspec.structs.replace(event.trigger, pulled=list(event.trigger.pulled))
    state.next_trigger = event.trigger.id + 1
    state.unsaved.triggers.add(event.trigger.id)
    return []


def on_cleared(state: ClusterState, event: e.TriggersCleared) -> list[Effect]:
    """They are not looked at any more."""
    for number in event.triggers:
        if state.triggers.pop(number, None) is not None:
            state.unsaved.triggers.add(number)
    return []


def on_pulled(state: ClusterState, event: e.TriggerPulled) -> list[Effect]:
    """What it waits for has happened; one that is not permanent waits for nothing more."""
    trigger = state.triggers.get(event.trigger)
    if trigger is not None and (trigger.permanent or not trigger.pulled):
        trigger.pulled = [*trigger.pulled, event.pull]
        state.unsaved.triggers.add(trigger.id)
    return []


def on_done(state: ClusterState, event: e.TriggerDone) -> list[Effect]:
    """Its program has run, however it ended."""
    trigger = state.triggers.get(event.trigger)
    if trigger is None or not trigger.pulled:
        return []
    state.unsaved.triggers.add(trigger.id)
    trigger.pulled = trigger.pulled[1:]
    if not trigger.permanent:
        del state.triggers[trigger.id]
    return []
